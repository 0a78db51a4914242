"""Who may open a socket: how many at once, and how often."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import ceil

from app.core.config import Settings
from app.core.errors import Overloaded, RateLimited
from app.services.access.callers import Caller
from app.services.access.callers import Kind as CallerKind
from app.services.limits.limits import Limits
from app.services.limits.policies import Kind


class Door:
    """A worker's sockets, all in all and by address. A server, by its key, may hold many."""

    def __init__(self, limits: Limits, settings: Settings) -> None:
        self._limits = limits
        self._most = settings.live_max_clients
        self._most_an_address = settings.live_max_clients_per_address
        self._by_address: Counter[str] = Counter()
        self.clients = 0

    @asynccontextmanager
    async def entered(self, address: str, caller: Caller) -> AsyncIterator[None]:
        """Counts a socket for as long as the block lasts. Raises Overloaded, RateLimited."""
        await self._check(address, caller)
        self.clients += 1
        self._by_address[address] += 1
        try:
            yield
        finally:
            self.clients -= 1
            self._by_address[address] -= 1
            if not self._by_address[address]:
                del self._by_address[address]

    async def _check(self, address: str, caller: Caller) -> None:
        if self.clients >= self._most:
            raise Overloaded("There are too many sockets on this worker.")
        if not self._limits.on:
            return
        held = self._by_address[address] if caller.kind is not CallerKind.KEY else 0
        if held >= self._most_an_address:
            raise RateLimited("There are too many sockets from this address.", 1)
        standing = await self._limits.charge(Kind.SOCKETS, caller, address)
        if standing.wait:
            raise RateLimited("Sockets are opened too often. Come back later.", ceil(standing.wait))

    async def count_failure(self, address: str) -> None:
        """Counts a credential that was wrong. Raises RateLimited."""
        if self._limits.on:
            standing = await self._limits.charge_sign_in(address)
            if standing.wait:
                raise RateLimited("Too many attempts. Come back later.", ceil(standing.wait))
