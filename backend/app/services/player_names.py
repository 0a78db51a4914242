"""The stored keys of players' names: finding by them, and filling those that are missing.

Keys are missing after the migration that made the columns, and for players whom an older version
made or renamed. See `app/core/names.py` for what the keys are.
"""

import asyncio
import math
import time

import asyncpg
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.database import raw_connection
from app.core.names import name_key, search_key, twin_key

log = structlog.get_logger(__name__)

CHUNK = 500
"""A player of a chunk waits for all of it: some 20 ms."""
START_SECONDS = 3.0
"""The start waits so long for keys. At a million players the rest takes minutes, while the service
runs."""
FILL_SECONDS = 30.0

# Not those that a writer has locked: they are filled the next time.
_MISSING = """
SELECT id, username FROM users WHERE name_key IS NULL AND id > $1 ORDER BY id LIMIT $2
FOR NO KEY UPDATE SKIP LOCKED
"""
_HELD = """
SELECT id, username, name_key FROM users WHERE name_key = ANY($1::text[])
FOR NO KEY UPDATE SKIP LOCKED
"""
_TAKE_AWAY = """
UPDATE users SET name_key = n.key
FROM unnest($1::bigint[], $2::text[]) AS n (id, key) WHERE users.id = n.id
"""
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


async def fill_keys(engine: AsyncEngine, *, seconds: float = math.inf, share: float = 1.0) -> int:
    """Fills the keys that are missing, for `seconds` at most, and returns their number. It works
    for a `share` of the time, so that scores are written meanwhile.

    Where two players have names that are the same by now, both keep them: the older one has the
    key, the other one a key that no name makes (`twin_key`).
    """
    filled = after = 0
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        chunk_began = time.monotonic()
        try:
            after, count = await _fill_chunk(engine, after)
        except asyncpg.UniqueViolationError:
            continue  # somebody joined under one of these names meanwhile
        if not after:
            break
        filled += count
        await asyncio.sleep((time.monotonic() - chunk_began) * (1 / share - 1))
    if filled:
        log.info("keys of names filled", players=filled)
    return filled


async def keep_filled(engine: AsyncEngine) -> None:
    """Fills what the start did not wait for, and what an older version leaves while it runs beside
    this one."""
    while True:
        await fill_keys(engine, share=0.5)
        await asyncio.sleep(FILL_SECONDS)


async def _fill_chunk(engine: AsyncEngine, after: int) -> tuple[int, int]:
    """(the last player's id, or 0 at the end; how many were filled)."""
    async with raw_connection(engine) as connection, connection.transaction():
        rows = await connection.fetch(_MISSING, after, CHUNK)
        if not rows:
            return 0, 0
        keys = {row["id"]: name_key(row["username"]) for row in rows}
        held = {row["name_key"]: row for row in await connection.fetch(_HELD, list(keys.values()))}
        younger = {}
        for row in rows:
            key = keys[row["id"]]
            holder = held.get(key)
            if holder is not None and holder["id"] > row["id"]:
                younger[holder["id"]] = twin_key(holder["username"], holder["id"])
                log.warning("two players have one name", user_id=holder["id"])
            elif holder is not None or not key:
                keys[row["id"]] = twin_key(row["username"], row["id"])
                log.warning("two players have one name", user_id=row["id"])
            held[key] = row
        # Whoever joined under such a name before the older player's key was filled gives it back.
        await connection.execute(_TAKE_AWAY, list(younger), list(younger.values()))
        searched = [search_key(row["username"]) for row in rows]
        await connection.execute(_FILL, list(keys), list(keys.values()), searched)
    return rows[-1]["id"], len(rows)
