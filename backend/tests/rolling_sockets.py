"""Sockets that come back as the app's do, a process of their own: `-m tests.rolling_sockets`.

Its first line on standard input is a Job. Says so when all are connected; at the next line waits
until all have been told of the last score, and says what was seen. What is read of a frame is what
that needs: two thousand sockets get some ten thousand frames a second.
"""

import asyncio
import json
import random
import re
import sys
import time
from collections import Counter, deque
from dataclasses import dataclass

import uvloop

from benchmarks.websocket import PING, handshake, measure_frame

LAST_SCORE = 987_654_321
"""Nobody else's, so that its bytes in a frame are enough to know it by."""
RESTARTING, BROKEN = 1012, 1006
CLOSE = 0x88
FIRST_PER_SECOND = 100
OPEN_SECONDS = 10.0
STEADY_SECONDS = 5.0
TOLD_SECONDS = 20.0

_UPDATE = re.compile(rb'\{"type":"update","seq":(\d+),"prev":(\d+),')
_RANK = re.compile(rb'\{"type":"rank","seq":\d+,"rank":(\d+),')
_LAST = b'"total_score":%d' % LAST_SCORE


@dataclass(frozen=True, slots=True)
class Job:
    """Where, with which key, as which players, and how many spectators besides."""

    port: int
    key: str
    players: list[int]
    spectators: int


def backoff(failures: int) -> float:
    """As frontend/src/utils/realtime/backoff.ts, in seconds."""
    return min(15.0, 0.5 * 2 ** (failures - 1)) * random.uniform(0.5, 1.0)


