"""Reads that may take long: few at a time, kept for seconds, and counted as several."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from app.core.database import raw_connection
from tests.access_helpers import closed

USERS = "/api/users"


async def veteran(worker) -> int:
    (ada,) = await worker.add_players(1)
    for score in (1, 2, 3):
        await worker.submit(ada, score)
    return ada


def count(monkeypatch, thing: object, name: str) -> list[None]:
    """A list that grows with every call."""
    calls, real = [], getattr(thing, name)

    async def counted(*args, **options):
        calls.append(None)
        return await real(*args, **options)

    monkeypatch.setattr(thing, name, counted)
    return calls


async def test_graphs_asked_for_at_once_are_drawn_once(worker, monkeypatch):
    ada = await veteran(worker)
    drawn = count(monkeypatch, worker.service.histories, "_past")

    async def total() -> int:
        answer = await worker.client.get(f"{USERS}/{ada}/history")
        return answer.json()["points"][-1]["total_score"]

    assert await asyncio.gather(*(total() for _ in range(10))) == [6] * 10
    assert len(drawn) == 1
    # The player's own new score is there at once, in the last point and before it.
    await worker.submit(ada, 4)
    assert await total() == 10
    assert len(drawn) == 2


async def test_older_pages_are_read_once_and_the_newest_always(worker, monkeypatch):
    ada = await veteran(worker)
    read = count(monkeypatch, worker.service.sessions, "_read")
    url = f"{USERS}/{ada}/sessions"
    first = (await worker.client.get(url, params={"limit": 1})).json()
    older = {"limit": 1, "cursor": first["next_cursor"]}
    pages = await asyncio.gather(*(worker.client.get(url, params=older) for _ in range(5)))
    assert {page.json()["sessions"][0]["score"] for page in pages} == {2}
    assert len(read) == 2
    await worker.submit(ada, 9)
    newest = (await worker.client.get(url, params={"limit": 1})).json()
    assert newest["sessions"][0]["score"] == 9


async def test_they_take_no_connection_from_the_writer(sandbox):
    async with sandbox.worker(database_timeout=1.0) as worker:
        ada = await veteran(worker)
        async with AsyncExitStack() as stack:
            for _ in range(2):
                await stack.enter_async_context(raw_connection(worker.service.sessions._engine))
            paths = ("history", "sessions", "export")
            waiting = [
                asyncio.create_task(worker.client.get(f"{USERS}/{ada}/{path}")) for path in paths
            ]
            waiting.append(asyncio.create_task(worker.client.get(f"{USERS}?search=player")))
            for score in range(20):
                assert (await worker.submit(ada, score)).status_code == 200
            assert (await worker.client.get(f"{USERS}/{ada}")).status_code == 200
            answers = await asyncio.gather(*waiting)
            assert [answer.status_code for answer in answers] == [503] * 4
        assert (await worker.client.get(f"{USERS}/{ada}/history")).status_code == 200


@pytest.mark.parametrize(
    ("path", "cost"),
    [("", 1), ("/sessions", 2), ("/history", 5), ("/export", 20)],
)
async def test_they_count_as_several(sandbox, path, cost):
    async with closed(sandbox, rate_limits=True, limit_player_reads=400) as there:
        await there.ask("admin", "POST", "/api/leaderboard/submit", json={"user_id": 1, "score": 1})

        async def remaining(path: str) -> int:
            answer = await there.ask("own", "GET", f"{USERS}/{there.player}{path}")
            assert answer.status_code == 200, answer.text
            return int(answer.headers["ratelimit"].partition("r=")[2].partition(";")[0])

        before = await remaining("")
        # Some flow in meanwhile.
        assert cost - 1 <= before - await remaining(path) <= cost


async def test_what_costs_more_than_a_limit_allows_at_once_can_be_paid_for(sandbox):
    async with closed(sandbox, rate_limits=True, limit_player_reads=4) as there:
        url = f"{USERS}/{there.player}/export"
        assert (await there.ask("own", "GET", url)).status_code == 200
        assert (await there.ask("own", "GET", url)).status_code == 429
