"""`leaderboard serve` on its way out: sockets are let go evenly, and no request is cut off."""

import asyncio
import json
import os
import signal
import sys
import time
from contextlib import AsyncExitStack

import httpx
import pytest
from cli_helpers import Service, eventually, living, ours, workers
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

SOCKETS = 40
CALLERS = 400
"""So many that some have always connected and are not yet taken by a worker."""


@pytest.fixture(params=[1, 2], ids=["alone", "two workers"])
def count(request):
    return request.param


def serving(data, count, per_second, seconds=20):
    return Service(
        data,
        "--workers",
        str(count),
        LOG_LEVEL="info",
        DRAIN_SOCKETS_PER_SECOND=str(per_second),
        DRAIN_SECONDS=str(seconds),
    )


class Sockets:
    """Spectators; when and with which code each was closed."""

    def __init__(self, url):
        self.place = url.replace("http", "ws") + "/ws/leaderboard"
        self.closed = []
        self._stack = AsyncExitStack()

    async def open(self, number=SOCKETS):
        opened = [await self._stack.enter_async_context(connect(self.place)) for _ in range(number)]
        for each in opened:
            await each.recv()
        self._waiting = [asyncio.create_task(self._wait(each)) for each in opened]

    async def _wait(self, socket):
        await socket.wait_closed()
        self.closed.append((time.monotonic(), socket.close_code, socket.close_reason))

    async def all_closed(self, within=20):
        async with asyncio.timeout(within):
            await asyncio.gather(*self._waiting)

    @property
    def seconds(self):
        times = [at for at, _, _ in self.closed]
        return max(times) - min(times)

    def most_within(self, seconds):
        times = sorted(at for at, _, _ in self.closed)
        return max(sum(at <= other < at + seconds for other in times) for at in times)


async def ended(service):
    """The exit code."""
    return await asyncio.to_thread(service.process.wait, 40)


async def test_sockets_go_one_by_one_and_requests_go_on(data, count):
    with serving(data, count, 20) as service:
        sockets = Sockets(service.url)
        await sockets.open()
        async with httpx.AsyncClient(base_url=service.url) as client:
            player = (await client.post("/api/users", json={"username": "Nova"})).json()["user_id"]
            service.process.send_signal(signal.SIGTERM)
            await asyncio.sleep(0.7)
            for _ in range(10):
                ready = await client.get("/api/ready")
                assert (ready.status_code, ready.json()["reason"]) == (503, "draining")
                with pytest.raises(InvalidStatus) as refused:
                    await connect(sockets.place)
                assert refused.value.response.status_code == 503
                assert "retry-after" in refused.value.response.headers
                body = {"user_id": player, "score": 1}
                sent = await client.post("/api/leaderboard/submit", json=body)
                assert sent.status_code == 200
                # So that nobody asks over a connection that is closed at the end.
                assert sent.headers["connection"] == "close"
            assert len(sockets.closed) < SOCKETS
            await sockets.all_closed()
        assert {(code, why) for _, code, why in sockets.closed} == {(1012, "restarting")}
        assert await ended(service) == 0, service.said()
        told = [json.loads(line) for line in service.said().splitlines()]
        assert sum(each["sockets"] for each in told if each["event"] == "draining") == SOCKETS
        assert sum(each["left"] for each in told if each["event"] == "drained") == 0
    assert 1.2 < sockets.seconds < 5
    assert sockets.most_within(0.5) <= 16


async def test_more_a_second_where_there_is_no_time(data, count):
    with serving(data, count, 1, 1) as service:
        sockets = Sockets(service.url)
        await sockets.open()
        service.process.send_signal(signal.SIGTERM)
        await sockets.all_closed()
        assert await ended(service) == 0, service.said()
    assert 0.5 < sockets.seconds < 3


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGHUP])
async def test_at_the_second_signal_it_stops(data, count, first):
    with serving(data, count, 1) as service:
        sockets = Sockets(service.url)
        await sockets.open()
        started = ours(service.pid)
        os.killpg(service.pid, first)  # as a terminal does: to all
        await asyncio.sleep(1.5)
        assert 0 < len(sockets.closed) < 10, service.said()
        service.process.send_signal(signal.SIGTERM)
        await sockets.all_closed(within=5)
        assert {code for _, code, _ in sockets.closed} == {1012}
        assert await ended(service) == 0, service.said()
        assert "Traceback" not in service.said()
        assert not any(map(living, started))


async def test_a_worker_that_dies_meanwhile_holds_nobody(data):
    with serving(data, 2, 40) as service:
        sockets = Sockets(service.url)
        await sockets.open()
        first, _ = workers(service.pid)
        service.process.send_signal(signal.SIGTERM)
        assert eventually(lambda: '"draining"' in service.said())
        os.kill(first, signal.SIGKILL)
        await sockets.all_closed()
        assert {code for _, code, _ in sockets.closed} <= {1006, 1012}
        assert await ended(service) == 0, service.said()
        assert "worker replaced" not in service.said()


async def ask(host, port, answered, cut):
    """One request over a connection of its own, again and again until none can be had."""
    while True:
        try:
            async with asyncio.timeout(1.5):
                reader, writer = await asyncio.open_connection(host, port)
        except (OSError, TimeoutError):
            return
        try:
            writer.write(b"GET /api/leaderboard/top HTTP/1.1\r\nhost: localhost\r\n\r\n")
            status = await reader.readline()
        except OSError as error:
            cut.append(error)
        else:
            (answered if status.startswith(b"HTTP/1.1 200") else cut).append(status)
        writer.close()


@pytest.mark.skipif(sys.platform != "linux", reason="a listener is made deaf on Linux alone")
async def test_whoever_was_let_in_is_answered(data, count):
    with Service(data, "--workers", str(count)) as service:
        host, port = service.url.removeprefix("http://").split(":")
        answered, cut = [], []
        asking = [asyncio.create_task(ask(host, port, answered, cut)) for _ in range(CALLERS)]
        await asyncio.sleep(1)
        before = len(answered)
        service.process.send_signal(signal.SIGTERM)
        await asyncio.gather(*asking)
        assert cut == []
        assert len(answered) > before > CALLERS
        assert await ended(service) == 0, service.said()
