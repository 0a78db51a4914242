"""Whether the database still has the past that the index was built from.

PostgreSQL may be set back under a running service: a restored backup, an older copy of its
volume, a fail-over to a replica that lagged. The index then has scores that never were, and takes
new ones for old news. Each of these is a sign of it:

- the index has an event that the sequence has not reached;
- the index's mark, a random number that was stored in both, is not in the database. This shows
  also after the sequence has overtaken the index;
- the cluster or its timeline is another one, as after a fail-over or a point-in-time recovery;
- the server was restarted, and lacks an event that a worker has heard of (`Keeper._check_loss`): a
  crash without fsync, say, that has lost less than the time between two looks.
"""

import secrets
from dataclasses import dataclass

import asyncpg

from app.core.database import RawConnection
from app.services.boards import BoardSeason
from app.services.rank_index.tail import BEGINNING, Watermark

MARKS_KEPT = 1_000
"""An index that is older than all of these is built anew instead of caught up with."""
LOCK_TIMEOUT = "5s"

_NEWEST = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM event_id_seq"

_LINEAGE = """
SELECT (SELECT system_identifier FROM pg_control_system()) || '/'
       || left(pg_walfile_name(pg_current_wal_lsn()), 8)
"""

_HAS_MARK = """
SELECT EXISTS (
    SELECT FROM index_marks WHERE board_id = $1 AND season = $2 AND event_id = $3 AND nonce = $4
)
"""

# Two workers may mark the same event: the first mark stands.
_ADD_MARK = """
INSERT INTO index_marks AS m (board_id, season, event_id, at, nonce) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (board_id, season, event_id) DO UPDATE SET nonce = m.nonce RETURNING nonce
"""

_NEWEST_MARK = """
SELECT event_id, at, nonce FROM index_marks WHERE board_id = $1 AND season = $2
ORDER BY event_id DESC LIMIT 1
"""

_FORGET_MARKS = f"""
DELETE FROM index_marks WHERE board_id = $1 AND season = $2 AND event_id < (
    SELECT event_id FROM index_marks WHERE board_id = $1 AND season = $2
    ORDER BY event_id DESC OFFSET {MARKS_KEPT} LIMIT 1
)
"""  # noqa: S608 - a constant


@dataclass(frozen=True, slots=True)
class Past:
    """What an index keeps of its database: the newest mark, and the cluster with its timeline.
    Empty strings where it is not known."""

    mark: str = ""
    lineage: str = ""


async def find_break(
    connection: RawConnection, board: BoardSeason, version: int, past: Past
) -> str:
    """Why the index can't be this database's; empty if it can. `version` and `past` were read
    from the index before this call."""
    newest = await connection.fetchval(_NEWEST)
    if version > newest:
        return f"the index has event {version}, the database is at {newest}"
    lineage = await read_lineage(connection)
    if past.lineage and lineage and past.lineage != lineage:
        return f"the database cluster was {past.lineage} and is {lineage}"
    if past.mark:
        event_id, nonce = map(int, past.mark.split())
        if not await connection.fetchval(_HAS_MARK, *board.key, event_id, nonce):
            return f"the database does not have the index's mark of event {event_id}"
    return ""


async def read_lineage(connection: RawConnection) -> str:
    """The cluster's identifier and timeline; empty where the role may not ask for them."""
    try:
        return str(await connection.fetchval(_LINEAGE))
    except asyncpg.InsufficientPrivilegeError:
        return ""


async def read_run(connection: RawConnection) -> str:
    """When the server was started: only a server that was restarted can have lost commits."""
    return str(await connection.fetchval("SELECT pg_postmaster_start_time()"))


async def add_mark(connection: RawConnection, board: BoardSeason, settled: Watermark) -> str:
    """Stores a mark in the database, to be kept by the index afterwards. Every event up to the
    watermark must have been committed, or have failed for good."""
    nonce = await connection.fetchval(
        _ADD_MARK, *board.key, settled.event_id, settled.at, secrets.randbits(62)
    )
    await connection.execute(_FORGET_MARKS, *board.key)
    return f"{settled.event_id} {nonce}"


async def has_mark(connection: RawConnection, board: BoardSeason) -> bool:
    """Whether an index of this board was complete before."""
    return await connection.fetchrow(_NEWEST_MARK, *board.key) is not None


async def newest_mark(connection: RawConnection, board: BoardSeason) -> tuple[Watermark, str]:
    """The watermark of the board's newest mark, and the mark."""
    row = await connection.fetchrow(_NEWEST_MARK, *board.key)
    if row is None:
        return BEGINNING, await add_mark(connection, board, BEGINNING)
    return Watermark(row["event_id"], row["at"]), f"{row['event_id']} {row['nonce']}"


async def overtake(connection: RawConnection, event_id: int) -> int:
    """Makes the sequence go on above this event, so that no event gets an id that the index knew.
    Where the sequence is afterwards.

    Ids are drawn by transactions that have locked a player's row, and the lock on the table waits
    for all of those to end. So nobody draws an id between the two statements, and the sequence
    never goes back.
    """
    newest: int = await connection.fetchval(_NEWEST)
    if newest >= event_id:
        return newest
    async with connection.transaction():
        await connection.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
        await connection.execute("LOCK TABLE users IN EXCLUSIVE MODE")
        newest = await connection.fetchval(_NEWEST)
        if newest < event_id:
            newest = await connection.fetchval("SELECT setval('event_id_seq', $1)", event_id)
    return newest
