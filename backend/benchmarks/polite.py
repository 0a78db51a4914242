"""Well-behaved clients, a process of its own: `python -m benchmarks.polite JOB`, a result as JSON.

An open loop: each client asks at its own steady pace, whether the last answer came late or not,
and a time counts from when the request was due. Each has an address of its own.
"""

import asyncio
import gc
import json
import random
import socket
import sys
import time
from collections import deque
from dataclasses import asdict, dataclass
from typing import cast

import uvloop

from benchmarks.payloads import prepare
from benchmarks.stats import WARM_UP, Result, summarise

GRACE = 10.0


@dataclass(frozen=True, slots=True)
class Job:
    """`readers` ask for ranks and top pages without a credential, `writers` send scores with a
    key; each of them so many times a second."""

    port: int
    players: int
    seconds: float
    credential: str
    readers: int = 36
    writers: int = 4
    per_second: float = 12.0


class Client(asyncio.Protocol):
    """One connection and what it waits for, in order."""

    def __init__(self) -> None:
        self.due: deque[float] = deque()
        self.times: list[tuple[float, float]] = []
        self.failed = 0
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def ask(self, request: bytes, due: float) -> None:
        self.due.append(due)
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        data = self._rest + data
        while (head := data.find(b"\r\n\r\n") + 4) > 3:
            at = data.index(b"content-length: ") + 16
            size = head + int(data[at : data.index(b"\r", at)])
            if len(data) < size:
                break
            due = self.due.popleft()
            self.times.append((due, time.perf_counter() - due))
            self.failed += not data.startswith(b"HTTP/1.1 200")
            data = data[size:]
        self._rest = data

    def connection_lost(self, _: Exception | None) -> None:
        self.failed += len(self.due)
        self.due.clear()


async def _run_client(client: Client, requests: list[bytes], pace: float, until: float) -> None:
    due = time.perf_counter() + random.random() * pace
    while due < until:
        await asyncio.sleep(due - time.perf_counter())
        client.ask(random.choice(requests), due)
        due += pace


async def run_polite(job: Job) -> Result:
    """All clients for so many seconds; each time is counted from when its request was due."""
    loop = asyncio.get_running_loop()
    reads = prepare("rank", job.players) + prepare("top", job.players)
    writes = prepare("submit", job.players, credential=job.credential)
    clients = []
    for number in range(job.readers + job.writers):
        connection = socket.create_connection(
            ("127.0.0.1", job.port), source_address=(f"127.0.2.{number + 1}", 0)
        )
        connection.setblocking(False)
        _, client = await loop.create_connection(Client, sock=connection)
        clients.append(client)
    gc.disable()
    started = time.perf_counter()
    until = started + job.seconds
    await asyncio.gather(
        *(
            _run_client(client, reads if at < job.readers else writes, 1 / job.per_second, until)
            for at, client in enumerate(clients)
        )
    )
    async with asyncio.timeout(GRACE):
        while any(client.due for client in clients):  # noqa: ASYNC110 - at the end of a run
            await asyncio.sleep(0.01)
    counted_from = started + job.seconds * WARM_UP
    times = [took for each in clients for due, took in each.times if due >= counted_from]
    answered = sum(len(each.times) for each in clients)
    failed = sum(each.failed for each in clients)
    for client in clients:
        client.transport.close()
    return summarise(times, len(times) / (until - counted_from), answered - failed, failed)


if __name__ == "__main__":
    print(json.dumps(asdict(uvloop.run(run_polite(Job(**json.loads(sys.argv[1])))))))
