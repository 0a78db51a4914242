"""Who may open a socket: how many at once, and how often."""

import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from math import ceil
from typing import TypeVar

from app.core.addresses import Addresses
from app.core.config import Settings
from app.core.errors import Overloaded, RateLimited
from app.services.access.callers import Caller
from app.services.access.callers import Kind as CallerKind
from app.services.limits.limits import Limits
from app.services.limits.policies import Kind

T = TypeVar("T")

TOLD_PER_SECOND = 5
"""Refused sockets that are opened only to be closed with a code, which costs far more."""

_CREDENTIALS = frozenset((b"authorization", b"sec-websocket-protocol"))


class Door:
    """A worker's sockets: how many in all, from one address, and with one API key. The rotations
    of a key count together."""

    def __init__(self, limits: Limits, settings: Settings) -> None:
        self._limits = limits
        self._addresses = Addresses(settings.trusted_proxies)
        self._most = settings.live_max_clients
        self._most_an_address = settings.live_max_clients_per_address
        self._most_a_key = settings.live_max_clients_per_key
        self._by_address: Counter[str] = Counter()
        self._by_key: Counter[int] = Counter()
        """By the first key of which a key is a rotation; 0 for callers without a key."""
        self._second = self._told = 0
        self.clients = 0
        self.draining = False
        """Whether no more sockets are taken, because the service stops."""

    def refusal(
        self, peer: str | None, headers: Sequence[tuple[bytes, bytes]]
    ) -> HTTPStatus | None:
        """What a handshake is refused with before it becomes a socket, if it is. While draining
        a proxy can so try another backend; a socket with a close code could not move."""
        if self.draining:
            return HTTPStatus.SERVICE_UNAVAILABLE
        return HTTPStatus.TOO_MANY_REQUESTS if self._is_shut(peer, headers) else None

    def _is_shut(self, peer: str | None, headers: Sequence[tuple[bytes, bytes]]) -> bool:
        """Not for the first ones in a second, which so get a close code that a browser can read;
        and not for who shows a credential: a server may come from the address of others who come
        too often."""
        if not self._limits.on:
            return False
        address = self._addresses.of(peer, headers)
        if not (self._is_full(address) or self._limits.refuses_socket(address)):
            return False
        if any(name in _CREDENTIALS for name, _ in headers):
            return False
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._told = second, 0
        self._told += 1
        return self._told > TOLD_PER_SECOND

    def _is_full(self, address: str) -> bool:
        return self._by_address[address] >= self._most_an_address

    @asynccontextmanager
    async def entered(self, address: str, caller: Caller) -> AsyncIterator[None]:
        """Counts a socket for as long as the block lasts. Raises Overloaded, RateLimited."""
        self._refuse_if_full(address, caller)
        key = caller.lineage or 0
        self.clients += 1
        self._by_address[address] += 1
        self._by_key[key] += 1
        # Counted before anything is waited for, so that many at once don't all find room.
        try:
            await self._charge(address, caller)
            yield
        finally:
            self.clients -= 1
            _count_down(self._by_address, address)
            _count_down(self._by_key, key)

    def _refuse_if_full(self, address: str, caller: Caller) -> None:
        if self.clients >= self._most:
            raise Overloaded("There are too many sockets on this worker.")
        if not self._limits.on:
            return
        if caller.kind is CallerKind.KEY:
            if self._by_key[caller.lineage or 0] >= self._most_a_key:
                raise RateLimited("There are too many sockets with this key.", 1)
        elif self._is_full(address):
            raise RateLimited("There are too many sockets from this address.", 1)

    async def _charge(self, address: str, caller: Caller) -> None:
        if self._limits.on:
            standing = await self._limits.charge(Kind.SOCKETS, caller, address)
            if standing.wait:
                raise RateLimited(
                    "Sockets are opened too often. Come back later.", ceil(standing.wait)
                )

    async def count_failure(self, address: str) -> None:
        """Counts a credential that was wrong. Raises RateLimited."""
        if self._limits.on:
            standing = await self._limits.charge_sign_in(address)
            if standing.wait:
                raise RateLimited("Too many attempts. Come back later.", ceil(standing.wait))


def _count_down(counter: Counter[T], holder: T) -> None:
    """One fewer. A holder of none is not kept."""
    counter[holder] -= 1
    if not counter[holder]:
        del counter[holder]
