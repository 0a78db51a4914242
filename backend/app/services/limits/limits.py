"""All limiters of a worker."""

import asyncio
import math
import time
from typing import Protocol

from redis.asyncio import Redis

from app.core.config import Settings
from app.services.limits.limiter import Limiter, Standing
from app.services.limits.policies import OF_ADDRESSES, Kind, Who, policies_of
from app.services.limits.shared import SharedBuckets

SPARED_WITHOUT_REDIS = 2
"""Without Redis all workers together grant one part in so many of a limit."""


HOLD_SECONDS = 1.0
MAX_HELD = 1_000
LATELY_SECONDS = 2.0
"""Longer than a refused caller waits for its refusal."""


class Caller(Protocol):
    """As much of a caller as counting needs."""

    @property
    def kind(self) -> str: ...

    @property
    def prefix(self) -> str | None: ...

    @property
    def user_id(self) -> int | None: ...


class Limits:
    """Who may ask how often. `on` is false where nothing is limited."""

    def __init__(self, client: Redis, settings: Settings) -> None:
        self.on = settings.limits_on
        self._held = 0
        self._refused_at = -math.inf
        self._shared = SharedBuckets(client, settings.redis_prefix)
        share = 1 / (SPARED_WITHOUT_REDIS * settings.workers)
        limiters = {
            (policy.who, policy.kind): Limiter(policy, self._shared, share=share)
            for policy in policies_of(settings)
        }

        def of(who: Who) -> dict[Kind, Limiter]:
            return {kind: limiter for (its, kind), limiter in limiters.items() if its is who}

        self.all = tuple(limiters.values())
        self._of_keys, self._of_players = of(Who.KEY), of(Who.PLAYER)
        self._of_addresses = of(Who.ADDRESS)

    @property
    def standing_in(self) -> bool:
        """Whether each worker counts alone, because Redis is away."""
        return self._shared.away

    async def charge(self, kind: Kind, caller: Caller, address: str, cost: int = 1) -> Standing:
        """Where the caller stands, this included: a server by its key, a player by the token, all
        others by their address."""
        if caller.kind == Who.KEY and caller.prefix is not None:
            limiter, subject = self._of_keys[kind], caller.prefix
        elif caller.kind == Who.PLAYER:
            limiter, subject = self._of_players[kind], str(caller.user_id)
        else:
            limiter, subject = self._of_addresses[kind], address
        return await limiter.decide(subject, cost)

    def refused_lately(self) -> bool:
        """Whether somebody was refused within a moment."""
        return time.monotonic() - self._refused_at < LATELY_SECONDS

    def known_refusal(self, kind: Kind, caller: Caller, address: str, cost: int) -> Standing | None:
        """The refusal of a player or an address, if it is known without asking anybody."""
        if kind not in OF_ADDRESSES and caller.kind == Who.PLAYER:
            limiter, subject = self._of_players[kind], str(caller.user_id)
        else:
            limiter, subject = self._of_addresses[kind], address
        refused = limiter.known_refusal(subject, cost)
        if refused is not None:
            self._refused_at = time.monotonic()
        return refused

    def affordable(self, kind: Kind, cost: int) -> int:
        """The cost, but no more than the tightest limit of this kind allows at once: a request that
        costs more could never be paid for."""
        return min(cost, *(each.policy.burst for each in self.all if each.policy.kind is kind))

    async def charge_address(self, kind: Kind, address: str, cost: int = 1) -> Standing:
        """Where the address stands, this included, whoever the caller is."""
        return await self._of_addresses[kind].decide(address, cost)

    async def charge_sign_in(self, address: str) -> Standing:
        """Counts a sign-in, or a credential that was wrong."""
        return await self.charge_address(Kind.SIGN_INS, address)

    def refuses_socket(self, address: str) -> bool:
        """Whether this address is known to open sockets too often."""
        return self._of_addresses[Kind.SOCKETS].refuses(address)

    async def hold_back(self) -> None:
        """Lets a refused caller wait for its refusal. A client that asks again at once can then
        not do so thousands of times a second. Beyond MAX_HELD callers the refusal comes at once."""
        self._refused_at = time.monotonic()
        if self._held < MAX_HELD:
            self._held += 1
            try:
                await asyncio.sleep(HOLD_SECONDS)
            finally:
                self._held -= 1

    async def run(self) -> None:
        """Notices when Redis is back. Runs as long as the worker."""
        await self._shared.run()
