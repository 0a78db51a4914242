"""The operator `sum`, session by session, against what a list of sessions says."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.config import MAX_SCORE
from app.core.errors import TotalOutOfRange
from app.services.fold import Fold, add_session

AT = datetime(2026, 11, 25, tzinfo=UTC)
scores = st.sampled_from((0, 0, 1, -1)) | st.integers(-1_000, 1_000)
sessions = st.lists(st.tuples(scores, st.sampled_from((None, True, False))), min_size=1)


def fold_of(games: list[tuple[int, bool | None]], first_id: int = 7) -> Fold:
    fold = None
    for number, (score, won) in enumerate(games):
        fold = add_session(
            fold,
            user_id=1,
            session_id=first_id + number,
            at=AT + timedelta(seconds=number),
            score=score,
            won=won,
        )
    assert fold is not None
    return fold


@given(sessions)
def test_a_fold_is_what_its_sessions_say(games):
    """The moment is that of the last session that changed the total, or of the first session."""
    moment = max((at for at, (score, _) in enumerate(games) if score != 0), default=0)
    decided = [won for _, won in games if won is not None]
    assert fold_of(games) == Fold(
        user_id=1,
        total_score=sum(score for score, _ in games),
        achieved_id=7 + moment,
        achieved_at=AT + timedelta(seconds=moment),
        version=7 + len(games) - 1,
        games_played=len(games),
        decided=len(decided),
        wins=sum(decided),
    )


@pytest.mark.parametrize("sign", [1, -1])
def test_totals_reach_the_last_exact_number_and_no_further(sign):
    assert fold_of([(sign * (MAX_SCORE - 1), None), (sign, None)]).total_score == sign * MAX_SCORE
    with pytest.raises(TotalOutOfRange):
        fold_of([(sign * MAX_SCORE, None), (sign, None)])
