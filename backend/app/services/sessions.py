"""A player's games out of the ledger, newest first, page by page."""

import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Hashable, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.database import raw_connection
from app.core.errors import InvalidInput, PlayerErased, UnknownPlayer
from app.core.kept import Kept

# The bound on time lets partitions be left out; within them the index has a player's games by the
# hour, and only those of one hour are left to be put in order. An id may be greater than any
# player's: the cast keeps it from being taken for an integer.
_PAGE = """
SELECT id, score, game_mode, timestamp, duration_ms, won, metadata::text FROM game_sessions
WHERE user_id = $1::bigint AND hour_of(timestamp) <= hour_of($2) AND timestamp <= $2
  AND (timestamp, id) < ($2, $3) AND ($4::text[] IS NULL OR game_mode = ANY($4))
ORDER BY hour_of(timestamp) DESC, timestamp DESC, id DESC LIMIT $5
"""

# The planner thinks of the average player, and would read and sort all games of one who has many.
# Sorting hour by hour is another matter and stays allowed.
IN_ORDER = "SET LOCAL enable_sort = off"

_KNOWN = "SELECT EXISTS (SELECT FROM users WHERE id = $1)"
_IS_ERASED = "SELECT EXISTS (SELECT FROM erasures WHERE user_id = $1)"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Session(NamedTuple):
    """A played game."""

    session_id: int
    score: int
    game_mode: str
    played_at: datetime
    duration_ms: int | None
    won: bool | None
    metadata: str | None
    """JSON, as the database wrote it: digits stay as they are."""


class Cursor(NamedTuple):
    """A place in a player's games: the one after which a page begins."""

    played_at: datetime
    session_id: int

    def encode(self) -> str:
        """As clients hand it back."""
        packed = struct.pack(">qq", (self.played_at - _EPOCH) // _MICROSECOND, self.session_id)
        return urlsafe_b64encode(packed).rstrip(b"=").decode()

    @classmethod
    def decode(cls, text: str) -> "Cursor":
        """Raises InvalidInput for what `encode` did not make."""
        try:
            microseconds, session_id = struct.unpack(">qq", urlsafe_b64decode(text + "=="))
            cursor = cls(_EPOCH + microseconds * _MICROSECOND, session_id)
        except (ValueError, struct.error, OverflowError):
            cursor = None
        if cursor is None or cursor.encode() != text or not OLDEST < cursor < NEWEST:
            raise InvalidInput.field("cursor", "is none that this service gave out")
        return cursor


# Not the first and last moments that there are, which the driver takes for minus and plus infinity.
OLDEST = Cursor(datetime(1, 1, 2, tzinfo=UTC), 0)
"""After all games."""
NEWEST = Cursor(datetime(9999, 12, 31, tzinfo=UTC), 2**63 - 1)
"""Before all games."""


class Sessions:
    """The ledger, as players see their own part of it."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._older: Kept[Hashable, tuple[list[Session], Cursor | None]] = Kept(5.0, 256)

    async def page(
        self,
        user_id: int,
        limit: int,
        after: Cursor = NEWEST,
        modes: Sequence[str] | None = None,
        *,
        any_player: bool = False,
    ) -> tuple[list[Session], Cursor | None]:
        """(games after the cursor, the next page's cursor if there is one), of these modes or of
        all. Raises UnknownPlayer; PlayerErased unless `any_player`.

        Pages but the newest one are kept for 5 seconds.
        """
        if any_player or after == NEWEST:
            return await self._read(user_id, limit, after, modes, any_player=any_player)
        key = (user_id, limit, after, None if modes is None else tuple(modes))
        return await self._older.get(key, lambda: self._read(user_id, limit, after, modes))

    async def _read(
        self,
        user_id: int,
        limit: int,
        after: Cursor,
        modes: Sequence[str] | None,
        *,
        any_player: bool = False,
    ) -> tuple[list[Session], Cursor | None]:
        async with (
            raw_connection(self._engine) as connection,
            connection.transaction(readonly=True),
        ):
            await connection.execute(IN_ORDER)
            if not any_player and await connection.fetchval(_IS_ERASED, user_id):
                raise PlayerErased(f"Player {user_id} was erased.")
            rows = await connection.fetch(_PAGE, user_id, *after, modes, limit + 1)
            if not rows and not await connection.fetchval(_KNOWN, user_id):
                raise UnknownPlayer(f"There is no player {user_id}.")
        found = [Session._make(row) for row in rows[:limit]]
        last = found[-1] if len(rows) > limit else None
        return found, last and Cursor(last.played_at, last.session_id)
