"""What is this machine itself: whom the open mode answers."""

from functools import lru_cache

from app.core.addresses import parse

_LONGEST_NAME = 64
"""Bytes of a loopback name with its port, and more. No cache may keep what callers make up."""


def is_loopback_name(host: bytes | None) -> bool:
    """Whether a `Host` header names this machine: `localhost:8000`, `127.0.0.1`, `[::1]:8000`.

    A page of another site whose name was made to lead here (DNS rebinding) sends its own name.
    """
    return host is not None and len(host) <= _LONGEST_NAME and _is_loopback_name(host)


@lru_cache(maxsize=256)
def _is_loopback_name(host: bytes) -> bool:
    name = host.decode("latin-1").lower()
    if not name.endswith("]"):
        name = name.rpartition(":")[0] if ":" in name else name
    return name == "localhost" or is_loopback_address(name.removeprefix("[").removesuffix("]"))


@lru_cache(maxsize=1_024)
def is_loopback_address(address: str) -> bool:
    """Whether a connection from there comes from this machine."""
    parsed = parse(address)
    return parsed is not None and parsed.is_loopback
