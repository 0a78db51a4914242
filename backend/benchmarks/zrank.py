"""The twin of rank: bare `ZRANK` through redis-py, each awaited alone. A process of its own."""

import asyncio
import json
import sys
import time
from dataclasses import asdict, dataclass
from itertools import cycle
from typing import cast

import uvloop
from redis.asyncio import BlockingConnectionPool, Redis

from benchmarks.stats import WARM_UP, Result, summarise

MEMBERS = 20_000


@dataclass(frozen=True, slots=True)
class Job:
    """Ranks of random members of the index whose keys begin with `prefix`."""

    url: str
    prefix: str
    seconds: float
    connections: int = 64


async def run_zrank(job: Job) -> Result:
    """As many callers as connections, one pool."""
    pool = BlockingConnectionPool.from_url(job.url, max_connections=job.connections)
    client = Redis.from_pool(pool)
    try:
        epoch = await client.hget(job.prefix + "state", "epoch")
        assert isinstance(epoch, bytes)
        key = f"{job.prefix}{epoch.decode()}:z"
        members: cycle[bytes] = cycle(cast("list[bytes]", await client.zrandmember(key, -MEMBERS)))
        now = time.perf_counter()
        warm_until, deadline = now + job.seconds * WARM_UP, now + job.seconds
        latencies: list[float] = []

        async def ask() -> int:
            answered = 0
            while (started := time.perf_counter()) < deadline:
                rank = await client.zrank(key, next(members))
                ended = time.perf_counter()
                assert rank is not None
                answered += 1
                if warm_until <= ended < deadline:
                    latencies.append(ended - started)
            return answered

        counts = await asyncio.gather(*(ask() for _ in range(job.connections)))
    finally:
        await client.aclose()
    rate = len(latencies) / (deadline - warm_until)
    return summarise(latencies, rate, sum(counts))


if __name__ == "__main__":
    print(json.dumps(asdict(uvloop.run(run_zrank(Job(**json.loads(sys.argv[1])))))))
