"""Samples: what is in them, the ranks that they tell, when they are taken and how they thin out."""

import asyncio
import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.services import sampler
from app.services.fold import Fold
from app.services.rank_index.index import IndexAway
from app.services.rank_index.keys import encode_member
from app.services.rank_index.windows import RankSpan
from app.services.samples import BEST, FURTHER, Sample, count_members, pack, unpack

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def make_order(players: int, dice: random.Random, spread: int, *, descending: bool) -> list[bytes]:
    """The members of a board, best first."""
    return sorted(
        encode_member(
            Fold(user_id, dice.randint(-spread, spread), dice.randint(1, 10**9), NOW, 0),
            descending=descending,
        )
        for user_id in range(1, players + 1)
    )


def sample_of(order: list[bytes]) -> Sample:
    """As it is taken from the index."""
    further = [order[rank - 1] for rank in FURTHER if rank < len(order)]
    last = order[-1:] if len(order) > BEST else []
    return Sample(len(order), b"".join([*order[:BEST], *further, *last]))


@pytest.mark.parametrize("players", [1, 2, 999, 1_000, 1_001, 1_005, 1_006, 9_999, 10**6, 10**9])
def test_which_ranks_are_in_a_sample(players):
    sample = Sample(players, b"\0" * 20 * count_members(players))
    ranks = [sample.rank_at(at) for at in range(len(sample))]
    assert ranks[:BEST] == list(range(1, min(players, BEST) + 1))
    assert ranks[-1] == players
    for above, below in pairwise(ranks):
        assert above < below
        assert below == above + 1 or (below - above) * 200 <= above
    assert len(sample) <= 4_000


@settings(deadline=None, max_examples=25)
@given(
    players=st.integers(1, 6_000),
    spread=st.sampled_from([0, 3, 1_000, 10**9]),
    seed=st.integers(),
    descending=st.booleans(),
)
def test_the_rank_of_everybody(players, spread, seed, descending):
    order = make_order(players, random.Random(seed), spread, descending=descending)
    sample = sample_of(order)
    sampled = {sample.rank_at(at) for at in range(len(sample))}
    for rank, member in enumerate(order, 1):
        told, exact = sample.rank_of(member)
        assert exact is (rank in sampled)
        assert told == rank if exact else abs(told - rank) < max(1, rank * 0.005)


def test_the_rank_of_who_was_not_there_yet():
    for players in (1, 500, 1_000, 1_200, 5_000):
        order = make_order(players, random.Random(1), 100, descending=True)
        sample = sample_of(order)
        for total in (-(10**6), -50, 0, 50, 10**6):
            member = encode_member(Fold(10**6, total, 10**9 + 1, NOW, 0), descending=True)
            above = sum(each < member for each in order)
            told, exact = sample.rank_of(member)
            assert exact is False
            assert 1 <= told <= players
            assert abs(told - above) <= 1 + above * 0.005


