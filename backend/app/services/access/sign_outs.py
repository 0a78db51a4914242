"""Which players' tokens have ended early, because the player was deactivated.

The events of the last day are enough: no token lasts longer. A deactivated player has no good
token; one who came back has those that were made since.
"""

import math
import time
from collections.abc import Callable, Iterable

import asyncpg

from app.core.config import MAX_TOKEN_SECONDS
from app.core.database import RawConnection
from app.services.access.tokens import CLOCK_SKEW

READ_ALL_EVERY = 3_600.0
OVERLAP = 300.0
"""Seconds. An event is seen only once its transaction ends, which may take so long."""

_LONGEST = MAX_TOKEN_SECONDS + CLOCK_SKEW + OVERLAP

# In order of ids, which are drawn under the player's lock: the last event of a player decides.
_EVENTS = """
SELECT user_id, kind, extract(epoch FROM created_at)::float8 AS at FROM player_events
WHERE kind IN ('deactivated', 'reactivated')
  AND created_at > clock_timestamp() - make_interval(secs => $1)
ORDER BY id
"""

Event = tuple[int, str, float]
"""(player, kind, Unix seconds)."""


class SignOuts:
    """By player, from which moment on tokens are good. Bounded by a day's deactivations."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._good_from: dict[int, float] = {}
        self._clock = clock
        self._read_all_at = self._read_at = -math.inf

    def ended(self, user_id: int | None, issued_at: int) -> bool:
        """Whether a token of this player that was issued then, in Unix seconds, has ended."""
        return user_id in self._good_from and issued_at < self._good_from[user_id]

    async def read(self, connection: RawConnection) -> bool:
        """Takes what happened since the last time. Whether anything has changed."""
        now = self._clock()
        whole = now - self._read_all_at >= READ_ALL_EVERY
        seconds = _LONGEST if whole else min(_LONGEST, now - self._read_at + OVERLAP)
        rows: list[asyncpg.Record] = await connection.fetch(_EVENTS, seconds)
        good_from = fold(rows, {} if whole else self._good_from)
        changed = good_from != self._good_from
        self._good_from, self._read_at = good_from, now
        if whole:
            self._read_all_at = now
        return changed


def fold(events: Iterable[Event | asyncpg.Record], known: dict[int, float]) -> dict[int, float]:
    """By player, from when on tokens are good, after these events. An event may come twice."""
    good_from = dict(known)
    for user_id, kind, at in events:
        # Whole seconds, as in tokens: one that is made right after coming back is good.
        good_from[user_id] = math.inf if kind == "deactivated" else math.floor(at)
    return good_from
