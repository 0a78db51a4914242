"""A server that went back in time is told from answers that came late."""

from hypothesis import given
from hypothesis import strategies as st

from app.services.rank_index.seen import Seen, Step

_CALLS = st.lists(st.tuples(st.integers(0, 6), st.booleans()), max_size=12)


@given(_CALLS, st.randoms(use_true_random=False))
def test_answers_in_any_order_are_no_step_back(calls, chance):
    """The server steps on between calls, by some positions or to a new epoch. Answers come late."""
    seen, server, epoch = Seen(), Step("e0", 0), 0
    under_way: list[tuple[Step, Step]] = []
    for steps, is_rebuilt in calls:
        before = seen.newest
        if is_rebuilt and len(under_way) < 4:
            epoch += 1
            server = Step(f"e{epoch}", 0)
        server = Step(server.epoch, server.position + steps)
        under_way.append((before, server))
        while under_way and chance.random() < 0.6:
            before, answer = under_way.pop(chance.randrange(len(under_way)))
            assert seen.take(before, answer.epoch, answer.position)
    for before, answer in under_way:
        assert seen.take(before, answer.epoch, answer.position)


def test_a_smaller_position_is_a_step_back():
    seen = Seen()
    assert seen.take(seen.newest, "a", 5)
    assert not seen.take(seen.newest, "a", 4)
    assert seen.take(seen.newest, "a", 5)


def test_an_epoch_that_was_left_is_a_step_back():
    seen = Seen()
    assert seen.take(seen.newest, "a", 5)
    early = seen.newest
    assert seen.take(seen.newest, "b", 0)
    assert seen.take(early, "a", 6)
    assert (seen.newest.epoch, seen.newest.position) == ("b", 0)
    assert not seen.take(seen.newest, "a", 7)
    seen.forget()
    assert seen.take(seen.newest, "a", 7)
