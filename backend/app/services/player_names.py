"""The stored keys of players' names: finding by them, and filling those that are missing.

Keys are missing after the migration that made the columns, and for players whom an older version
made or renamed. See `app/core/names.py` for what the keys are.
"""

import asyncio

import asyncpg
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.database import raw_connection
from app.core.names import name_key, search_key, twin_key

log = structlog.get_logger(__name__)

CHUNK = 1_000
FILL_SECONDS = 30.0

# Not those that a writer has locked: they are filled the next time.
_MISSING = """
SELECT id, username FROM users WHERE name_key IS NULL AND id > $1 ORDER BY id LIMIT $2
FOR NO KEY UPDATE SKIP LOCKED
"""
_HELD = "SELECT name_key FROM users WHERE name_key = ANY($1::text[])"
_FILL = """
UPDATE users SET name_key = n.key, search_key = n.search
FROM unnest($1::bigint[], $2::text[], $3::text[]) AS n (id, key, search) WHERE users.id = n.id
"""


def named(name: str, key: str) -> str:
    """SQL: the conditions, order and limit that find the player of this name and key, given as SQL.

    Of players whose names were there before they counted as the same, the exact name comes first.
    """
    return (
        f"(name_key >= {key} AND name_key < {key} || ' ')"
        f" OR (name_key IS NULL AND lower(username) = lower({name}))"
        f" ORDER BY username = {name} DESC, name_key LIMIT 1"
    )


async def fill_keys(engine: AsyncEngine) -> int:
    """Fills the keys that are missing and returns their number.

    Where two players have names that are the same by now, both keep them: the older one has the
    key, the other one a key that no name makes (`twin_key`).
    """
    filled = after = 0
    while True:
        try:
            after, count = await _fill_chunk(engine, after)
        except asyncpg.UniqueViolationError:
            continue  # somebody joined under one of these names meanwhile
        if not after:
            break
        filled += count
    if filled:
        log.info("keys of names filled", players=filled)
    return filled


async def keep_filled(engine: AsyncEngine) -> None:
    """Fills what an older version leaves while it runs beside this one."""
    while True:
        await asyncio.sleep(FILL_SECONDS)
        await fill_keys(engine)


async def _fill_chunk(engine: AsyncEngine, after: int) -> tuple[int, int]:
    """(the last player's id, or 0 at the end; how many were filled)."""
    async with raw_connection(engine) as connection, connection.transaction():
        rows = await connection.fetch(_MISSING, after, CHUNK)
        if not rows:
            return 0, 0
        keys = {row["id"]: name_key(row["username"]) for row in rows}
        held = {row["name_key"] for row in await connection.fetch(_HELD, list(keys.values()))}
        for row in rows:
            key = keys[row["id"]]
            if key in held or not key:
                keys[row["id"]] = twin_key(row["username"], row["id"])
                log.warning("two players have one name", user_id=row["id"])
            held.add(key)
        searched = [search_key(row["username"]) for row in rows]
        await connection.execute(_FILL, list(keys), list(keys.values()), searched)
    return rows[-1]["id"], len(rows)
