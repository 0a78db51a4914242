"""What a batch does, decided on every score alone. Pure: no database, no clock, no queue."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol, TypeAlias

import structlog

from app.core.errors import (
    AppError,
    IdempotencyMismatch,
    InternalError,
    PlayerInactive,
    UnknownPlayer,
)
from app.services.boards import BoardSeason
from app.services.fold import Fold, add_session
from app.services.ledger import Player, SessionRow, UsedKey
from app.services.submissions import Submission, check_played_at

log = structlog.get_logger(__name__)

FoldKey: TypeAlias = tuple[int, int, int]
"""(board_id, season, user_id)"""


class Matching(Protocol):
    """Which boards a game counts for."""

    def matching(self, game_mode: str) -> Sequence[BoardSeason]: ...


class Known(NamedTuple):
    """What a transaction has locked and read before it decides."""

    players: Mapping[int, Player]
    now: datetime
    ids: Sequence[int]
    """An event id for each submission, rising."""
    folds: Mapping[FoldKey, Fold]
    keys: Mapping[bytes, UsedKey]


class Total(NamedTuple):
    """What a board says of the player right after the game."""

    total_score: int
    is_new_best: bool


class Accepted(NamedTuple):
    """A score that is stored by this batch."""

    session_id: int
    totals: dict[BoardSeason, Total]


class Replayed(NamedTuple):
    """A score that was stored before, under its key."""

    session_id: int


Outcome: TypeAlias = Accepted | Replayed | AppError


@dataclass(slots=True)
class Plan:
    """What one transaction does. `outcomes` are in the order of the submissions."""

    known: Mapping[FoldKey, Fold] = field(default_factory=dict)
    outcomes: list[Outcome] = field(default_factory=list)
    rows: list[SessionRow] = field(default_factory=list)
    folds: dict[BoardSeason, dict[int, Fold]] = field(default_factory=dict)
    keys: dict[bytes, UsedKey] = field(default_factory=dict)
    kept_keys: set[bytes] = field(default_factory=set)
    """Keys of other lineages to be remembered as long as those in `keys`, which are stored apart
    only while these are there."""
    names: dict[int, str] = field(default_factory=dict)
    repeats: dict[BoardSeason, dict[int, Fold]] = field(default_factory=dict)
    """The folds of players with replayed scores as they were. They go to the index once more, so
    that it has those scores before their ranks are told."""

    def is_first(self, board: BoardSeason, user_id: int) -> bool:
        """Whether the player had no score on the board before this batch."""
        return (board.board_id, board.season, user_id) not in self.known

    def to_index(self) -> Iterator[tuple[BoardSeason, dict[int, Fold]]]:
        """The folds whose ranks are told, board by board in locking order."""
        for board in sorted({*self.folds, *self.repeats}, key=lambda each: each.key):
            yield board, {**self.repeats.get(board, {}), **self.folds.get(board, {})}


def make_plan(
    submissions: Sequence[Submission], known: Known, boards: Matching, window: timedelta
) -> Plan:
    """Decides on every submission alone, in the order in which they came."""
    plan = Plan(known.folds)
    for submission, session_id in zip(submissions, known.ids, strict=True):
        outcome: Outcome
        try:
            outcome = _decide(plan, submission, session_id, known, boards, window)
        except AppError as error:
            outcome = error
        except Exception:  # one item's defect is not its neighbours'
            log.exception("submission could not be decided on", user_id=submission.user_id)
            outcome = InternalError("The score could not be counted.")
        plan.outcomes.append(outcome)
    return plan


def _decide(
    plan: Plan,
    submission: Submission,
    session_id: int,
    known: Known,
    boards: Matching,
    window: timedelta,
) -> Accepted | Replayed:
    """Notes in the plan what an accepted submission changes. Raises AppError, and then nothing
    has changed."""
    matching = boards.matching(submission.game_mode)
    # Before all rules: whatever they say now, a score that was stored is stored.
    place, use = _place_of_key(plan, submission, known)
    if use is not None:
        _repeat(plan, submission, known, matching)
        return Replayed(use.session_id)
    player = _admit(submission, known, window)
    at = submission.played_at or known.now
    totals = {}
    changed = []
    for board in matching:
        before = _fold_of(plan, board, submission.user_id)
        fold = add_session(
            before,
            user_id=submission.user_id,
            session_id=session_id,
            at=at,
            score=submission.score,
            won=submission.won,
        )
        changed.append((board, fold))
        totals[board] = Total(fold.total_score, _is_better(board, fold, before))
    for board, fold in changed:
        plan.folds.setdefault(board, {})[player.user_id] = fold
    plan.names[player.user_id] = player.username
    if place is not None:
        plan.keys[place] = UsedKey(submission.body_hash, session_id, submission.lineage)
        if place != submission.key_hash:
            plan.kept_keys.add(submission.key_hash)
    plan.rows.append(
        SessionRow(
            session_id,
            submission.user_id,
            submission.score,
            submission.game_mode,
            at,
            submission.duration_ms,
            submission.won,
            submission.metadata,
        )
    )
    return Accepted(session_id, totals)


def _place_of_key(
    plan: Plan, submission: Submission, known: Known
) -> tuple[bytes | None, UsedKey | None]:
    """Under which hash the submission's key is stored, and what it was used for before, if it was.

    The first lineage of API keys that uses a key has it under its plain hash; another lineage that
    uses the same words has a key of its own. Raises IdempotencyMismatch.
    """
    if submission.key is None:
        return None, None
    place = submission.key_hash
    use = known.keys.get(place) or plan.keys.get(place)
    if use is not None and not submission.owns(use.lineage):
        place = submission.own_key_hash
        use = known.keys.get(place) or plan.keys.get(place)
    if use is not None and use.body_hash != submission.body_hash:
        raise IdempotencyMismatch("This key was used before, with another body.")
    return place, use


def _repeat(
    plan: Plan, submission: Submission, known: Known, matching: Sequence[BoardSeason]
) -> None:
    player = known.players.get(submission.user_id)
    if player is None:
        return
    plan.names[player.user_id] = player.username
    for board in matching:
        fold = known.folds.get((board.board_id, board.season, player.user_id))
        if fold is not None:
            plan.repeats.setdefault(board, {})[player.user_id] = fold


def _admit(submission: Submission, known: Known, window: timedelta) -> Player:
    if submission.refusal is not None:
        raise submission.refusal
    player = known.players.get(submission.user_id)
    if player is None:
        raise UnknownPlayer(f"There is no player {submission.user_id}.")
    if not player.is_active:
        raise PlayerInactive(f"Player {submission.user_id} is deactivated.")
    if submission.played_at is not None:
        check_played_at(submission.played_at, known.now, window)
    return player


def _fold_of(plan: Plan, board: BoardSeason, user_id: int) -> Fold | None:
    """The player's fold with what this batch has changed so far."""
    folds = plan.folds.get(board)
    fold = folds.get(user_id) if folds else None
    return fold or plan.known.get((board.board_id, board.season, user_id))


def _is_better(board: BoardSeason, fold: Fold, before: Fold | None) -> bool:
    if before is None:
        return True
    gain = fold.total_score - before.total_score
    return gain > 0 if board.descending else gain < 0
