"""Standings without the index: exact, shared, and bounded so that nothing else waits for them."""

import asyncio
import random
import time
from contextlib import asynccontextmanager

import pytest

from app.core.errors import NotRanked
from app.services import sql_standings
from app.services.boards import BoardSeason
from app.services.rank_index.index import IndexAway
from app.services.sql_standings import PageAt, SqlStandings
from tests.index_helpers import add_players, be_patient, folds_of, parts, play

NO_REDIS = "redis://127.0.0.1:1/0"


class CountedPasses:
    """Counts how often a worker's slow lane is used."""

    def __init__(self, lane) -> None:
        self.count = 0
        self._snapshot = lane.snapshot
        lane.snapshot = self._counted

    @asynccontextmanager
    async def _counted(self):
        self.count += 1
        async with self._snapshot() as connection:
            yield connection


@asynccontextmanager
async def leaderboard_locked(sandbox):
    """Whatever reads the table waits."""
    connection = await sandbox.connect()
    try:
        async with connection.transaction():
            await connection.execute("LOCK TABLE leaderboard IN ACCESS EXCLUSIVE MODE")
            yield
    finally:
        await connection.close()


@pytest.mark.parametrize("order", ["desc", "asc"])
async def test_ranks_and_pages_are_those_of_a_full_sort(sandbox, monkeypatch, order):
    be_patient(monkeypatch)
    rng = random.Random(order)
    connection = await sandbox.connect()
    players = await add_players(connection, 300)
    events = rng.sample(range(1, 10_000), len(players))
    rows = [
        (player, rng.choice([-3, 0, 1, 1, 2, 2**53 - 1, 1 - 2**53]), event, rng.random() < 0.9)
        for player, event in zip(players, events, strict=True)
    ]
    await connection.executemany(
        "INSERT INTO leaderboard (board_id, season, user_id, total_score, achieved_id, "
        "achieved_at, version, games_played, decided, wins, is_active) "
        "VALUES (1, 1, $1, $2, $3, now(), $3, 1, 0, 0, $4)",
        rows,
    )
    await connection.close()
    ranked = sorted(
        (row for row in rows if row[3]),
        key=lambda row: (row[1] if order == "asc" else -row[1], row[2]),
    )
    expected = {row[0]: (rank, row[1]) for rank, row in enumerate(ranked, 1)}
    async with parts(sandbox) as own:
        sql = SqlStandings(
            own.engine, own.lane, BoardSeason(1, "global", 1, descending=order == "desc")
        )
        for asked in (players, players[:1], players[5:9], [10**9]):
            found = await sql.ranks(asked)
            assert found.totals.players == len(ranked)
            assert found.by_player == {
                player: expected[player] for player in asked if player in expected
            }
        page = await sql.page(20, 250)
        assert [fold.user_id for fold, _ in page.folds] == [row[0] for row in ranked[250:270]]
        assert page.totals.players == len(ranked)


async def test_callers_who_wait_share_one_pass(sandbox, monkeypatch):
    be_patient(monkeypatch)
    connection = await sandbox.connect()
    players = await add_players(connection, 40)
    for number, player in enumerate(players):
        await play(connection, player, number)
    await connection.close()
    async with parts(sandbox) as own:
        passes = CountedPasses(own.lane)
        ranks = await asyncio.gather(*(own.standings.rank(player) for player in players))
        assert [each.rank for each in ranks] == list(range(40, 0, -1))
        assert passes.count <= 2
        passes.count = 0
        pages = await asyncio.gather(*(own.standings.top(10, 5) for _ in range(40)))
        assert len({page.body for page in pages}) == 1
        assert passes.count <= 2


async def test_nobody_counts_for_a_player_who_cannot_have_a_rank(sandbox):
    connection = await sandbox.connect()
    fresh, gone = await add_players(connection, 2)
    await play(connection, gone, 5)
    await connection.execute("UPDATE leaderboard SET is_active = false")
    await connection.close()
    async with parts(sandbox) as own:
        passes = CountedPasses(own.lane)
        for player in (fresh, gone):
            with pytest.raises(NotRanked):
                await own.standings.rank(player)
        assert passes.count == 0


