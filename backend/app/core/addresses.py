"""Who is calling, by address: the socket's peer, or whom a trusted proxy says it speaks for."""

import ipaddress
from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

Headers = Iterable[tuple[bytes, bytes]]

UNKNOWN = "local"
"""The address of a peer that has none, as behind a Unix socket."""

_IPV6_SITE = 64
"""Bits. Whoever has one IPv6 address has all of its network."""

_MAX_HOPS = 32
_LONGEST = 64
"""Characters of an address. A zone of an IPv6 address may be as long as a header."""


class Addresses:
    """Finds callers' addresses. Only proxies of `trusted` networks are believed."""

    def __init__(self, trusted: Sequence[IPv4Network | IPv6Network]) -> None:
        self._trusted = tuple(trusted)

    def of(self, peer: str | None, headers: Headers) -> str:
        """The caller's address as limits count it: an IPv6 one as its network of 64 bits."""
        if peer is None:
            return UNKNOWN
        if self._trusted and self.trusts(peer):
            peer = self._behind(peer, headers)
        return subject_of(peer)

    def trusts(self, peer: str | None) -> bool:
        """Whether what this peer forwards is believed."""
        address = None if peer is None else parse(peer)
        return address is not None and any(address in network for network in self._trusted)

    def _behind(self, peer: str, headers: Headers) -> str:
        """The right-most hop that is no proxy of ours. Left of it, anybody may have written."""
        given = b",".join([value for name, value in headers if name == b"x-forwarded-for"])
        for hop in reversed(given.decode("latin-1").split(",")[-_MAX_HOPS:]):
            address = parse(_without_port(hop.strip()))
            if address is None:
                return peer  # who wrote that can't be told: the proxy answers for it
            peer = str(address)
            if not self.trusts(peer):
                return peer
        return peer


def _without_port(hop: str) -> str:
    """`203.0.113.7:4711` and `[2001:db8::1]:4711` as some proxies write them."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop


def parse(text: str) -> IPv4Address | IPv6Address | None:
    """An address, IPv4 in IPv6 as what it is; None for what is none."""
    if len(text) > _LONGEST:
        return None
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def subject_of(peer: str) -> str:
    """An address as limits count it."""
    return _subject_of(peer) if len(peer) <= _LONGEST else UNKNOWN


@lru_cache(maxsize=4_096)
def _subject_of(peer: str) -> str:
    address = parse(peer)
    if isinstance(address, IPv6Address):
        network = IPv6Network((int(address) >> _IPV6_SITE << _IPV6_SITE, _IPV6_SITE))
        return str(network)
    return peer if address is None else str(address)
