"""Forgetting idempotency keys that are older than they are promised to be kept."""

import asyncio

from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.database import raw_connection

STEP = 2_000
"""Keys deleted in one transaction."""
PAUSE_SECONDS = 0.05

_LOCK = 7_253_012
"""Advisory lock: one worker at a time forgets, the others leave it at that."""

_CUTOFF = "SELECT hour_of(now() - make_interval(hours => $1))"
_MAY = "SELECT pg_try_advisory_xact_lock($1)"

# By age in the index, and by place in the table: each step reads what it deletes and no more.
_FORGET = """
DELETE FROM submission_keys WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM submission_keys WHERE hour_of(created_at) < $1
    ORDER BY hour_of(created_at) LIMIT $2
))
"""


async def forget_keys(engine: AsyncEngine, hours: int) -> int:
    """Deletes the keys that were older than so many whole hours when it began. How many there
    were; keys that grow old meanwhile are left for the next time."""
    async with raw_connection(engine) as connection:
        cutoff = await connection.fetchval(_CUTOFF, hours)
    forgotten = 0
    while True:
        async with raw_connection(engine) as connection, connection.transaction():
            if not await connection.fetchval(_MAY, _LOCK):
                return forgotten
            status = await connection.execute(_FORGET, cutoff, STEP)
        deleted = int(status.rpartition(" ")[2])
        forgotten += deleted
        if deleted < STEP:
            return forgotten
        await asyncio.sleep(PAUSE_SECONDS)
