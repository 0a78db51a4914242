"""All limiters of a worker."""

from redis.asyncio import Redis

from app.core.addresses import Addresses
from app.core.config import Settings
from app.services.limits.limiter import Limiter
from app.services.limits.policies import Kind, Who, policies_of
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
        limiters = {
            (policy.who, policy.kind): Limiter(policy, self._shared, share=share)
            for policy in policies_of(settings)
        }

        def of(who: Who) -> dict[Kind, Limiter]:
            return {kind: limiter for (its, kind), limiter in limiters.items() if its is who}

        self.of_keys, self.of_players = of(Who.KEY), of(Who.PLAYER)
        self.of_addresses = of(Who.ADDRESS)
        self.sign_ins = self.of_addresses[Kind.SIGN_INS]

    @property
    def standing_in(self) -> bool:
        """Whether each worker counts alone, because Redis is away."""
        return self._shared.away

    async def close(self) -> None:
        """Stops asking whether Redis is back."""
        await self._shared.close()
