"""The watcher's state: every frame, and what must not be believed."""

from app.cli.watch.moves import SHOWN_SECONDS, Moves
from app.cli.watch.state import State, advance


def row(rank, user_id, score=100, **fields):
    return {
        "rank": rank,
        "user_id": user_id,
        "username": f"player {user_id}",
        "total_score": score,
        "games_played": 1,
        "win_rate": None,
        "achieved_at": "2026-01-01T00:00:00Z",
        **fields,
    }


def snapshot(seq=10, entries=(), me=None, **fields):
    return {
        "type": "snapshot",
        "seq": seq,
        "epoch": "e1",
        "live": True,
        "board": "global",
        "season": 1,
        "total_players": len(entries),
        "version": seq,
        "entries": list(entries),
        "me": me,
        **fields,
    }


def update(seq, prev, entries=(), moved=(), left=(), **fields):
    return {
        "type": "update",
        "seq": seq,
        "prev": prev,
        "total_players": 3,
        "version": seq,
        "entries": list(entries),
        "moved": list(moved),
        "left": list(left),
        **fields,
    }


THREE = (row(1, 7, 300), row(2, 8, 200), row(3, 9, 100))


def started(**fields):
    return advance(State(), snapshot(entries=THREE, **fields))


def order(state):
    return [(entry.rank, entry.user_id) for entry in state.rows]


def test_a_snapshot_replaces_all():
    state = advance(started(), snapshot(seq=50, epoch="e2", entries=[row(1, 5)]))
    assert (state.seq, state.epoch, order(state)) == (50, "e2", [(1, 5)])
    assert state.own is None


def test_an_update_changes_moves_and_removes():
    state = advance(started(), update(12, 10, entries=[row(1, 9, 400)], moved=[[7, 2]], left=[8]))
    assert order(state) == [(1, 9), (2, 7)]
    assert state.entries[9].total_score == 400
    assert state.entries[7].total_score == 300
    assert state.seq == 12


def test_the_state_before_stays_as_it_was():
    before = started()
    advance(before, update(12, 10, entries=[row(1, 9, 400)], moved=[[7, 2]], left=[8]))
    assert order(before) == [(1, 7), (2, 8), (3, 9)]


def test_a_gap_is_noticed_and_nothing_of_it_believed():
    state = advance(started(), update(15, 11, left=[7]))
    assert state.missed
    assert order(state) == order(started())
    assert not advance(state, snapshot(seq=20)).missed


def test_an_update_that_begins_before_the_snapshot_is_no_gap():
    state = advance(started(), update(12, 4, moved=[[7, 2], [8, 1]]))
    assert not state.missed
    assert order(state) == [(1, 8), (2, 7), (3, 9)]


def test_an_update_older_than_the_snapshot_is_ignored():
    assert advance(started(), update(9, 8, left=[7])) == started()


def test_a_player_who_left_and_came_back_in_one_update_stays():
    state = advance(started(), update(11, 10, entries=[row(1, 7, 500)], left=[7]))
    assert state.entries[7].total_score == 500


def test_own_rank():
    me = row(2, 8, 200, percentile=66.67, tier="Silver")
    state = started(me=me)
    assert state.own.rank == 2
    frame = {
        "type": "rank",
        "seq": 14,
        "rank": 1,
        "rank_change": 1,
        "total_players": 4,
        "score": 120,
    }
    state = advance(state, frame)
    assert (state.own.rank, state.own.change, state.own.username) == (1, 1, "player 8")
    assert state.total_players == 4
    # Ranks come between updates and don't hide a gap from them.
    assert state.seq == 10
    assert not advance(state, update(15, 10)).missed


def test_own_rank_of_somebody_without_one():
    frame = {
        "type": "rank",
        "seq": 14,
        "rank": None,
        "rank_change": 0,
        "total_players": 3,
        "score": None,
    }
    assert advance(started(), frame).own.rank is None


def test_status_and_unknown_frames():
    state = advance(started(), {"type": "status", "seq": 10, "live": False})
    assert not state.live
    assert advance(state, {"type": "pong", "seq": 10}) == state
    assert advance(state, update(11, 10)).live


def test_moves_add_up_and_fade():
    moves, before = Moves(), started()
    after = advance(before, update(12, 10, moved=[[9, 2], [8, 3]]))
    moves.note(before, after, now=100.0)
    last = advance(after, update(13, 12, moved=[[9, 1], [7, 2]]))
    moves.note(after, last, now=101.0)
    assert [moves.of(user_id, 101.0) for user_id in (7, 8, 9)] == [-1, -1, 2]
    assert moves.of(9, 101.0 + SHOWN_SECONDS) == 0
