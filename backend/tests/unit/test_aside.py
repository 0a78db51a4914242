"""Scores of locked players: apart, in order, bounded."""

import asyncio

from app.services.submissions import Submission
from app.services.submit import aside
from app.services.submit.aside import Aside
from app.services.submit.batch import Item


def item(user_id, score, deadline=10.0):
    loop = asyncio.new_event_loop()
    try:
        return Item(Submission(user_id, score, "x"), loop.create_future(), deadline)
    finally:
        loop.close()


def scores(items):
    return [(each.submission.user_id, each.submission.score) for each in items]


def test_each_players_scores_stay_in_order_and_the_players_take_turns():
    waiting = Aside()
    waiting.put([item(1, 1), item(2, 1), item(1, 2)])
    taken = waiting.take(10)
    assert scores(taken) == [(1, 1), (1, 2), (2, 1)]
    assert (waiting.count, 1 in waiting) == (0, True)
    waiting.put([item(1, 3)])  # while the others are being written
    waiting.give_back(taken[:2])
    assert scores(waiting.take(10)) == [(1, 1), (1, 2), (1, 3)]
    waiting.put([item(2, 2), item(1, 4)])
    waiting.give_back([item(2, 1)])
    assert scores(waiting.take(1)) == [(1, 4)]
    assert scores(waiting.take(10)) == [(2, 1), (2, 2)]


def test_a_player_is_kept_apart_until_released_and_while_scores_wait():
    waiting = Aside()
    waiting.put([item(1, 1), item(2, 1)])
    waiting.take(1)
    waiting.release([1, 2, 3])
    assert 1 not in waiting
    assert 2 in waiting
    waiting.take(1)
    assert 2 in waiting
    assert bool(waiting)
    waiting.release([2])
    assert not waiting


def test_scores_that_waited_too_long_are_taken_out():
    waiting = Aside()
    waiting.put([item(1, 1, 5.0), item(1, 2, 6.0), item(2, 1, 5.5)])
    assert scores(waiting.expired(5.5)) == [(1, 1), (2, 1)]
    assert waiting.count == 1
    assert scores(waiting.take(10)) == [(1, 2)]


def test_players_without_scores_are_bounded(monkeypatch):
    monkeypatch.setattr(aside, "MAX_SUSPECTS", 3)
    waiting = Aside()
    waiting.put([item(user_id, 1) for user_id in range(5)])
    waiting.take(4)
    assert list(waiting.expired(0)) == []
    assert [user_id in waiting for user_id in range(5)] == [False] * 4 + [True]
