"""Requests at a steady pace over a few connections, whether the last answer came late or not."""

import asyncio
import random
import socket
import time

from benchmarks.polite import Client

CONNECTIONS = 8
GRACE = 30.0


class Pace:
    """So many of these requests a second; each time is counted from when the request was due."""

    def __init__(self, requests: list[bytes], per_second: float) -> None:
        self.requests = requests
        self.per_second = per_second
        self.clients: list[Client] = []
        self.answered = 0

    @property
    def failed(self) -> int:
        """Answers other than 200, and requests without an answer."""
        return sum(client.failed for client in self.clients)

    def drain(self) -> list[float]:
        """Seconds of all answers since the last call."""
        times = [took for client in self.clients for _, took in client.times]
        for client in self.clients:
            client.times.clear()
        self.answered += len(times)
        return times


async def keep_asking(port: int, pace: Pace, until: float) -> None:
    """Asks until then (by `time.perf_counter`), and waits for the last answers."""
    loop = asyncio.get_running_loop()
    for _ in range(CONNECTIONS):
        connection = socket.create_connection(("127.0.0.1", port))
        connection.setblocking(False)
        _, client = await loop.create_connection(Client, sock=connection)
        pace.clients.append(client)
    due = time.perf_counter()
    at = 0
    while due < until:
        await asyncio.sleep(due - time.perf_counter())
        pace.clients[at % CONNECTIONS].ask(random.choice(pace.requests), due)
        at += 1
        due += 1 / pace.per_second
    async with asyncio.timeout(GRACE):
        while any(client.due for client in pace.clients):  # noqa: ASYNC110 - once, at the end
            await asyncio.sleep(0.01)
    pace.drain()
    for client in pace.clients:
        client.transport.close()
