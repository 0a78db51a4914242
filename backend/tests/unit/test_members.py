"""The bytes that order players: their order is the board's, and nothing is lost in them."""

from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.config import MAX_SCORE, MAX_USER_ID
from app.services.fold import Fold
from app.services.rank_index.keys import MEMBER, Place, decode_member, encode_member

NOW = datetime(2026, 11, 25, tzinfo=UTC)

totals = st.integers(-3, 3) | st.integers(-MAX_SCORE, MAX_SCORE)
events = st.integers(1, 3) | st.integers(1, 2**48 - 1)
places = st.builds(Place, totals, events, st.integers(1, 3) | st.integers(1, MAX_USER_ID))


def member(place: Place, *, descending: bool) -> bytes:
    total, achieved, user_id = place
    return encode_member(Fold(user_id, total, achieved, NOW, achieved), descending=descending)


@settings(max_examples=300)
@given(st.lists(places, min_size=2, max_size=6), st.booleans())
def test_members_are_in_the_order_of_their_board(found, descending):
    """The better total first, then the earlier event, then the smaller id."""
    sign = -1 if descending else 1
    assert sorted(found, key=lambda each: member(each, descending=descending)) == sorted(
        found, key=lambda each: (sign * each.total_score, each.achieved_id, each.user_id)
    )


@given(places, st.booleans())
def test_a_member_says_what_it_was_made_of(place, descending):
    made = member(place, descending=descending)
    assert len(made) == MEMBER
    assert decode_member(made, descending=descending) == place
