"""Thousands of watchers, a process of its own: `python -m benchmarks.watchers JOB`.

Says on standard output when all are connected; for each line on standard input says what was
received so far; ends with standard input.
"""

import asyncio
import contextlib
import gc
import json
import sys
from dataclasses import dataclass

import uvloop

from benchmarks.websocket import Watcher

CONNECTING = 100
"""Sockets being connected at once: the rest of a crowd waits its turn."""

JOIN_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Job:
    """Players to watch as, and how many spectators besides."""

    port: int
    players: tuple[int, ...]
    spectators: int


async def join(port: int, path: str, room: asyncio.Semaphore) -> Watcher:
    """A watcher that has its snapshot. Raises TimeoutError."""
    async with room:
        greeted = asyncio.Event()
        _, watcher = await asyncio.get_running_loop().create_connection(
            lambda: Watcher(path, greeted.set), "127.0.0.1", port
        )
        async with asyncio.timeout(JOIN_SECONDS):
            await greeted.wait()
        return watcher


async def watch(job: Job) -> None:
    """Connects all, then answers questions."""
    paths = ["/ws/leaderboard"] * job.spectators
    paths += [f"/ws/leaderboard/{user_id}" for user_id in job.players]
    room = asyncio.Semaphore(CONNECTING)
    watchers = await asyncio.gather(*(join(job.port, path, room) for path in paths))
    gc.freeze()
    gc.disable()

    def tell() -> None:
        counts = {
            "connected": sum(not each.lost for each in watchers),
            "frames": sum(each.frames for each in watchers),
            "bytes": sum(each.received for each in watchers),
        }
        print(json.dumps(counts), flush=True)

    tell()
    questions = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(questions), sys.stdin)
    while await questions.readline():
        tell()
    for each in watchers:
        each.transport.abort()


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        uvloop.run(watch(Job(**json.loads(sys.stdin.readline()))))
