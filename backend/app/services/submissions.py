"""A submission between the wire and the ledger, and what becomes of it."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from app.core.errors import InvalidInput

CLOCK_SKEW = timedelta(seconds=5)
"""How far a client's clock may be ahead of the database's."""


class Submission(NamedTuple):
    """A score that was found valid in itself. `metadata` is encoded JSON."""

    user_id: int
    score: int
    game_mode: str
    duration_ms: int | None = None
    won: bool | None = None
    played_at: datetime | None = None
    metadata: str | None = None
    key: str | None = None

    @property
    def key_hash(self) -> bytes:
        """The idempotency key as stored: 16 bytes."""
        return hashlib.blake2b((self.key or "").encode(), digest_size=16).digest()

    @property
    def body_hash(self) -> bytes:
        """What makes two submissions with one key the same: 16 bytes over all fields."""
        fields = (
            self.user_id,
            self.score,
            self.game_mode,
            self.duration_ms,
            self.won,
            self.played_at and self.played_at.timestamp(),
            self.metadata,
        )
        return hashlib.blake2b(repr(fields).encode(), digest_size=16).digest()


def check_played_at(at: datetime, now: datetime, window: timedelta) -> None:
    """Raises InvalidInput for a game in the future, or longer ago than the window. `now` is the
    database's time."""
    if at > now + CLOCK_SKEW:
        ahead, server = (at - now).total_seconds(), now.astimezone(UTC)
        raise InvalidInput.field(
            "played_at",
            f"is {ahead:,.0f} seconds in the future: the server's time is "
            f"{server.isoformat(timespec='seconds')}",
        )
    if at < now - window:
        raise InvalidInput.field(
            "played_at", f"must lie within the last {window.total_seconds():,.0f} seconds"
        )


class Receipt(NamedTuple):
    """The answer to a submission. Ranks count from 1; `rank_change` is positive upwards."""

    session_id: int
    new_rank: int
    rank_change: int
    total_players: int
    first: bool = False
    replayed: bool = False

    @property
    def message(self) -> str:
        """One sentence for people."""
        standing = f"rank {self.new_rank:,} of {self.total_players:,}"
        if self.replayed:
            return f"Already recorded; nothing was counted twice. You are at {standing}."
        if self.first:
            return f"Welcome to the board at {standing}."
        places = f"{abs(self.rank_change):,} place{'' if abs(self.rank_change) == 1 else 's'}"
        if self.rank_change > 0:
            return f"Up {places} to {standing}."
        if self.rank_change < 0:
            return f"Down {places} to {standing}."
        return f"You hold {standing}."
