"""All limiters of a worker."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from redis.asyncio import Redis

from app.core.addresses import Addresses
from app.core.config import Settings
from app.services.limits.limiter import Limiter
from app.services.limits.policies import Kind, policies_of
from app.services.limits.shared import SharedBuckets

SPARED_WITHOUT_REDIS = 2
"""Without Redis all workers together grant one part in so many of a limit."""


class Limits:
    """Who may ask how often. `on` is false where nothing is limited."""

    def __init__(self, client: Redis, settings: Settings) -> None:
        self.on = settings.limits_on
        self.addresses = Addresses(settings.trusted_proxies)
        self._shared = SharedBuckets(client, settings.redis_prefix)
        share = 1 / (SPARED_WITHOUT_REDIS * settings.workers)
        self._limiters = {
            (each.who.value, each.kind.value): Limiter(each, self._shared, share=share)
            for each in policies_of(settings).values()
        }

    @property
    def standing_in(self) -> bool:
        """Whether each worker counts alone, because Redis is away."""
        return self._shared.away

    def of(self, kind: Kind) -> Mapping[str, Limiter]:
        """The limiters of a kind, by for whom they count."""
        return {who: limiter for (who, its), limiter in self._limiters.items() if its == kind}

    async def close(self) -> None:
        await self._shared.close()


@asynccontextmanager
async def open_limits(client: Redis, settings: Settings) -> AsyncIterator[Limits]:
    """Limits for as long as the block lasts."""
    limits = Limits(client, settings)
    try:
        yield limits
    finally:
        await limits.close()
