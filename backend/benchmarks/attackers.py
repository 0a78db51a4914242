"""An attack, a process of its own: `python -m benchmarks.attackers JOB`, until its input ends.

Attacks this machine alone, and each from one address, which is not that of any other client.
"""

import asyncio
import contextlib
import json
import os
import random
import socket
import string
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass

import uvloop

from benchmarks.floods import FLOODS
from benchmarks.websocket import handshake

PAUSE = 10.0
"""Seconds before what was closed comes back: 5,000 sockets are 500 attempts a second."""

PAUSE_OF_FLOOD = 0.05
ANSWER_SECONDS = 30.0
CONNECTING = 100
LOWEST_PRIORITY = 19


@dataclass(frozen=True, slots=True)
class Job:
    """`kind` is a key of ATTACKS; `size` how many connections it wants to hold."""

    kind: str
    port: int
    size: int
    address: str
    token: str = ""
    """Of a player, for floods that need one."""


@dataclass(frozen=True, slots=True)
class Report:
    """`done`: connections that were closed, sockets refused, keys tried. `answers` to floods, by
    status; 0 where the connection ended without one."""

    done: int
    answers: dict[str, int]


class Attack:
    """Connections that come back whenever they are closed."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.done = 0
        self.answers: Counter[int] = Counter()
        self._connecting = asyncio.Semaphore(CONNECTING)
        flood = FLOODS.get(job.kind)
        self._pause = PAUSE if flood is None else PAUSE_OF_FLOOD if flood.waits else 0.0
        self._act = ATTACKS.get(job.kind, Attack.flood if self._pause else Attack.hang_up)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        connection = socket.socket()
        try:
            connection.setblocking(False)
            connection.bind((self.job.address, 0))
            async with self._connecting:
                await asyncio.get_running_loop().sock_connect(
                    connection, ("127.0.0.1", self.job.port)
                )
                return await asyncio.open_connection(sock=connection)
        except OSError:
            connection.close()
            raise

    async def hold(self) -> None:
        """One connection, again and again."""
        while True:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                reader, writer = await self.connect()
                try:
                    await self._act(self, reader, writer)
                finally:
                    writer.close()
            self.done += 1
            await asyncio.sleep(self._pause * (0.5 + random.random()))

    async def drip(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A request that never ends, a header a second."""
        writer.write(b"GET /api/leaderboard/top HTTP/1.1\r\nHost: 127.0.0.1\r\n")
        while not reader.at_eof():
            writer.write(b"X-Drip: 1\r\n")
            await writer.drain()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(reader.read(1_024), 1.0)

    async def idle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A socket that is opened and then says nothing."""
        writer.write(handshake("/ws/leaderboard"))
        while await reader.read(65_536):
            pass

    async def guess(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One made-up key after the other, as fast as they are answered."""
        while True:
            letters = random.choices(string.ascii_letters, k=52)
            key = f"lb_{''.join(letters[:8])}_{''.join(letters[8:])}"
            writer.write(
                b"GET /api/leaderboard/top HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                b"Authorization: Bearer %b\r\n\r\n" % key.encode()
            )
            head = await reader.readuntil(b"\r\n\r\n")
            at = head.index(b"content-length: ") + 16
            await reader.readexactly(int(head[at : head.index(b"\r", at)]))
            self.done += 1

    async def flood(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request after the other, as fast as they are answered, on one connection."""
        requests = FLOODS[self.job.kind].requests
        while True:
            answer = asyncio.ensure_future(reader.readuntil(b"\r\n\r\n"))
            try:
                is_whole = await self._send(writer, requests(self.job.token), answer)
                async with asyncio.timeout(ANSWER_SECONDS):
                    head = await answer
            except (OSError, asyncio.IncompleteReadError):
                self.answers[0] += 1
                raise
            finally:
                answer.cancel()
            self.answers[int(head[9:12])] += 1
            if not is_whole or b"connection: close" in head:
                return
            at = head.find(b"content-length: ") + 16
            if at > 15:
                await reader.readexactly(int(head[at : head.index(b"\r", at)]))

    async def hang_up(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request, and the end of the connection right behind it."""
        for piece in FLOODS[self.job.kind].requests(self.job.token):
            writer.write(piece)
        self.answers[0] += 1
        await writer.drain()

    async def _send(
        self,
        writer: asyncio.StreamWriter,
        pieces: Iterable[bytes],
        answer: "asyncio.Future[bytes]",
    ) -> bool:
        """Sends until all is sent, or an answer has come: False."""
        for piece in pieces:
            if answer.done():
                return False
            writer.write(piece)
            await writer.drain()
        return True


ATTACKS = {"loris": Attack.drip, "sockets": Attack.idle, "keys": Attack.guess}


async def attack(job: Job) -> None:
    """Goes on until standard input ends, then says how often it was sent away."""
    run = Attack(job)
    tasks = [asyncio.create_task(run.hold()) for _ in range(job.size)]
    print("attacking", flush=True)
    ended = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(ended), sys.stdin)
    await ended.read()
    print(
        json.dumps(
            asdict(Report(run.done, {str(status): count for status, count in run.answers.items()}))
        ),
        flush=True,
    )
    for task in tasks:
        task.cancel()
    # Without waiting for thousands of farewells.
    os._exit(0)


if __name__ == "__main__":
    # A real attacker has a machine of its own: here it must not take the service's CPU time.
    os.setpriority(os.PRIO_PROCESS, 0, LOWEST_PRIORITY)
    uvloop.run(attack(Job(**json.loads(sys.stdin.readline()))))
