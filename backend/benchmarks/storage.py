"""What a million games take in the ledger, table and indexes."""

import asyncpg

from benchmarks.bench import Bench
from benchmarks.results import Fact
from benchmarks.seed import sizes
from benchmarks.world import World

MOST_MB = 130.0
"""A million games, each with a little metadata, most players with one or two."""
MEANT = 100_000
"""Games from which on what a table takes in any case is no part of it to speak of."""

# In a table of its own with the ledger's columns and indexes; not logged, so that it brings no
# checkpoint nearer to what is measured next.
_MEASURED = "CREATE UNLOGGED TABLE measured (LIKE game_sessions INCLUDING ALL)"
_DROP = "DROP TABLE measured"

_FILLS = {
    "without metadata": """
    INSERT INTO measured (id, user_id, score, timestamp, duration_ms, won, game_mode)
    SELECT id, user_id, score, timestamp, duration_ms, won, game_mode FROM game_sessions ORDER BY id
    """,
    # As many games in twenty days, of players who come for three within an hour.
    "three of a player in an hour": """
    INSERT INTO measured (id, user_id, score, timestamp, duration_ms, won, game_mode, metadata)
    SELECT row_number() OVER (ORDER BY at), user_id, 500000, at, 60000, true, 'ranked',
           '{"level": 7}'
    FROM (
        SELECT user_id, hour + random() * interval '1 hour' AS at
        FROM (
            SELECT 1 + floor(random() * $1::int)::int AS user_id,
                   date_trunc('hour', now()) - floor(random() * 480) * interval '1 hour' AS hour
            FROM generate_series(1, $1::int / 2) visit
        ) visits, generate_series(1, 3) game
    ) games
    ORDER BY at
    """,
}

_SIZE = """
SELECT (pg_table_size('measured') + pg_indexes_size('measured'))::float8 / count(*) FROM measured
"""


async def note_storage(bench: Bench, world: World) -> None:
    """The tables as they were seeded; the ledger again with what other games there may be."""
    found = await sizes(world.dsn)
    for table, parts in found.items():
        for part, size in parts.items():
            bench.note(Fact(f"{table}, {part}", size / 1e6, "MB", world.players))
    connection = await asyncpg.connect(world.dsn)
    try:
        games = await connection.fetchval("SELECT count(*) FROM game_sessions")
        each = sum(found["game_sessions"].values()) / games
        bound = MOST_MB if games >= MEANT else None
        bench.note(Fact("a million games", each, "MB", world.players, bound))
        for what, fill in _FILLS.items():
            await connection.execute(_MEASURED)
            await connection.execute(fill, *((world.players,) if "$1" in fill else ()))
            each = await connection.fetchval(_SIZE)
            bench.note(Fact(f"a million games, {what}", each, "MB", world.players))
            await connection.execute(_DROP)
    finally:
        await connection.close()
