"""The mirror, the visible top and own ranks against a full sort, over random walks."""

import json
from collections import Counter
from datetime import UTC, datetime

from app.services.fold import Fold
from app.services.rank_index.index import IndexedFold
from app.services.rank_index.mirror import Mirror, Present
from app.services.rows import encode_details
from app.websocket import own_ranks
from app.websocket.own_ranks import OwnRanks, Place
from app.websocket.visible_top import VisibleTop
from tests.unit.index_model import IndexModel
from tests.unit.walking import Walk

WALKS = 200
AT = datetime(2026, 1, 1, tzinfo=UTC)


def test_walks_agree_with_a_full_sort(monkeypatch):
    monkeypatch.setattr(own_ranks, "_BLOCK", own_ranks._BLOCK)  # walks set it
    seen = Counter()
    for seed in range(WALKS):
        seen += Walk(seed).run(20)
    # What the walks are there for has happened, and exactness was not had by reading anew.
    assert seen["mirrors given up"] < seen["steps"] / 20
    assert min(seen["details left out"], seen["refills"], seen["resumed"]) > WALKS / 2


class Board:
    """A mirror of a few rows, and the visible top above it."""

    def __init__(self, scores: dict[int, int], rows: int, capacity: int) -> None:
        self.event = 100
        self.model = IndexModel(capacity)
        self.model.apply([self.fold(player, score) for player, score in scores.items()])
        members = self.model.order[:capacity]
        details = {member: b'"user_id":%d' % int.from_bytes(member[14:]) for member in members}
        self.mirror = Mirror(members, details, len(self.model.order), capacity)
        self.top = VisibleTop(rows, 10)
        self.top.start(self.present)

    def fold(self, player: int, score: int, name: str = "x", achieved: int = 0) -> IndexedFold:
        self.event += 1
        fold = Fold(player, score, achieved or self.event, AT, self.event)
        return IndexedFold(fold, encode_details(fold, name))

    @property
    def present(self) -> Present:
        model = self.model
        return Present(self.mirror, model.position, model.version, len(model.order))

    def take(self, *folds: IndexedFold) -> dict | None:
        delta = self.model.step(folds)
        self.mirror.take(delta)
        self.top.note(delta, self.mirror)
        return json.loads(self.top.tell(self.present) or "null")


def test_a_row_that_falls_after_another_has_joined_in_the_same_batch():
    """The join made the mirror longer than it was when the batch began."""
    board = Board({1: 50, 2: 40, 3: 30, 4: 20, 5: 10, 6: 5, 7: 4}, rows=2, capacity=6)
    board.take(board.fold(1, -100))
    assert len(board.mirror) == 5
    board.take(board.fold(8, 60), board.fold(6, -50))
    assert board.mirror.top(9) == board.model.order[: len(board.mirror)]


def test_new_contents_of_a_row_that_was_hidden_for_a_moment_are_told():
    """In one batch: a newcomer hides the second row, the row is renamed, the first row falls."""
    board = Board({1: 50, 2: 40, 3: 30}, rows=2, capacity=6)
    member = board.model.member(2)
    achieved = int.from_bytes(member[8:14])
    frame = board.take(board.fold(4, 60), board.fold(2, 40, "renamed", achieved), board.fold(1, 10))
    assert board.model.member(2) == member
    assert [row["user_id"] for row in frame["entries"]] == [4, 2]
    assert frame["entries"][1]["username"] == "renamed"
    assert frame["left"] == [1]


def test_a_row_that_is_pushed_down_as_the_board_grows_is_told():
    board = Board({1: 50}, rows=5, capacity=10)
    frame = board.take(board.fold(2, 60))
    assert [row["user_id"] for row in frame["entries"]] == [2]
    assert frame["moved"] == [[1, 2]]


def test_more_steps_between_two_broadcasts_than_the_history_keeps():
    """Nothing is forgotten before it was told."""
    board = Board({1: 50, 2: 40, 3: 30}, rows=3, capacity=6)
    board.top = VisibleTop(3, 2)
    board.top.start(board.present)
    started = board.present.position
    for score, player in enumerate((1, 2, 3, 1, 2, 3, 1), 60):
        delta = board.model.step([board.fold(player, score)])
        board.mirror.take(delta)
        board.top.note(delta, board.mirror)
    frame = json.loads(board.top.tell(board.present))
    assert frame["prev"] == started
    assert {row["user_id"] for row in frame["entries"]} == {1, 2, 3}
    # Told, it is forgotten down to what the history keeps.
    board.take(board.fold(3, 100))
    assert board.top.missed(started, board.present) is None
    assert board.top.missed(board.present.position - 1, board.present) is not None
    assert board.top.missed(board.present.position + 1, board.present) is None


def test_a_row_that_falls_where_its_details_are_missing_makes_a_new_revision():
    """Pages are kept by revision, also where the mirror is cut short at the row's new place."""
    board = Board({1: 50, 2: 40, 3: 30, 4: 20}, rows=2, capacity=6)
    revision = board.mirror.revision
    board.take(board.fold(1, 10)._replace(details=b""))
    assert board.mirror.top(9) == board.model.order[:3]
    assert board.mirror.revision != revision


def test_a_mirror_tells_no_rows_beyond_its_last_one():
    board = Board({1: 50, 2: 40, 3: 30, 4: 20}, rows=1, capacity=3)
    assert board.mirror.covers(0, 3)
    assert not board.mirror.covers(0, 4)
    assert not board.mirror.covers(3, 4)
    small = Board({1: 50, 2: 40}, rows=1, capacity=3)
    assert small.mirror.covers(0, 100), "all players are in it"


def test_slots_are_used_again_and_nothing_is_kept_of_those_who_left():
    own = OwnRanks()
    for number in range(1_000):
        slots = [own.add(1 + number + each, Place(1, bytes(20)), 0) for each in range(3)]
        for slot in slots:
            own.remove(slot)
    assert own._size == 64
    assert own._slots == {}
    assert len(own._free) == 64


def test_ids_that_end_with_a_zero_byte_keep_all_their_bytes():
    player = 2**40 + 256
    board = Board({player: 50, 2: 40}, rows=2, capacity=6)
    own = OwnRanks()
    own.start(board.present.position)
    slot = own.add(player, Place(1, board.model.member(player)), board.present.position)
    delta = board.model.step([board.fold(player, 20)])
    assert own.apply([delta]) == {slot: (1, 2)}
    assert own.place(slot) == Place(2, board.model.member(player))
    assert len(own.place(slot).member) == 20
