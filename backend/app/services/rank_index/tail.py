"""The ledger's tail: whose folds may be missing from the index, and how far that is settled.

Numbers are drawn from one sequence but transactions commit in any order, so a number below the
highest one seen may still be on its way. A mark remembers the sequence at a moment and the
first transaction id that was not yet given out then: once every transaction before that id has
ended, whoever drew a number up to the mark has committed or never will.
"""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.config import Settings
from app.core.database import RawConnection, raw_connection

_SEQUENCE = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END, now() FROM event_id_seq"
# Taken for this purpose, so that it is greater than all that were given out before. (A snapshot's
# own upper end is no such bound: it is one past the newest transaction that has *ended*.)
_NEXT_TRANSACTION = "SELECT pg_current_xact_id()::text::bigint"
_OLDEST_OPEN = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"

# The time bound lets whole partitions be left out; the BRIN index finds the rest. If the server's
# clock was set back, events after the watermark are dated before it: the bound is counted from the
# earlier of the two. Games of an import that is not wholly in the index may be older by years: its
# row says how old.
_TAIL = """
SELECT user_id, max(id) AS newest FROM (
    SELECT user_id, id FROM game_sessions WHERE id > $1 AND id <= $2
        AND timestamp >= least($3::timestamptz - $4::interval, now() - $4::interval,
                               (SELECT min(oldest_at) FROM imports WHERE last_event_id > $1))
    UNION ALL
    SELECT user_id, id FROM player_events WHERE id > $1 AND id <= $2
) AS tail GROUP BY user_id
"""

SETTLE_STEP = 0.02

SPARE = timedelta(minutes=15)
ALL = 2**62


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a tail is read. `margin`: how much older than its submission a session may be dated
    (`played_at`), and then some. `seconds`: how long it may take.
    """

    margin: timedelta
    seconds: float

    @classmethod
    def of(cls, settings: Settings) -> "Reach":
        window = timedelta(seconds=settings.played_at_window)
        return cls(window + SPARE, settings.database_timeout)


@dataclass(frozen=True, slots=True)
class Watermark:
    """Up to `event_id`, drawn at `at`, everything is in the index."""

    event_id: int
    at: datetime

    def encode(self) -> str:
        return f"{self.event_id} {self.at.timestamp():.3f}"

    @classmethod
    def decode(cls, text: str) -> "Watermark":
        event_id, _, at = text.partition(" ")
        return cls(int(event_id), datetime.fromtimestamp(float(at), UTC))


BEGINNING = Watermark(0, datetime(1970, 1, 1, tzinfo=UTC))


@dataclass(frozen=True, slots=True)
class Mark:
    """The sequence at a moment, and the first transaction id not given out at that moment."""

    watermark: Watermark
    next_transaction: int


async def take_mark(connection: RawConnection) -> Mark:
    """The order matters: who drew a number that the first statement saw had a transaction id
    before the second one looked, because locking a player's row comes before drawing."""
    sequence = await connection.fetchrow(_SEQUENCE)
    if sequence is None:
        raise AssertionError
    next_transaction: int = await connection.fetchval(_NEXT_TRANSACTION)
    return Mark(Watermark(sequence[0], sequence[1]), next_transaction)


async def is_settled(connection: RawConnection, mark: Mark) -> bool:
    """Whether every transaction from before the mark has ended."""
    oldest: int = await connection.fetchval(_OLDEST_OPEN)
    return mark.next_transaction <= oldest


async def wait_settled(engine: AsyncEngine, mark: Mark, seconds: float) -> bool:
    """Waits until every transaction from before the mark has ended. False if one still has not."""
    for _ in range(max(1, int(seconds / SETTLE_STEP))):
        async with raw_connection(engine) as connection:
            if await is_settled(connection, mark):
                return True
        await asyncio.sleep(SETTLE_STEP)
    return False


async def read_tail(
    connection: RawConnection, since: Watermark, reach: "Reach", upto: int = ALL
) -> dict[int, int]:
    """{player: newest event} of all events after the watermark, up to `upto`, that are committed
    by now. Raises TimeoutError."""
    async with connection.transaction(readonly=True):
        # What the planner thinks of rows beyond its statistics must not make it read a month.
        await connection.execute("SET LOCAL enable_seqscan = off; SET LOCAL jit = off")
        rows = await connection.fetch(
            _TAIL, since.event_id, upto, since.at, reach.margin, timeout=reach.seconds
        )
    return {row["user_id"]: row["newest"] for row in rows}
