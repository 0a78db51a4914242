"""What a batch decides, item by item: a pure function, held against a plain model."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.config import MAX_SCORE
from app.core.errors import (
    ClientSubmissionsOff,
    IdempotencyMismatch,
    InternalError,
    InvalidInput,
    PlayerInactive,
    TotalOutOfRange,
    UnknownPlayer,
)
from app.services.boards import BoardSeason
from app.services.fold import Fold
from app.services.ledger import Player, UsedKey
from app.services.submissions import Submission
from app.services.submit import plan as plans
from app.services.submit.plan import Accepted, Known, Replayed, make_plan

NOW = datetime(2026, 11, 25, tzinfo=UTC)
WINDOW = timedelta(minutes=5)
GLOBAL = BoardSeason(1, "global", 1)
RACES = BoardSeason(2, "races", 3, descending=False, game_modes=frozenset({"race"}))
PLAYERS = {1: Player(1, "Ada", True), 2: Player(2, "Bo", True), 3: Player(3, "Cy", False)}


class Boards:
    def matching(self, game_mode):
        return tuple(board for board in (GLOBAL, RACES) if board.counts(game_mode))


def fold(user_id, total, version=1):
    return Fold(user_id, total, version, NOW, version, 1)


def decide(*submissions, folds=None, keys=None):
    known = Known(PLAYERS, NOW, range(101, 101 + len(submissions)), folds or {}, keys or {})
    return make_plan(submissions, known, Boards(), WINDOW)


def used(submission, session_id):
    return {submission.key_hash: UsedKey(submission.body_hash, session_id)}


@pytest.mark.parametrize(
    ("submission", "error"),
    [
        (Submission(9, 1, "x"), UnknownPlayer),
        (Submission(3, 1, "x"), PlayerInactive),
        (Submission(1, 1, "x", played_at=NOW - WINDOW - timedelta(seconds=1)), InvalidInput),
        (Submission(1, 1, "x", played_at=NOW + timedelta(minutes=1)), InvalidInput),
        (Submission(1, 1, "x", refusal=ClientSubmissionsOff("no")), ClientSubmissionsOff),
    ],
)
def test_a_score_that_was_stored_is_answered_before_any_rule_is_asked(submission, error):
    with_key = submission._replace(key="k")
    assert isinstance(decide(submission).outcomes[0], error)
    assert isinstance(decide(with_key).outcomes[0], error)
    known = used(with_key, 7)
    assert decide(with_key, keys=known).outcomes == [Replayed(7)]
    other = decide(with_key._replace(score=2), keys=known)
    assert isinstance(other.outcomes[0], IdempotencyMismatch)
    assert other.rows == []


def test_a_repeat_goes_to_the_index_again_with_what_is_stored():
    submission = Submission(1, 5, "race", key="k")
    folds = {(1, 1, 1): fold(1, 12, 9), (2, 3, 1): fold(1, 5, 9), (1, 1, 2): fold(2, 3)}
    plan = decide(submission, folds=folds, keys=used(submission, 9))
    assert list(plan.to_index()) == [(GLOBAL, {1: fold(1, 12, 9)}), (RACES, {1: fold(1, 5, 9)})]
    assert (plan.rows, plan.folds, plan.keys) == ([], {}, {})
    # A new score of the same batch is what the index is told, not the older fold.
    plan = decide(submission, Submission(1, 1, "x"), folds=folds, keys=used(submission, 9))
    shown = dict(plan.to_index())
    assert shown[GLOBAL][1].total_score == 13
    assert shown[RACES][1].total_score == 5


def test_one_key_twice_in_a_batch_counts_once():
    plan = decide(
        Submission(1, 5, "x", key="k"),
        Submission(1, 5, "x", key="k"),
        Submission(1, 6, "x", key="k"),
    )
    assert [type(each) for each in plan.outcomes] == [Accepted, Replayed, IdempotencyMismatch]
    assert plan.outcomes[1].session_id == 101
    assert plan.folds[GLOBAL][1].total_score == 5


def test_a_total_out_of_range_changes_no_board():
    folds = {(2, 3, 1): fold(1, MAX_SCORE)}
    plan = decide(Submission(1, 1, "race"), Submission(1, 2, "x"), folds=folds)
    assert isinstance(plan.outcomes[0], TotalOutOfRange)
    assert plan.outcomes[1].totals[GLOBAL].total_score == 2
    assert plan.folds == {GLOBAL: {1: plan.folds[GLOBAL][1]}}
    assert [row.id for row in plan.rows] == [102]


def test_is_new_best_goes_by_the_boards_own_order():
    folds = {(1, 1, 1): fold(1, 10), (2, 3, 1): fold(1, 10)}
    for score, better, worse in ((5, GLOBAL, RACES), (-5, RACES, GLOBAL)):
        (outcome,) = decide(Submission(1, score, "race"), folds=folds).outcomes
        assert outcome.totals[better].is_new_best
        assert not outcome.totals[worse].is_new_best
    (same,) = decide(Submission(1, 0, "race"), folds=folds).outcomes
    assert not any(each.is_new_best for each in same.totals.values())
    (first,) = decide(Submission(2, 0, "x"), folds=folds).outcomes
    assert first.totals[GLOBAL].is_new_best


def test_one_items_defect_is_not_its_neighbours(monkeypatch):
    add = plans.add_session

    def broken(*args, score, **options):
        if score == 13:
            raise ZeroDivisionError
        return add(*args, score=score, **options)

    monkeypatch.setattr(plans, "add_session", broken)
    plan = decide(Submission(1, 1, "x"), Submission(2, 13, "x"), Submission(1, 2, "x"))
    assert [type(each) for each in plan.outcomes] == [Accepted, InternalError, Accepted]
    assert plan.folds[GLOBAL][1].total_score == 3


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 3), st.integers(-3, 3), st.sampled_from(["x", "race"])),
        max_size=12,
    ),
    st.dictionaries(st.integers(1, 2), st.integers(-9, 9)),
)
def test_plans_agree_with_a_plain_sum(games, before):
    folds = {(1, 1, user_id): fold(user_id, total) for user_id, total in before.items()}
    plan = decide(*(Submission(*game) for game in games), folds=folds)
    totals = {(GLOBAL, user_id): total for user_id, total in before.items()}
    touched = set()
    for (user_id, score, mode), outcome in zip(games, plan.outcomes, strict=True):
        if user_id == 3:
            assert isinstance(outcome, PlayerInactive)
            continue
        assert outcome.totals.keys() == set(Boards().matching(mode))
        for board, told in outcome.totals.items():
            totals[board, user_id] = totals.get((board, user_id), 0) + score
            assert told.total_score == totals[board, user_id]
            touched.add((board, user_id))
    assert touched == {(board, user_id) for board in plan.folds for user_id in plan.folds[board]}
    for board, user_id in touched:
        changed = plan.folds[board][user_id]
        assert changed.total_score == totals[board, user_id]
        assert changed.version == max(
            row.id for row in plan.rows if row.user_id == user_id and board.counts(row.game_mode)
        )
