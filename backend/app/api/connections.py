"""How many connections each address holds on a worker."""

from collections import Counter

from app.core.addresses import Addresses
from app.core.config import Settings


class Connections:
    """Counts connections by address. It bounds them where callers are limited; those of trusted
    proxies, which stand for many callers, are not counted."""

    def __init__(self, settings: Settings) -> None:
        self._on = settings.limits_on
        self._most = settings.http_max_connections_per_address
        self._addresses = Addresses(settings.trusted_proxies)
        self._held: Counter[str] = Counter()

    def address_of(self, peer: str | None) -> str | None:
        """The address that a peer counts for; None if it is not counted."""
        if not self._on or peer is None or self._addresses.trusts(peer):
            return None
        return self._addresses.of(peer, ())

    def enter(self, address: str) -> bool:
        """Counts one more connection; False, and not counted, if the address holds too many."""
        if self._held[address] >= self._most:
            return False
        self._held[address] += 1
        return True

    def leave(self, address: str) -> None:
        """Counts one connection less."""
        self._held[address] -= 1
        if not self._held[address]:
            del self._held[address]
