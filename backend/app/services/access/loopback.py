"""What is this machine itself: whom the open mode answers."""

import ipaddress
from functools import lru_cache


@lru_cache(maxsize=1_024)
def is_loopback_name(host: bytes | None) -> bool:
    """Whether a `Host` header names this machine: `localhost:8000`, `127.0.0.1`, `[::1]:8000`.

    A page of another site whose name was made to lead here (DNS rebinding) sends its own name.
    """
    name = (host or b"").decode("latin-1").lower()
    if not name.endswith("]"):
        name = name.rpartition(":")[0] if ":" in name else name
    return name == "localhost" or is_loopback_address(name.removeprefix("[").removesuffix("]"))


@lru_cache(maxsize=1_024)
def is_loopback_address(address: str) -> bool:
    """Whether a connection from there comes from this machine."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
