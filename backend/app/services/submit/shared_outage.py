"""An outage of writes that one worker meets is told by all workers within about a second.

A worker that can't store scores holds an advisory lock in PostgreSQL, and every worker's probe
looks for such locks. A lock is kept in the server's memory, so it can be had where the server takes
no writes (a full disk, a replica). It ends with its connection, so a killed worker leaves none.
A worker that can't reach PostgreSQL at all needs no lock: its own probe says so, on every worker.
Redis would not do: on a full disk, where both servers have one, it refuses writes too.
"""

import asyncio

from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.database import RawConnection, is_away, raw_connection
from app.services.submit.outage import REASONS, Outage

HELD_EVERY = 0.25
_LOCK = 7_253_013

_HOLD = "SELECT pg_advisory_xact_lock_shared($1, $2)"
_HELD = f"""
SELECT objid FROM pg_locks
WHERE locktype = 'advisory' AND classid = {_LOCK} AND objsubid = 2
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
ORDER BY objid LIMIT 1
"""  # noqa: S608 - a constant


async def read_outage(connection: RawConnection) -> str | None:
    """Why some worker can't store scores now; None if all can, as far as they know."""
    found = await connection.fetchval(_HELD)
    return None if found is None else REASONS[min(found, len(REASONS) - 1)]


async def share_outage(engine: AsyncEngine, outage: Outage) -> None:
    """Holds the lock for as long as this worker can't store scores. Never returns."""
    while True:
        outage.tell()
        if outage.why is not None:
            try:
                await _hold(engine, outage)
            except Exception as error:
                if not is_away(error):
                    raise
        await asyncio.sleep(HELD_EVERY)


async def _hold(engine: AsyncEngine, outage: Outage) -> None:
    # A transaction, because a pooler of transactions keeps a lock no longer than that. It has seen
    # nothing and written nothing, so it holds up no cleaning.
    async with raw_connection(engine) as connection, connection.transaction(readonly=True):
        while (why := outage.why) is not None:
            await connection.execute(_HOLD, _LOCK, REASONS.index(why))
            await asyncio.sleep(HELD_EVERY)
