"""The queries that matter use the indexes made for them, at 20,000 players.

Each is planned as the service runs it, as a prepared statement, both with the values known and
in the generic form that PostgreSQL may settle for.
"""

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from app.services import history, ledger, players, sampler, search, sessions, sql_standings
from app.services.boards import BoardSeason
from app.services.rank_index import tail
from app.services.rank_index.rebuild import CHUNK
from app.services.sql_standings import SqlStandings

PLAYERS = 20_000
VETERAN = 0
"""The player of a thousand games, who is on no board."""
SESSIONS = 60_000
BOARD = (1, 1)
MODES = ("force_custom_plan", "force_generic_plan")
SEED = f"""
INSERT INTO users (username, is_active, name_key, search_key)
SELECT 'player-' || n, n % 50 <> 0, 'player-' || n, 'player-' || n
FROM generate_series(1, {PLAYERS}) n;
INSERT INTO leaderboard (board_id, season, user_id, total_score, achieved_id, achieved_at,
                         version, games_played, decided, wins, is_active)
SELECT 1, 1, id, hashint8(id) % 5000, id, now(), id, 1, 0, 0, is_active FROM users;
INSERT INTO game_sessions (id, user_id, score, game_mode, timestamp)
SELECT -n, {VETERAN}, 1, 'any', now() - interval '20 days' * n / 1000
FROM generate_series(1, 1000) n;
INSERT INTO game_sessions (id, user_id, score, game_mode, timestamp)
SELECT n, n * 7919 % {PLAYERS} + 1, 1, 'any',
       now() - interval '20 days' + interval '20 days' * n / {SESSIONS}
FROM generate_series(1, {SESSIONS}) n;
INSERT INTO player_events (id, user_id, kind)
SELECT {SESSIONS} + n, n, CASE n % 2 WHEN 0 THEN 'deactivated' ELSE 'renamed' END
FROM generate_series(1, 2000) n;
INSERT INTO standings_samples (board_id, season, at, version, players, members)
SELECT 1, 1, now() - n * interval '1 minute', {SESSIONS} - n, 1000,
       decode(repeat(md5(n::text), 600), 'hex') FROM generate_series(1, 500) n;
SELECT setval('event_id_seq', {SESSIONS + 2_000});
"""
CHILDREN = """
SELECT child.relname FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid
WHERE inhparent = $1::regclass
"""


