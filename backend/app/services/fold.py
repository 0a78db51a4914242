"""A fold: what a board says of one player, as a function of the player's sessions in order."""

from datetime import datetime
from typing import NamedTuple

from app.core.config import MAX_SCORE
from app.core.errors import TotalOutOfRange


class Fold(NamedTuple):
    """A player's standing on a board. `version` is the newest event that is in it."""

    user_id: int
    total_score: int
    achieved_id: int
    achieved_at: datetime
    version: int
    games_played: int = 0
    decided: int = 0
    wins: int = 0
    is_active: bool = True

    @property
    def win_rate(self) -> float | None:
        """Share of the games with a known outcome that were won, 4 decimals; None without any."""
        return round(self.wins / self.decided, 4) if self.decided else None


def add_session(
    fold: Fold | None, *, user_id: int, session_id: int, at: datetime, score: int, won: bool | None
) -> Fold:
    """The fold (operator `sum`) with one more session.

    A session that leaves the total as it was leaves the moment as it was: whoever reached a
    total first stays above. Raises TotalOutOfRange, and then nothing has changed.
    """
    if fold is None:
        fold = Fold(user_id, 0, session_id, at, session_id)
    total = fold.total_score + score
    if not -MAX_SCORE <= total <= MAX_SCORE:
        raise TotalOutOfRange(
            f"The total would become {total}, beyond ±{MAX_SCORE}. Nothing was changed."
        )
    changed = score != 0
    # By place: these are made for every score that comes.
    return Fold(
        user_id,
        total,
        session_id if changed else fold.achieved_id,
        at if changed else fold.achieved_at,
        session_id,
        fold.games_played + 1,
        fold.decided + (won is not None),
        fold.wins + (won is True),
        fold.is_active,
    )
