"""A submission between the wire and the ledger, and what becomes of it."""

import hashlib
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from app.core.errors import AppError, InvalidInput

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
    refusal: AppError | None = None
    """What a rule says against it. A score with a key may have been stored before the rule was
    made, and is refused only if it was not."""
    lineage: int | None = None
    """To which API key `key` belongs, that key's rotations included: 0 for players' own clients,
    None in the open mode."""

    @property
    def key_hash(self) -> bytes:
        """The idempotency key as stored by the first lineage that uses it: 16 bytes."""
        return hashlib.blake2b((self.key or "").encode(), digest_size=16).digest()

    @property
    def own_key_hash(self) -> bytes:
        """The idempotency key as stored for this lineage, where another one was first."""
        text = f"{self.lineage}\n{self.key}"
        return hashlib.blake2b(text.encode(), digest_size=16, person=b"lineage").digest()

    def owns(self, lineage: int | None) -> bool:
        """Whether a key that was stored by that lineage may be this submission's. The version
        before lineages stored none: its keys are everybody's until they are forgotten."""
        return lineage is None or lineage == self.lineage

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


class BoardReceipt(NamedTuple):
    """What a score did on one board. Ranks count from 1; `rank_change` is positive upwards.

    None is what can't be told: while the index is away, and ranks of deactivated players.
    """

    new_rank: int | None = None
    rank_change: int | None = None
    total_players: int | None = None
    total_score: int | None = None
    is_new_best: bool = False
    is_first: bool = False


NOWHERE = BoardReceipt()


class Receipt(NamedTuple):
    """The answer to a submission that is stored. `boards` are those that it counts for, by slug;
    `main` is the default board's slug."""

    session_id: int
    boards: Mapping[str, BoardReceipt]
    main: str
    replayed: bool = False

    @property
    def on_main(self) -> BoardReceipt:
        """What it did on the default board: nothing if it does not count there."""
        return self.boards.get(self.main, NOWHERE)

    def without(self, hidden: Collection[str]) -> "Receipt":
        """The same for a caller who may not know of these boards."""
        shown = {slug: each for slug, each in self.boards.items() if slug not in hidden}
        return self._replace(boards=shown)

    @property
    def message(self) -> str:
        """One sentence or two for people."""
        lead = "Already recorded; nothing was counted twice." if self.replayed else "Stored."
        if not self.boards:
            return f"{lead} This game counts for no board."
        slug = self.main if self.main in self.boards else next(iter(self.boards))
        told = self.boards[slug]
        if told.new_rank is None or told.total_players is None:
            return f"{lead} The rank can't be told now. There is nothing to retry."
        standing = f"rank {told.new_rank:,} of {told.total_players:,}"
        if slug != self.main:
            standing += f" on board {slug}"
        if self.replayed:
            return f"{lead} You are at {standing}."
        return _sentence(told, standing)


def _sentence(told: BoardReceipt, standing: str) -> str:
    if told.is_first:
        return f"Welcome to the board at {standing}."
    if told.rank_change is None:
        return f"Stored. You are at {standing}."
    places = f"{abs(told.rank_change):,} place{'' if abs(told.rank_change) == 1 else 's'}"
    if told.rank_change > 0:
        return f"Up {places} to {standing}."
    if told.rank_change < 0:
        return f"Down {places} to {standing}."
    return f"You hold {standing}."
