"""From sending a score to a watcher's frame: `python -m benchmarks.frame_probe JOB`."""

import asyncio
import json
import sys
import time
from dataclasses import asdict, dataclass
from typing import cast

import uvloop

from benchmarks.stats import Result, summarise
from benchmarks.websocket import Watcher

PAUSE = 0.15
"""Longer than a tick: the first change after a pause is what is promised to come at once."""


@dataclass(frozen=True, slots=True)
class Job:
    """`user_id` must stand in the visible top, so that each score of theirs is seen by all."""

    port: int
    user_id: int
    samples: int


class Poster(asyncio.Protocol):
    """A connection that sends scores; their answers are another measure's matter."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is none by class


def _request(user_id: int) -> bytes:
    body = json.dumps({"user_id": user_id, "score": 1, "game_mode": "ranked"})
    return (
        "POST /api/leaderboard/submit HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


async def probe(job: Job) -> Result:
    """Raises TimeoutError if a frame doesn't come."""
    loop = asyncio.get_running_loop()
    seen = asyncio.Event()
    _, watcher = await loop.create_connection(
        lambda: Watcher("/ws/leaderboard", seen.set), "127.0.0.1", job.port
    )
    _, poster = await loop.create_connection(Poster, "127.0.0.1", job.port)
    latencies = []
    async with asyncio.timeout(job.samples * 2 + 10):
        await seen.wait()
        for _ in range(job.samples):
            await asyncio.sleep(PAUSE)
            seen.clear()
            started = time.perf_counter()
            poster.transport.write(_request(job.user_id))
            await seen.wait()
            latencies.append(time.perf_counter() - started)
    watcher.transport.abort()
    poster.transport.abort()
    return summarise(latencies, len(latencies) / sum(latencies), len(latencies))


if __name__ == "__main__":
    print(json.dumps(asdict(uvloop.run(probe(Job(**json.loads(sys.argv[1])))))))
