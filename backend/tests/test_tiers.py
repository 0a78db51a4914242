"""Tiers: where each one ends is what every player's own tier says, at any number of players."""

import asyncio
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.config import Settings
from app.services import tiers
from app.services.standings import Standings, percentile
from app.services.tiers import last_ranks
from tests.conftest import Worker

TIERS = Settings(_env_file=None).tiers
URL = "/api/leaderboard/tiers"


def tier_of(rank: int, total: int, ladder) -> str:
    """As the answer to a player's rank tells it."""
    return Standings.tier(SimpleNamespace(_tiers=ladder), percentile(rank, total))


def by_table(rank: int, ranks: list[int], ladder) -> str:
    """As a client finds it: the first tier that goes so far down."""
    return next(name for (name, _), last in zip(ladder, ranks, strict=True) if rank <= last)


def agree(total: int, ladder, ranks_looked_at) -> None:
    ranks = last_ranks([cut for _, cut in ladder], total)
    assert ranks == sorted(ranks)
    assert ranks[-1] == total
    for rank in ranks_looked_at:
        assert by_table(rank, ranks, ladder) == tier_of(rank, total, ladder), (rank, total)


def test_every_rank_of_every_small_board():
    for total in range(301):
        agree(total, TIERS, range(1, total + 1))


CUTS = st.floats(0, 101) | st.sampled_from([0.0, 33.33, 50.0, 66.67, 99.99, 100.0])


@given(
    total=st.integers(1, 10**7),
    cuts=st.lists(CUTS, min_size=1, max_size=7),
    in_order=st.booleans(),
    others=st.lists(st.integers(1, 10**7), max_size=5),
)
def test_both_sides_of_every_cut(total, cuts, in_order, others):
    """Of any tiers, also of some that nobody can be in."""
    ladder = [
        (str(number), cut)
        for number, cut in enumerate(sorted(cuts, reverse=True) if in_order else cuts)
    ]
    ends = last_ranks([cut for _, cut in ladder], total)
    near = {end + step for end in ends for step in (-1, 0, 1)} | {1, total} | set(others)
    agree(total, ladder, [rank for rank in near if 1 <= rank <= total])


async def get(worker: Worker) -> dict:
    answer = await worker.client.get(URL)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "private, max-age=1"
    return {**answer.json(), "source": answer.headers["leaderboard-source"]}


@pytest.fixture
def never_old(monkeypatch):
    """Every question is a look of its own."""
    monkeypatch.setattr(tiers, "MAX_AGE", 0)
    monkeypatch.setattr(tiers, "DEAR", 0)


async def check(worker: Worker, players: list[int], source: str) -> dict:
    """Against what each player's own rank says."""
    if source == "database":
        worker.standings.index.distrust("test")
    answer = await get(worker)
    assert answer["source"] == source
    assert (answer["board"], answer["season"]) == ("global", 1)
    assert answer["total_players"] == len(players)
    told = [await worker.rank(player) for player in players]
    for tier, (name, cut) in zip(answer["tiers"], TIERS, strict=True):
        inside = [each for each in told if each["tier"] == name]
        assert (tier["name"], tier["percentile"]) == (name, cut)
        assert tier["players"] == len(inside)
        if inside:
            last = max(inside, key=lambda each: each["rank"])
            assert (tier["rank"], tier["score"]) == (last["rank"], last["score"])
        else:
            assert tier["score"] is None
    return answer


async def test_as_the_players_own_ranks_say(worker, never_old):
    players = await worker.add_players(23)
    empty = await check(worker, [], "index")
    assert [(each["rank"], each["players"]) for each in empty["tiers"]] == [(0, 0)] * 5
    versions = [empty["version"]]
    for count in (1, 2, 3, 10, 23):
        body = [{"user_id": each, "score": each * 3 % 10} for each in players[:count]]
        await worker.client.post("/api/leaderboard/submit/batch", json={"submissions": body})
        by_index = await check(worker, players[:count], "index")
        by_sql = await check(worker, players[:count], "database")
        assert by_sql["tiers"] == by_index["tiers"]
        versions.append(by_index["version"])
        await worker.ready()
    assert versions == sorted(set(versions))
    worker.standings.index.distrust("test")
    await worker.client.patch(f"/api/users/{players[0]}", json={"is_active": False})
    await worker.ready()
    await check(worker, players[1:], "index")


async def test_a_number_of_players_that_is_not_the_one_reckoned_with(worker, never_old):
    players = await worker.add_players(7)
    for each in players:
        await worker.submit(each, each)
    for known in (0, 3, 1_000_000):
        worker.standings.follower.players = known
        await check(worker, players, "index")


async def test_many_askers_cost_one_look(worker, monkeypatch):
    looks = 0
    windows = worker.standings.index.windows

    async def counted(wanted):
        nonlocal looks
        looks += 1
        return await windows(wanted)

    monkeypatch.setattr(worker.standings.index, "windows", counted)
    monkeypatch.setattr(tiers, "MAX_AGE", 0.3)
    (ada,) = await worker.add_players(1)
    first, *others = await asyncio.gather(*(get(worker) for _ in range(50)))
    assert all(other == first for other in others)
    assert looks == 1
    await worker.submit(ada, 1)
    assert (await get(worker))["total_players"] == 0
    await asyncio.sleep(0.31)
    assert (await get(worker))["total_players"] == 1


async def test_a_failed_look_is_not_kept(worker, monkeypatch):
    ladder = worker.service.tiers._by_key[worker.standings.board.key]
    sql = ladder._sql

    class Broken:
        async def scores_at(self, ranks):
            raise OSError("no route to the database")

    worker.standings.index.distrust("test")
    ladder._sql = Broken()
    answers = await asyncio.gather(*(worker.client.get(URL) for _ in range(3)))
    assert {(each.status_code, each.json()["code"]) for each in answers} == {
        (503, "database-unavailable")
    }
    ladder._sql = sql
    assert (await get(worker))["total_players"] == 0