class Connection(asyncio.Protocol):
    """One connection of a socket, until it is closed."""

    def __init__(self, request: bytes, owner: "Socket") -> None:
        self._request, self._owner = request, owner
        self._rest = b""
        self._upgraded = False
        self.code = BROKEN
        self.refused = ""
        loop = asyncio.get_running_loop()
        self.upgraded, self.closed = loop.create_future(), loop.create_future()

    def connection_made(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        data = self._rest + data
        if not self._upgraded:
            head, end, rest = data.partition(b"\r\n\r\n")
            if not end:
                self._rest = head
                return
            if not head.startswith(b"HTTP/1.1 101"):
                self.refused = head.split(b"\r\n")[0].decode()
                self.transport.close()
                return
            self._upgraded, data = True, rest
            if self.upgraded.cancelled():
                self.transport.abort()  # nobody waits for it any more
                return
            self.upgraded.set_result(None)
        at = 0
        while (found := measure_frame(data, at)) and len(data) >= at + sum(found):
            start = at + found[0]
            at += sum(found)
            self._take(data[start - found[0]], data[start:at])
        self._rest = data[at:]

    def _take(self, kind: int, payload: bytes) -> None:
        if kind == PING:
            self._send(0x8A, payload)
        elif kind == CLOSE:
            self.code = int.from_bytes(payload[:2], "big")
            self._send(CLOSE, payload[:2])
            self.transport.close()
        else:
            self._owner.hear(payload)

    def _send(self, kind: int, payload: bytes) -> None:
        """Masked with zeros: the payload as it is."""
        self.transport.write(bytes((kind, 0x80 | len(payload), 0, 0, 0, 0)) + payload)

    def connection_lost(self, _: Exception | None) -> None:
        if not self.upgraded.done():
            self.upgraded.set_result(None)
        self.closed.set_result(None)


class Socket:
    """Comes back when it was closed, and resumes."""

    def __init__(self, crowd: "Crowd", path: str) -> None:
        self._crowd, self._path = crowd, path
        self._seq, self._epoch = -1, ""
        self._lost_at: float | None = None
        self.greeted = asyncio.Event()
        self.live = False
        self.told = asyncio.Event()
        self.rank: int | None = None

    async def run(self) -> None:
        failures = 0
        while True:
            self._crowd.attempts.append(time.monotonic())
            code, held = await self._connect()
            if self._lost_at is None:
                self._lost_at = time.monotonic()
            # A service that restarts spreads its sockets by itself.
            failures = 1 if code == RESTARTING or held > STEADY_SECONDS else failures + 1
            await asyncio.sleep(backoff(failures))

    async def _connect(self) -> tuple[int, float]:
        """One connection, until it ends: its close code, and how long it held."""
        loop = asyncio.get_running_loop()
        resume = f"?since={self._seq}&epoch={self._epoch}" if self._seq >= 0 else ""
        request = self._crowd.handshake(self._path + resume)
        try:
            async with asyncio.timeout(OPEN_SECONDS):
                _, connection = await loop.create_connection(
                    lambda: Connection(request, self), "127.0.0.1", self._crowd.job.port
                )
                await connection.upgraded
        except (OSError, TimeoutError) as error:
            self._crowd.refused[type(error).__name__] += 1
            return BROKEN, 0
        opened = time.monotonic()
        await connection.closed
        self.live = False
        if connection.refused:
            self._crowd.refused[connection.refused] += 1
            return BROKEN, 0
        self._crowd.codes[connection.code] += 1
        return connection.code, time.monotonic() - opened

    def hear(self, frame: bytes) -> None:
        if frame.startswith(b'{"type":"snapshot"'):
            said = json.loads(frame)
            self._seq, self._epoch = said["seq"], said["epoch"]
            self.rank = said["me"] and said["me"]["rank"]
            self._crowd.anew += self._lost_at is not None
        elif found := _UPDATE.match(frame):
            if int(found[2]) > self._seq:
                self._crowd.gaps += 1
            self._seq = int(found[1])
        elif found := _RANK.match(frame):
            self.rank = int(found[1])
        if _LAST in frame:
            self.told.set()
        self.live = True
        self.greeted.set()
        if self._lost_at is not None:
            self._crowd.away.append(time.monotonic() - self._lost_at)
            self._lost_at = None


class Crowd:
    """All of them, and what was seen."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self._head = b"\r\nAuthorization: Bearer %b\r\n\r\n" % job.key.encode()
        self.attempts: list[float] = []
        self.away: list[float] = []
        self.codes: Counter[int] = Counter()
        self.refused: Counter[str] = Counter()
        self.gaps = self.anew = 0
        """Updates that were missed; sockets that came back and began with a snapshot."""
        self.players = [Socket(self, f"/ws/leaderboard/{each}") for each in job.players]
        spectators = [Socket(self, "/ws/leaderboard") for _ in range(job.spectators)]
        self.sockets = [*self.players, *spectators]

    def handshake(self, path: str) -> bytes:
        return handshake(path).replace(b"\r\n\r\n", self._head)

    async def connect(self) -> list[asyncio.Task[None]]:
        tasks = []
        for socket in random.sample(self.sockets, len(self.sockets)):
            tasks.append(asyncio.create_task(socket.run()))
            await asyncio.sleep(1 / FIRST_PER_SECOND)
        for socket in self.sockets:
            await socket.greeted.wait()
        self.attempts.clear()
        return tasks

    async def all_told(self) -> None:
        await asyncio.gather(*(each.told.wait() for each in self.sockets))

    def report(self) -> dict[str, object]:
        return {
            "live": sum(each.live for each in self.sockets),
            "told": sum(each.told.is_set() for each in self.sockets),
            "came_back": len(self.away),
            "longest_away": max(self.away, default=0.0),
            "connects": len(self.attempts),
            "most_connects": most_within_a_second(self.attempts),
            "codes": self.codes,
            "refused": self.refused,
            "gaps": self.gaps,
            "anew": self.anew,
            "ranks": [each.rank for each in self.players],
        }


def most_within_a_second(times: list[float]) -> int:
    """In any one, not only in those of the clock."""
    most, window = 0, deque[float]()
    for at in times:
        window.append(at)
        while window[0] <= at - 1:
            window.popleft()
        most = max(most, len(window))
    return most


async def main(job: Job) -> None:
    crowd = Crowd(job)
    tasks = await crowd.connect()
    print("connected", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    try:
        async with asyncio.timeout(TOLD_SECONDS):
            await crowd.all_told()
        await asyncio.sleep(2)  # for the ranks that travel beside it
    except TimeoutError:
        print("not all were told of the last score", file=sys.stderr)
    print(json.dumps(crowd.report()), flush=True)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


if __name__ == "__main__":
    uvloop.run(main(Job(**json.loads(sys.stdin.readline()))))
