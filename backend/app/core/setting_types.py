"""What settings may hold: each type says what is wrong with a value in words for operators."""

import json
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError
from pydantic_settings import NoDecode

OWN_NETWORKS = "own-networks"
ROUTES = Path("/proc/net/route")

DEFAULT_PORTS = {"http": 80, "https": 443}

_ORIGIN_FORM = "https://play.example.com"
_HOST = re.compile(r"[a-z0-9_.-]+|\[[0-9a-f:.]+\]")
_HEADER_NAME = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+")
_CUTS = '[["Gold", 70], ["Bronze", 0]]'


def checked(check: Callable[[Any], Any]) -> BeforeValidator:
    """A validator whose ValueErrors are told as they are."""

    def validate(given: object) -> object:
        try:
            return check(given)
        except ValueError as error:
            raise PydanticCustomError("setting", "{fault}", {"fault": str(error)}) from error

    return BeforeValidator(validate)


def _split(given: object) -> Sequence[object]:
    """`a, b` from the environment as a list."""
    if isinstance(given, str):
        return [part.strip() for part in given.split(",") if part.strip()]
    if isinstance(given, list | tuple):
        return given
    raise ValueError("must be a list with commas between")


def clean_origin(given: str) -> str:
    """An origin as browsers send it: in small letters, without the scheme's own port or a slash at
    the end. Raises ValueError."""
    if given == "*":
        raise ValueError(f"must not be *: name each origin, as in {_ORIGIN_FORM}")
    parts = urlsplit(given.lower())
    if "://" not in given and _HOST.fullmatch(given.lower()):
        raise ValueError(f"has {given}, an origin without a scheme: write https://{given.lower()}")
    if parts.scheme not in DEFAULT_PORTS or not parts.netloc:
        raise ValueError(f"has {given}, which is no origin: write it as in {_ORIGIN_FORM}")
    if parts.path not in ("", "/") or parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError(
            f"has {given}, which is more than an origin: write {parts.scheme}://"
            f"{parts.netloc.rpartition('@')[2]}"
        )
    try:
        port = parts.port
    except ValueError as error:
        raise ValueError(f"has {given}, whose port is no port") from error
    host = parts.netloc.rpartition(":")[0] if port is not None else parts.netloc.rstrip(":")
    if not _HOST.fullmatch(host):
        raise ValueError(
            f"has {given}, whose host is no name as browsers send it (for letters beyond a to z "
            "that is the form that begins with xn--)"
        )
    shown = "" if port in (None, DEFAULT_PORTS[parts.scheme]) else f":{port}"
    return f"{parts.scheme}://{host}{shown}"


def clean_public_url(given: str | None) -> str | None:
    """Raises ValueError."""
    return None if given is None else clean_origin(given)


def _origins(given: object) -> tuple[str, ...]:
    return tuple(dict.fromkeys(clean_origin(str(each)) for each in _split(given)))


def _header_names(given: object) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(str(each).lower() for each in _split(given)))
    for name in names:
        if not _HEADER_NAME.fullmatch(name):
            raise ValueError(f"has {name}, which is no name of a header: write x-team")
    return names


def own_networks(routes: Path = ROUTES) -> list[IPv4Network]:
    """The networks that this machine's or container's interfaces are in, without loopback."""
    with suppress(OSError):
        rows = [line.split() for line in routes.read_text().splitlines()[1:]]
        found = {
            IPv4Network((_little_endian(row[1]), str(IPv4Address(_little_endian(row[7])))))
            for row in rows
            if _little_endian(row[2]) == 0 and _little_endian(row[7]) != 0
        }
        return sorted(found)
    return []


def _little_endian(hexadecimal: str) -> int:
    return int.from_bytes(bytes.fromhex(hexadecimal), "little")


def _networks(given: object) -> tuple[IPv4Network | IPv6Network, ...]:
    networks: list[IPv4Network | IPv6Network] = []
    for each in _split(given):
        if each == OWN_NETWORKS:
            networks += own_networks()
            continue
        try:
            networks.append(ip_network(str(each)))
        except ValueError as error:
            raise ValueError(f"must name networks, as in 10.0.0.0/8, ::1: {error}") from error
    return tuple(networks)


def _tiers(given: Any) -> object:  # noqa: ANN401
    """Tiers in order, the last one for everybody. Raises ValueError."""
    try:
        cuts = json.loads(given) if isinstance(given, str) else given
        tiers = tuple((name, float(cut)) for name, cut in cuts)
    except (TypeError, ValueError) as error:
        raise ValueError(f"must be pairs of a name and a percentile, as in {_CUTS}") from error
    names = [name for name, _ in tiers]
    if not tiers or not all(isinstance(name, str) and name.strip() for name in names):
        raise ValueError(f"must name at least one tier, as in {_CUTS}")
    if len(set(names)) < len(names):
        raise ValueError("must not name a tier twice")
    percentiles = [cut for _, cut in tiers]
    if not all(
        left > right for left, right in zip([100.1, *percentiles], percentiles, strict=False)
    ):
        raise ValueError("must have percentiles of at most 100 that fall from tier to tier")
    if percentiles[-1] != 0:
        raise ValueError("must end with a tier from 0, for everybody who is in no other")
    return tiers


def _level(given: object) -> object:
    return given.strip().lower() if isinstance(given, str) else given


Positive = Annotated[int, Field(ge=1, le=1_000_000_000)]
Seconds = Annotated[float, Field(gt=0, le=3_600, allow_inf_nan=False)]
Origins = Annotated[tuple[str, ...], NoDecode, checked(_origins)]
HeaderNames = Annotated[tuple[str, ...], NoDecode, checked(_header_names)]
Networks = Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode, checked(_networks)]
Tiers = Annotated[tuple[tuple[str, float], ...], NoDecode, checked(_tiers)]
LogLevel = Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_level)]