class Database:
    """The seeded database, and plans of statements in it."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self.connection = connection

    async def plan(self, query: str, *args: object, mode: str = MODES[0]) -> "Plan":
        """The plan of a prepared statement, as it was executed with these values."""
        await self.connection.execute(f"SET plan_cache_mode = {mode}; PREPARE planned AS {query}")
        values = ", ".join(map(_literal, args))
        (row,) = await self.connection.fetch(
            f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE planned ({values})"
        )
        await self.connection.execute("DEALLOCATE planned")
        return Plan(json.loads(row[0])[0]["Plan"])

    async def children(self, index: str) -> set[str]:
        """The names that a partitioned index has in the partitions."""
        return {row[0] for row in await self.connection.fetch(CHILDREN, index)}


def _literal(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, int):
        return str(value)
    shown = f"{{{','.join(map(str, value))}}}" if isinstance(value, list) else str(value)
    return f"'{shown}'"


class Plan:
    """The nodes of a plan, outermost first."""

    def __init__(self, root: dict) -> None:
        self.nodes = list(_flatten(root))
        self.blocks = root["Shared Hit Blocks"] + root["Shared Read Blocks"]

    def kinds(self) -> set[str]:
        return {node["Node Type"] for node in self.nodes}

    def indexes(self) -> set[str]:
        return {node["Index Name"] for node in self.nodes if "Index Name" in node}

    def using(self, *indexes: str) -> list[dict]:
        return [node for node in self.nodes if node.get("Index Name") in indexes]

    def read_whole(self) -> set[str]:
        """Tables of some size that were read from end to end, or hashed."""
        return {
            node["Relation Name"]
            for node in self.nodes
            if node["Node Type"] == "Seq Scan" and node["Actual Rows"] > 100
        }

    def only_from(self, index: str) -> bool:
        """Whether all that was asked of the index stood in it."""
        nodes = self.using(index)
        return bool(nodes) and all(
            node["Node Type"] == "Index Only Scan" and node["Heap Fetches"] == 0 for node in nodes
        )


def _flatten(node: dict) -> Iterator[dict]:
    yield node
    for inner in node.get("Plans", ()):
        yield from _flatten(inner)


@pytest.fixture(scope="module")
async def database(servers, template):
    name = f"plans{os.getpid()}"
    admin = await asyncpg.connect(servers.postgres_dsn)
    await admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    connection = await asyncpg.connect(servers.postgres_dsn.replace("/leaderboard?", f"/{name}?"))
    await connection.execute(SEED)
    await connection.execute("VACUUM (ANALYZE)")
    yield Database(connection)
    await connection.close()
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()


@pytest.fixture(scope="module")
def standings() -> SqlStandings:
    """For its statements alone."""
    return SqlStandings(None, None, BoardSeason(BOARD[0], "global", BOARD[1]))


def some_players(count: int) -> list[int]:
    return list(range(5, PLAYERS, PLAYERS // count))[:count]


# Reading standings from PostgreSQL


async def test_the_top_page(database, standings):
    plan = await database.plan(standings._page, *BOARD, 100, 0)
    assert plan.only_from("idx_leaderboard_score_rank")
    assert plan.indexes() == {"idx_leaderboard_score_rank", "pk_leaderboard", "pk_users"}
    assert plan.read_whole() == set()
    # A handful of blocks of the index; then each row and each name by its key.
    assert plan.blocks < 20 + 100 * 6


async def test_a_page_far_down(database, standings):
    """Goes over the index and never over the rows before the page."""
    plan = await database.plan(standings._page, *BOARD, 100, 15_000)
    assert plan.only_from("idx_leaderboard_score_rank")
    assert plan.read_whole() == set()
    assert plan.blocks < 300 + 100 * 6


@pytest.mark.parametrize("mode", MODES)
async def test_counting_players(database, mode):
    plan = await database.plan(sql_standings._TOTAL, *BOARD, mode=mode)
    assert plan.only_from("idx_leaderboard_active_score")
    assert plan.blocks < 150


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("count", [1, 50])
async def test_ranks_in_one_pass(database, mode, count):
    """However many players are asked for, the board is read once, and from the index alone."""
    asked = some_players(count)
    plan = await database.plan(sql_standings._ASKED, *BOARD, asked, mode=mode)
    assert plan.indexes() == {"pk_leaderboard"}
    scores = sorted({player % 5_000 for player in asked})
    plan = await database.plan(sql_standings._BUCKETS, *BOARD, scores, mode=mode)
    assert plan.only_from("idx_leaderboard_active_score")
    assert "Sort" not in plan.kinds()
    assert plan.blocks < 150


@pytest.mark.parametrize("mode", MODES)
async def test_ties_of_some_players(database, mode):
    """Reads the entries of the scores in question alone."""
    plan = await database.plan(sql_standings._TIES, *BOARD, some_players(5), mode=mode)
    assert plan.only_from("idx_leaderboard_score_rank")
    assert plan.read_whole() == set()
    assert plan.blocks < 100


@pytest.mark.parametrize("mode", MODES)
async def test_totals_at_some_ranks_in_one_pass(database, standings, mode):
    plan = await database.plan(standings._at_ranks, *BOARD, [196, 5_880, 19_600], mode=mode)
    assert plan.only_from("idx_leaderboard_score_rank")
    assert "Sort" not in plan.kinds()
    assert plan.read_whole() == set()


# Writing


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("count", [1, 100, 1_000])
async def test_locking_players(database, count, mode):
    plan = await database.plan(ledger._LOCK_PLAYERS, some_players(count), mode=mode)
    # In the order of the index: locks are taken as rows come, and no sort delays them.
    assert [node["Node Type"] for node in plan.nodes] == ["LockRows", "Index Scan"]
    assert plan.indexes() == {"pk_users"}
    assert plan.blocks <= 6 * count


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("count", [1, 100, 1_000])
async def test_reading_folds(database, count, mode):
    plan = await database.plan(ledger._READ_FOLDS, [1], [1], some_players(count), mode=mode)
    assert plan.indexes() == {"pk_leaderboard"}
    assert plan.read_whole() == set()
    assert plan.blocks <= 5 * count + 10


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("count", [1, 100])
async def test_folds_with_names(database, standings, count, mode):
    wanted = some_players(count)
    for query in (
        ledger._NAMED_FOLDS + " AND f.user_id = ANY($3::bigint[])",
        standings._folds,
    ):
        plan = await database.plan(query, *BOARD, wanted, mode=mode)
        assert plan.indexes() == {"pk_leaderboard", "pk_users"}
        assert plan.read_whole() == set()
        assert plan.blocks <= 8 * count


@pytest.mark.parametrize("mode", MODES)
async def test_each_chunk_of_a_rebuild_begins_where_the_last_one_ended(database, mode):
    query = ledger._NEXT_FOLDS
    plan = await database.plan(query, *BOARD, PLAYERS - 2 * CHUNK, CHUNK, mode=mode)
    assert plan.read_whole() == set()
    (names,) = plan.using("pk_users")
    assert names["Actual Rows"] * names["Actual Loops"] <= 2 * CHUNK


# The ledger


@pytest.mark.parametrize("mode", MODES)
async def test_a_page_of_a_players_games(database, mode):
    """In the order of the index, and hardly further than the page goes, also for a player who has
    many more than others."""
    indexes = await database.children("idx_session_user_timestamp")
    for at in (sessions.NEWEST.played_at, datetime.now(UTC) - timedelta(days=5)):
        for modes in (None, ["any"]):
            async with database.connection.transaction():
                await database.connection.execute(sessions.IN_ORDER)
                plan = await database.plan(
                    sessions._PAGE, VETERAN, at, 2**63 - 1, modes, 21, mode=mode
                )
            assert plan.indexes() <= indexes
            assert "Sort" not in plan.kinds()
            read = sum(node["Actual Rows"] for node in plan.using(*indexes))
            assert read < 50
            assert plan.blocks < 70


@pytest.mark.parametrize("mode", MODES)
async def test_a_page_of_old_games_leaves_out_newer_partitions(database, mode):
    month = datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    last = month - timedelta(microseconds=1)
    plan = await database.plan(sessions._PAGE, VETERAN, last, 2**63 - 1, None, 21, mode=mode)
    read = {node["Relation Name"] for node in plan.nodes if "Relation Name" in node}
    assert read == {f"game_sessions_{last:%Y_%m}"}


@pytest.mark.parametrize("mode", MODES)
async def test_the_tail_of_the_ledger(database, mode):
    """Some blocks around the newest sessions, however long the month was."""
    tail_of = (SESSIONS - 500, tail.ALL, datetime.now(UTC), timedelta(hours=4) + tail.SPARE)
    await database.connection.execute("SET enable_seqscan = off; SET jit = off")
    try:
        plan = await database.plan(tail._TAIL, *tail_of, mode=mode)
    finally:
        await database.connection.execute("RESET enable_seqscan; RESET jit")
    assert plan.indexes() & await database.children("idx_session_id")
    assert plan.read_whole() <= {"imports"}
    pages = await database.connection.fetchval(
        "SELECT sum(pg_relation_size(inhrelid)) / 8192 FROM pg_inherits "
        "WHERE inhparent = 'game_sessions'::regclass"
    )
    assert plan.blocks < pages / 5


async def test_the_ledgers_index_of_ids_keeps_itself_up_and_is_small(database):
    """A thousandth of what a B-tree would take; new ranges are summarized without being asked."""
    found = await database.connection.fetch(
        "SELECT reloptions, pg_relation_size(oid) AS size, reltuples FROM pg_class "
        "WHERE relname = ANY($1)",
        list(await database.children("idx_session_id")),
    )
    assert len(found) >= 3
    for row in found:
        assert set(row["reloptions"]) == {"pages_per_range=16", "autosummarize=true"}
        assert row["size"] <= 3 * 8_192


# Histories


@pytest.mark.parametrize("mode", MODES)
async def test_a_players_first_game(database, mode):
    indexes = await database.children("idx_session_user_timestamp")
    async with database.connection.transaction():
        await database.connection.execute(sessions.IN_ORDER)
        plan = await database.plan(history._BEGAN, VETERAN, None, mode=mode)
    assert plan.indexes() <= indexes
    # Those of the first hour.
    assert sum(node["Actual Rows"] for node in plan.using(*indexes)) <= 4


@pytest.mark.parametrize("mode", MODES)
async def test_all_games_of_a_player_by_interval_and_slot(database, mode):
    """No more than the player's own."""
    slots = [datetime.now(UTC) - timedelta(days=day) for day in (9, 6, 3)]
    plan = await database.plan(
        history._GAMES, VETERAN, None, SESSIONS, [-700, -300], slots, mode=mode
    )
    indexes = await database.children("idx_session_user_timestamp")
    assert plan.indexes() <= indexes
    assert plan.read_whole() == set()
    assert sum(node["Actual Rows"] for node in plan.using(*indexes)) == 1_000


