"""Players with a past, written straight into PostgreSQL: ledger and folds that agree."""

import asyncpg
from sqlalchemy.ext.asyncio import create_async_engine

from app.services.schema import migrate

# Scores are never 0, so every session reaches a new total and the newest one is the moment.
_SEED = (
    "SELECT setseed(0.5)",
    """
    INSERT INTO users (id, username, email) OVERRIDING SYSTEM VALUE
    SELECT n, 'Player ' || n, 'player' || n || '@example.com' FROM generate_series(1, $1::int) n
    """,
    "SELECT setval(pg_get_serial_sequence('users', 'id'), $1::int)",
    # One session each, and a second one for every other player; ids rise with time.
    """
    INSERT INTO game_sessions (id, user_id, score, timestamp, duration_ms, won, game_mode, metadata)
    SELECT n, CASE WHEN n <= $1::int THEN n ELSE 2 * (n - $1::int) END,
           1 + floor(random() * 1000000)::bigint,
           now() - interval '1 hour' + n * interval '1 hour' / ($1::int * 2),
           60000 + n % 60000, n % 3 = 0, 'ranked', '{"level": 7}'
    FROM generate_series(1, $1::int + $1::int / 2) n
    """,
    "SELECT setval('event_id_seq', (SELECT max(id) FROM game_sessions))",
    """
    INSERT INTO leaderboard (board_id, season, user_id, total_score, achieved_id, achieved_at,
                             version, games_played, decided, wins)
    SELECT b.id, s.number, g.user_id, sum(g.score), max(g.id), max(g.timestamp), max(g.id),
           count(*), count(g.won), count(*) FILTER (WHERE g.won)
    FROM game_sessions g, boards b JOIN seasons s ON s.board_id = b.id
    WHERE b.slug = 'global' AND $1::int > 0
    GROUP BY b.id, s.number, g.user_id ORDER BY g.user_id
    """,
)

_SIZES = """
SELECT c.relname AS name, pg_table_size(c.oid) AS table_bytes, pg_indexes_size(c.oid) AS index_bytes
FROM pg_class c WHERE c.oid = 'leaderboard'::regclass
UNION ALL
SELECT 'game_sessions', sum(pg_table_size(inhrelid)), sum(pg_indexes_size(inhrelid))
FROM pg_inherits WHERE inhparent = 'game_sessions'::regclass
"""


async def seed(url: str, dsn: str, players: int) -> None:
    """Brings an empty database to the schema and fills it."""
    engine = create_async_engine(url)
    await migrate(engine, partitions_ahead=1)
    await engine.dispose()
    connection = await asyncpg.connect(dsn)
    try:
        async with connection.transaction():
            for statement in _SEED:
                arguments = (players,) if "$1" in statement else ()
                await connection.execute(statement, *arguments)
        # As it is after a while of running: statistics and visibility are known. No checkpoint,
        # though: the first write to each page after one logs the whole page, which in service
        # is spread over a quarter of an hour and here would be most of what is measured.
        await connection.execute("VACUUM (ANALYZE)")
    finally:
        await connection.close()


async def sizes(dsn: str) -> dict[str, dict[str, int]]:
    """Bytes of tables and of their indexes."""
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch(_SIZES)
    finally:
        await connection.close()
    return {
        row["name"]: {"table": int(row["table_bytes"]), "indexes": int(row["index_bytes"])}
        for row in rows
    }