def test_packing():
    for players in (1, 1_000, 3_000):
        members = b"".join(make_order(players, random.Random(2), 10**6, descending=True))
        members = members[: 20 * count_members(players)]
        packed = pack(members)
        sample = unpack(players, packed)
        assert b"".join(sample[at] for at in range(len(sample))) == members
        assert len(packed) < max(40, len(members) * 0.6)
        for wrong in (players * 2, players // 2):
            with pytest.raises(ValueError, match="layout"):
                unpack(wrong, packed)


# Taking them


@pytest.fixture
async def quiet(sandbox):
    """A worker that takes a sample only when it is told to."""
    async with sandbox.worker(sample_interval=3_600) as worker:
        yield worker


async def stored(sandbox) -> list:
    connection = await sandbox.connect()
    rows = await connection.fetch("SELECT * FROM standings_samples ORDER BY at")
    await connection.close()
    return rows


async def test_a_sample_when_the_board_changed(sandbox, quiet):
    taker, players = quiet.service.samplers[0], await quiet.add_players(3)
    assert await taker.sample() is False
    for count, player in enumerate(players, 1):
        await quiet.submit(player, 10)
        assert await taker.sample() is True
        assert await taker.sample() is False
        row = (await stored(sandbox))[-1]
        rank = await quiet.rank(player)
        assert (row["version"], row["players"]) == (rank["version"], count)
        sample = unpack(row["players"], row["members"])
        window = await quiet.standings.index.window(0, 100)
        assert [sample[at] for at in range(len(sample))] == window.members
    for player in players:
        await quiet.client.patch(f"/api/users/{player}", json={"is_active": False})
    assert await taker.sample() is False
    assert len(await stored(sandbox)) == 3


async def test_a_sample_of_a_larger_board(sandbox, quiet):
    count = BEST + 300
    connection = await sandbox.connect()
    await connection.execute(
        f"INSERT INTO users (username) SELECT 'p' || n FROM generate_series(1, {count}) n"
    )
    await connection.close()
    for first in range(1, count + 1, 650):
        body = [{"user_id": each, "score": each * 7 % 500} for each in range(first, first + 650)]
        await quiet.client.post("/api/leaderboard/submit/batch", json={"submissions": body})
    await quiet.service.samplers[0].sample()
    (row,) = await stored(sandbox)
    sample = unpack(row["players"], row["members"])
    ranks = [sample.rank_at(at) for at in range(len(sample))]
    assert ranks[-1] == count
    windows = await quiet.standings.index.windows([RankSpan(rank - 1, rank - 1) for rank in ranks])
    assert [sample[at] for at in range(len(sample))] == [each.members[0] for each in windows]


async def test_without_the_index_there_is_no_sample(sandbox, quiet):
    (ada,) = await quiet.add_players(1)
    await quiet.submit(ada, 1)
    quiet.standings.index.distrust("test")
    with pytest.raises(IndexAway):
        await quiet.service.samplers[0].sample()
    assert await stored(sandbox) == []


async def test_one_worker_samples_and_outlives_a_lost_index(sandbox):
    async with sandbox.worker(sample_interval=0.4) as one, sandbox.worker(sample_interval=0.4):
        (ada,) = await one.add_players(1)
        began = asyncio.get_running_loop().time()
        while asyncio.get_running_loop().time() < began + 1.6:
            await one.submit(ada, 1)
            await asyncio.sleep(0.01)
        took = asyncio.get_running_loop().time() - began
        assert 2 <= len(await stored(sandbox)) <= 1 + took / 0.4
        before = await stored(sandbox)
        sandbox.forget_index()
        async with asyncio.timeout(10):
            while len(await stored(sandbox)) < len(before) + 2:
                await one.submit(ada, 1)
                await asyncio.sleep(0.02)


# Thinning out

INSERT = """
INSERT INTO standings_samples (board_id, season, at, version, players, members)
SELECT $1, 1, at, 1, 1, '' FROM unnest($2::timestamptz[]) AS at
"""
BANDS = (
    (timedelta(minutes=15), timedelta(seconds=20)),
    (timedelta(hours=3), timedelta(minutes=2)),
    (timedelta(days=3), timedelta(hours=1)),
    (timedelta(days=3_650), timedelta(days=1)),
)


async def test_samples_thin_out_as_they_age(sandbox):
    """Five days of a board that never rests, a quarter of an hour at a time."""
    connection = await sandbox.connect()
    other = await connection.fetchval(
        "INSERT INTO boards (slug, name) VALUES ('other', 'Other') RETURNING id"
    )
    now, step = NOW + timedelta(seconds=7), timedelta(minutes=15)
    thin = sampler._THIN.replace("now()", "$3::timestamptz")
    await connection.execute(INSERT, other, [now + each * step / 10 for each in range(100)])
    counts = []
    for _ in range(5 * 96):
        taken = [now + each * timedelta(seconds=20) for each in range(1, 46)]
        now += step
        await connection.execute(INSERT, 1, taken)
        await connection.execute(thin, 1, 1, now)
        counts.append(await connection.fetchval("SELECT count(*) FROM standings_samples"))
    rows = await connection.fetch("SELECT at FROM standings_samples WHERE board_id = 1 ORDER BY at")
    times = [row["at"] for row in rows]
    assert max(counts) - 100 <= 205
    assert times[0] == NOW + timedelta(seconds=27)
    assert times[-45:] == taken
    # Nowhere is a gap larger than the slots of that age, borders between two ages aside.
    younger = timedelta(0)
    for oldest, slot in BANDS:
        band = [each for each in times if younger < now - each <= oldest]
        for earlier, later in pairwise(band):
            assert later - earlier <= slot + timedelta(seconds=20)
        younger = oldest
    await connection.execute(thin, 1, 1, now)
    assert await connection.fetchval("SELECT count(*) FROM standings_samples") == counts[-1]
    await connection.close()
