"""The buckets in Redis: one script call for all who ask at once, no waiting while it's away."""

import asyncio
from collections.abc import Sequence
from importlib import resources
from typing import NamedTuple

import structlog
from redis.asyncio import Redis

from app.core.coalesce import Coalescer
from app.core.errors import Overloaded
from app.core.redis import AWAY

log = structlog.get_logger(__name__)

BUCKETS_PER_CALL = 200
MAX_WAITING = 10_000
PROBE_SECONDS = 1.0


class Want(NamedTuple):
    """What one bucket is asked for. `least`: fewer tokens than so many are of no use."""

    key: str
    capacity: int
    per_ms: float
    back: int
    wanted: int
    least: int


class Grant(NamedTuple):
    """`tokens` are the worker's now, `left` are in the bucket; `wait` in seconds, if none."""

    tokens: int
    left: int
    wait: float


class SharedBuckets:
    """Token buckets that all workers share. While Redis is away nobody waits for it: it is asked
    once a second, by nobody's request, whether it is back."""

    def __init__(self, client: Redis, prefix: str) -> None:
        self._client = client
        # One hash tag: on a cluster, too, a call's buckets are on one node.
        self.prefix = f"{prefix}{{limits}}:"
        source = resources.files(__package__).joinpath("take.lua").read_text()
        self._script = client.register_script(source)
        self._calls: Coalescer[Want, Grant] = Coalescer(
            self._call, max_batch=BUCKETS_PER_CALL, max_queue=MAX_WAITING
        )
        self._left = asyncio.Event()

    @property
    def away(self) -> bool:
        """Whether Redis can't count now."""
        return self._left.is_set()

    async def take(self, want: Want) -> Grant | None:
        """What was granted; None if Redis is away."""
        if self.away:
            return None
        try:
            return await self._calls.get(want)
        except (*AWAY, Overloaded) as error:
            self._leave(error)
            return None

    async def _call(self, wants: Sequence[Want]) -> list[Grant]:
        arguments: list[int | float] = []
        for want in wants:
            arguments += want[1:]
        answer = await self._script(keys=[want.key for want in wants], args=arguments)
        return [
            Grant(tokens, left, wait / 1_000)
            for tokens, left, wait in zip(answer[::3], answer[1::3], answer[2::3], strict=True)
        ]

    def _leave(self, error: Exception) -> None:
        if not self.away:
            log.warning("rate limits are counted by each worker alone", error=repr(error))
            self._left.set()

    async def run(self) -> None:
        """Asks Redis once a second while it is away. Runs as long as the worker."""
        while True:
            await self._left.wait()
            await asyncio.sleep(PROBE_SECONDS)
            try:
                # Not a ping: a server that answers but refuses writes can't count.
                await self._call([Want(self.prefix + "probe", 1, 1.0, 0, 1, 1)])
            except AWAY:
                continue
            log.warning("rate limits are counted for all workers again")
            self._left.clear()
