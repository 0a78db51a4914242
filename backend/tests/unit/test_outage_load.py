"""The load of `scripts/outage` keeps its pace, whatever its requests or its process wait for."""

import asyncio
import time
from contextlib import asynccontextmanager

import pytest

from app.websocket import frames
from benchmarks.outage import Answer, GapWatcher, Load, Outage

REQUEST = b"GET / HTTP/1.1\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
PER_SECOND = 400.0
SECONDS = 1.0


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.read(1_000):
        writer.write(ANSWER)
    writer.close()


@asynccontextmanager
async def loaded():
    """A load that runs for a while against a server that answers at once."""
    server = await asyncio.start_server(_answer, "127.0.0.1", 0)
    async with server:
        load = Load(server.sockets[0].getsockname()[1])
        task = asyncio.create_task(load.run("read", [REQUEST], PER_SECOND))
        yield load
        load.stopped = True
        await task
        async with asyncio.timeout(5):
            while len(load.answers) < load.asked:
                await asyncio.sleep(0.01)
        for call in load.idle:
            call.transport.close()


async def test_a_busy_process_keeps_the_pace():
    """Turns of the event loop that take 10 ms do not make it one request a turn."""
    async with loaded() as load:
        until = time.perf_counter() + SECONDS
        while time.perf_counter() < until:
            time.sleep(0.01)  # noqa: ASYNC251 - that is the point
            await asyncio.sleep(0)
        asked = load.asked
    assert asked > 0.8 * PER_SECOND * SECONDS


async def test_a_connection_that_takes_long_keeps_no_other_request_waiting(monkeypatch):
    loop = asyncio.get_running_loop()
    connect = loop.create_connection
    slow = [0.5]

    async def create_connection(*args, **kwargs):
        await asyncio.sleep(slow.pop() if slow else 0)
        return await connect(*args, **kwargs)

    monkeypatch.setattr(loop, "create_connection", create_connection)
    async with loaded() as load:
        await asyncio.sleep(0.4)
        answered = len(load.answers)
    assert answered > 0.5 * 0.4 * PER_SECOND
    assert max(each.took for each in load.answers) > 0.5


async def test_what_the_load_generator_was_late_is_told_apart():
    async with loaded() as load:
        await asyncio.sleep(0.1)
        time.sleep(0.4)  # noqa: ASYNC251 - that is the point
        await asyncio.sleep(0.1)
    assert max(each.late for each in load.answers) == pytest.approx(0.4, abs=0.1)


async def test_a_refused_connection_is_an_answer_of_its_own():
    load = Load(1)
    task = asyncio.create_task(load.run("read", [REQUEST], 50.0))
    await asyncio.sleep(0.1)
    load.stopped = True
    await task
    await asyncio.sleep(0.05)
    assert load.asked == len(load.answers)
    assert {each.status for each in load.answers} == {0}


def test_a_stall_is_told_also_if_it_only_kept_an_answer_from_being_read():
    """The answer to what was due in the outage lay unread while what came after it was late."""

    def answer(at: float, late: float, took: float) -> Answer:
        return Answer("score", at, late, took, 200, has_retry_after=False, is_from_index=True)

    outage = Outage(killed_at=10.0, loaded_after=1.0, trusted_after=2.0)
    unread = answer(11.9, 0.0, 1.2)
    outage.take([answer(9.0, 3.0, 0.1), unread, answer(12.3, 0.8, 0.1), answer(14.0, 2.0, 0.1)])
    assert outage.answers == [unread]
    assert outage.late == 0.8


def test_a_watcher_sees_a_gap_from_the_heads_of_frames_alone():
    watcher = GapWatcher("/ws/leaderboard/1")
    rest = b',"entries":[...]'  # no JSON: nobody has the time to parse 280 snapshots at once
    for head in (
        b'{"type":"snapshot","seq":5,"epoch":"a"',
        b'{"type":"update","seq":7,"prev":5',
        b'{"type":"rank","seq":9,"rank":1',
        b'{"type":"update","seq":9,"prev":6',
    ):
        watcher._take(1, head + rest)
    assert watcher.gaps == 0
    watcher._take(
        1,
        frames.update(seq=12, prev=11, total_players=1, version=1, entries=b"", moved=[], left=[]),
    )
    assert watcher.gaps == 1
