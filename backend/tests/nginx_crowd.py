"""Sockets that are told of a score, a process of their own: `-m tests.nginx_crowd`.

Its first line on standard input is a Job. Says when all are connected; for each further line, how
many have heard of something since the line before, and when the last one did.
"""

import asyncio
import gc
import json
import ssl
import sys
import time
from dataclasses import dataclass

import uvloop

from benchmarks.watchers import CONNECTING, JOIN_SECONDS
from benchmarks.websocket import Watcher, handshake


@dataclass(frozen=True, slots=True)
class Job:
    """Where, with which keys in turn, as which players, and how many spectators besides."""

    port: int
    tls: bool
    keys: list[str]
    players: list[int]
    spectators: int


class Socket(Watcher):
    """With a key; knows when it was told of something."""

    def __init__(self, path: str, key: str) -> None:
        super().__init__(path, self._hear)
        self._key = key
        self.greeted = asyncio.Event()
        self.told_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        transport.write(handshake(self._path, f"Authorization: Bearer {self._key}"))

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self.greeted.set()

    def _hear(self) -> None:
        self.greeted.set()
        self.told_at = time.monotonic()


async def join(job: Job, path: str, key: str, room: asyncio.Semaphore) -> Socket:
    """A socket that has its snapshot. Raises OSError, TimeoutError."""
    context = ssl._create_unverified_context() if job.tls else None
    async with room, asyncio.timeout(JOIN_SECONDS):
        _, socket = await asyncio.get_running_loop().create_connection(
            lambda: Socket(path, key), "127.0.0.1", job.port, ssl=context
        )
        await socket.greeted.wait()
        if socket.lost:
            raise ConnectionError("A socket was closed before it had its snapshot.")
        return socket


async def main(job: Job) -> None:
    paths = ["/ws/leaderboard"] * job.spectators
    paths += [f"/ws/leaderboard/{player}" for player in job.players]
    room = asyncio.Semaphore(CONNECTING)
    sockets = await asyncio.gather(
        *(join(job, path, job.keys[at % len(job.keys)], room) for at, path in enumerate(paths))
    )
    gc.freeze()
    gc.disable()
    since = time.monotonic()

    def tell() -> None:
        told = [each.told_at for each in sockets if each.told_at > since]
        lost = sum(each.lost for each in sockets)
        print(
            json.dumps({"told": len(told), "last": max(told, default=0), "lost": lost}), flush=True
        )

    tell()
    questions = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(questions), sys.stdin
    )
    while line := await questions.readline():
        if line == b"next\n":
            since = time.monotonic()
        tell()
    for each in sockets:
        each.transport.abort()


if __name__ == "__main__":
    uvloop.run(main(Job(**json.loads(sys.stdin.readline()))))