@pytest.mark.parametrize("mode", MODES)
async def test_samples_of_a_board(database, mode):
    """When they were taken is read without what is in them."""
    since = datetime.now(UTC) - timedelta(hours=1)
    for query, args, most in (
        (history._SAMPLES, (since, SESSIONS), 30),
        (history._MEMBERS, ([since],), 5),
        (sampler._NEWEST, (), 5),
    ):
        plan = await database.plan(query, *BOARD, *args, mode=mode)
        assert plan.indexes() == {"pk_standings_samples"}
        assert plan.read_whole() == set()
        assert plan.blocks < most


@pytest.mark.parametrize("mode", MODES)
async def test_the_comings_and_goings_of_a_player(database, mode):
    plan = await database.plan(history._COMINGS_AND_GOINGS, 77, mode=mode)
    assert plan.indexes() == {"idx_player_events_user_id"}
    assert plan.blocks < 5


# The directory


@pytest.mark.parametrize("mode", MODES)
async def test_a_player_by_name(database, mode):
    plan = await database.plan(players._BY_NAME, "PLAYER-777", "player-777", mode=mode)
    assert "uq_users_name_key" in plan.indexes()
    assert plan.read_whole() == set()
    assert plan.blocks < 10


@pytest.mark.parametrize("mode", MODES)
async def test_parts_of_names(database, mode):
    async with database.connection.transaction():
        await database.connection.execute(search.BY_TRIGRAMS)
        for parts in (("layer-777",), ("layer-1", "er-19"), ("nobody",)):
            plan = await database.plan(search.within(len(parts)), parts[0], 10, *parts, mode=mode)
            assert plan.indexes() == {"idx_user_search"}


PREFIXES = ("player-12", "player-", "p", "nobody")


async def test_names_that_begin_so(database):
    """Read in order, so that a short prefix costs no more than a long one."""
    for prefix in PREFIXES:
        plan = await database.plan(search.BEGIN_SO, prefix, 10)
        assert "Sort" not in plan.kinds()
        assert plan.blocks < 30


async def test_names_that_begin_so_whatever_the_locale(database):
    """The index of the pattern operators serves where the default order is a language's."""
    for prefix in PREFIXES:
        plan = await database.plan(search.BEGIN_SO, prefix, 10)
        assert plan.indexes() == {"idx_user_username_active"}
