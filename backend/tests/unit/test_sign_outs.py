"""When a player's tokens end early: events in any cut, read as often as one likes."""

import math
from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from app.services.access.sign_outs import SignOuts, fold

kinds = st.sampled_from(["deactivated", "reactivated"])
steps = st.tuples(st.integers(1, 3), kinds, st.floats(0, 100))


def ended(good_from: dict[int, float], user_id: int, issued_at: int) -> bool:
    sign_outs = SignOuts()
    sign_outs._good_from = good_from
    return sign_outs.ended(user_id, issued_at)


def test_a_deactivated_player_has_no_good_token():
    gone = fold([(1, "deactivated", 50.5)], {})
    assert ended(gone, 1, 10)
    assert ended(gone, 1, 10**9), "not one that was made meanwhile, either"
    assert not ended(gone, 2, 10)


def test_who_comes_back_has_the_tokens_made_since():
    back = fold([(1, "deactivated", 50.5), (1, "reactivated", 60.9)], {})
    assert ended(back, 1, 59)
    assert not ended(back, 1, 60)
    assert not ended({}, 1, 0)


@given(st.lists(steps, max_size=20), st.data())
def test_events_may_be_read_again_and_in_pieces(given_steps, data):
    moments = accumulate(seconds for _, _, seconds in given_steps)
    events = [(user, kind, at) for (user, kind, _), at in zip(given_steps, moments, strict=True)]
    whole = fold(events, {})
    known: dict[int, float] = {}
    seen = 0
    while seen < len(events):
        upto = data.draw(st.integers(seen + 1, len(events)))
        known = fold(events[data.draw(st.integers(0, seen)) : upto], known)
        seen = upto
    assert known == whole
    last = {user: kind for user, kind, _ in events}
    assert {user for user, at in whole.items() if at == math.inf} == {
        user for user, kind in last.items() if kind == "deactivated"
    }