async def test_a_pass_is_followed_by_a_rest(sandbox):
    async with parts(sandbox) as own:
        async with own.lane.snapshot() as connection:
            await connection.execute("SELECT pg_sleep(0.2)")
        ended = time.monotonic()
        async with own.lane.snapshot():
            assert time.monotonic() - ended >= 0.09


async def test_reads_answer_503_within_two_seconds_when_postgresql_is_too_slow(sandbox):
    async with sandbox.worker(redis_url=NO_REDIS, wait=False) as worker:
        (ada,) = await worker.add_players(1)
        assert (await worker.submit(ada, 5)).status_code == 200
        paths = ("top", f"rank/{ada}", f"around/{ada}")
        async with leaderboard_locked(sandbox):
            began = time.monotonic()
            answers = await asyncio.gather(
                *(worker.client.get(f"/api/leaderboard/{path}") for path in paths * 5)
            )
            assert time.monotonic() - began < 2.5
        for answer in answers:
            assert answer.status_code == 503
            assert "retry-after" in answer.headers
        for path in paths:
            assert (await worker.client.get(f"/api/leaderboard/{path}")).status_code == 200


async def test_a_far_page_that_takes_too_long_fails_alone(sandbox, monkeypatch):
    """Pages share a pass, nearest first: what is too far down costs the others nothing."""
    async with parts(sandbox) as own:
        own.sql._page = (
            "SELECT 'name' AS username, pg_sleep($4::float8) "
            "WHERE ($1::int, $2::int) = (1, 1) AND $3::bigint IS NOT NULL"
        )
        monkeypatch.setattr(sql_standings, "STATEMENT_SECONDS", 0.3)
        monkeypatch.setattr(sql_standings, "to_fold", lambda row: row)
        (found, _) = await own.sql._run_pass([PageAt(0, 5), PageAt(0, 0)])
        assert list(found.pages) == [PageAt(0, 0)]


async def test_a_submission_does_not_wait_for_a_rank_that_takes_long(sandbox, monkeypatch):
    connection = await sandbox.connect()
    (ada,) = await add_players(connection, 1)
    await play(connection, ada, 5)
    await connection.close()
    async with parts(sandbox) as own:
        async with leaderboard_locked(sandbox):
            began = time.monotonic()
            assert await own.standings.ranks_by_sql([ada]) is None
            assert time.monotonic() - began < 1
            # Those after it do not wait in the same queue.
            began = time.monotonic()
            assert await own.standings.ranks_by_sql([ada]) is None
            assert time.monotonic() - began < 0.1
            # The pass is still under way, and its end says that passes take long.
            while own.sql.is_quick:
                await asyncio.sleep(0.05)
            began = time.monotonic()
            assert await own.standings.ranks_by_sql([ada]) is None
            assert time.monotonic() - began < 0.1
        # The next caller with more patience finds that passes are quick again.
        await own.standings.rank(ada)
        monkeypatch.setattr(own.standings, "_no_ranks_until", 0.0)
        found = await own.standings.ranks_by_sql([ada])
        assert found.by_player[ada] == (1, 5)


async def test_nobody_waits_twice_for_a_redis_that_does_not_answer(sandbox):
    """The first batch finds out. The ones after it are answered without the index at once, until
    the keeper has found Redis well."""
    silent = await asyncio.start_server(lambda *_: asyncio.sleep(60), "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    connection = await sandbox.connect()
    (ada,) = await add_players(connection, 1)
    await play(connection, ada, 5)
    await connection.close()
    async with parts(sandbox, redis_url=f"redis://127.0.0.1:{port}/0", redis_timeout=0.2) as own:
        folds = await folds_of(own, ada)
        with pytest.raises(IndexAway):
            await own.standings.apply(folds)
        began = time.monotonic()
        for _ in range(5):
            with pytest.raises(IndexAway):
                await own.standings.apply(folds)
        assert time.monotonic() - began < 0.1
    silent.close()
    async with parts(sandbox) as own:
        own.index.is_reachable = False
        await own.keeper.recover()
        assert (await own.standings.apply(folds)).players == 1
