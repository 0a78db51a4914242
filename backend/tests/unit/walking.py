"""Random walks of a board: the classes of the live path against a full sort.

A walk drives the real `Mirror`, `Delta`, `VisibleTop` and `OwnRanks` with the steps of an index
that is a sorted list. Players join, rise, fall, leave, come back, play for nothing and are renamed,
in batches of 1 to 500. Writers leave rows' details out as their own mirrors let them, and these
mirrors lag behind. After every step the mirror must be the sorted list's beginning; after every
broadcast all watchers' rows and own ranks must be those of the sorted list.

`scripts/walks` runs as many as it is told; the tests run some hundred.
"""

import json
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random

from app.services.fold import Fold, add_session
from app.services.rank_index.deltas import Delta
from app.services.rank_index.index import IndexedFold
from app.services.rank_index.keys import encode_member
from app.services.rank_index.mirror import Mirror, MirrorError, Present
from app.services.rows import encode_details, encode_entry
from app.websocket import own_ranks
from app.websocket.own_ranks import OwnRanks, Place, advance
from app.websocket.visible_top import VisibleTop
from tests.unit.index_model import IndexModel

AT = datetime(2026, 1, 1, tzinfo=UTC)
BIG = 2**32


@dataclass
class Board:
    """Players' folds and names, and the events that changed them."""

    rng: Random
    ids: list[int]
    event: int
    folds: dict[int, Fold] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)

    def change(self, user_id: int) -> Fold:
        """Something that happens to a player. Most of it is playing."""
        rng, fold = self.rng, self.folds.get(user_id)
        self.event += rng.choice((1, 1, 1, 2, 255))
        self.names.setdefault(user_id, f"p{user_id}")
        kind = rng.random()
        if fold is None or (kind < 0.8 and fold.is_active):
            score = rng.choice((0, 1, 2, 5, 9, -1, -4, -9, rng.randint(-40, 40)))
            fold = add_session(
                fold, user_id=user_id, session_id=self.event, at=AT, score=score, won=None
            )
        elif kind < 0.87 and fold.is_active:
            self.names[user_id] = f"n{self.event}"
            fold = fold._replace(version=self.event)
        else:
            fold = fold._replace(version=self.event, is_active=not fold.is_active)
        self.folds[user_id] = fold
        return fold

    def details(self, user_id: int) -> bytes:
        return encode_details(self.folds[user_id], self.names[user_id])


class Writer:
    """A worker that writes: its own mirror says whose details nobody needs."""

    def __init__(self) -> None:
        self.mirror: Mirror | None = None
        self.waiting: list[Delta] = []

    def hear(self, upto: int) -> None:
        """Takes the steps that it has not heard yet, up to a position."""
        while self.waiting and self.waiting[0].position <= upto and self.mirror is not None:
            try:
                self.mirror.take(self.waiting.pop(0))
            except MirrorError:
                self.mirror = None


@dataclass(eq=False)
class Watcher:
    """A socket as its browser sees it: rows by player from frames alone."""

    position: int
    rows: dict[int, dict]

    def take(self, frame: bytes) -> None:
        told = json.loads(frame)
        assert told["prev"] <= self.position, "a gap"
        for user_id in told["left"]:
            self.rows.pop(user_id, None)
        for user_id, rank in told["moved"]:
            self.rows[user_id] = {**self.rows[user_id], "rank": rank}
        self.rows |= {row["user_id"]: row for row in told["entries"]}
        self.position = told["seq"]


class Walk:
    """One walk. Everything in it follows from the seed."""

    def __init__(self, seed: int) -> None:
        rng = self.rng = Random(seed)
        self.seen = Counter[str]()
        self.capacity = rng.choice((3, 3, 5, 5, 8, 8, 40))
        largest = rng.choice((6, 12, 12, 30, 30, 120, 600))
        first = rng.choice((1, 1, 250, BIG - 5, 256 * BIG - 3))
        step = rng.choice((1, 1, 256))  # ids whose last byte is zero are 256 apart
        ids = [first - first % step + step * (number + 1) for number in range(largest)]
        self.board = Board(rng, ids, rng.choice((0, 250, BIG - 300, 2**40)))
        self.model = IndexModel(self.capacity, descending=rng.random() < 0.7)
        self.writers = [Writer(), Writer()]
        self.top = VisibleTop(rng.randint(1, self.capacity // 2), rng.choice((1, 2, 3, 50)))
        own_ranks._BLOCK = rng.choice((1, 2, 3, 256))
        self.own = OwnRanks()
        self.pending: list[Delta] = []
        self.recent: list[Delta] = []
        self.slots: dict[int, int] = {}
        self.asked: list[tuple[int, Place, int]] = []
        self.asleep: list[Watcher] = []
        self.sync()

    # What a worker does

    def read_window(self) -> Mirror:
        """As the follower reads it."""
        members = self.model.order[: self.capacity]
        details = {member: self.board.details(_player(member)) for member in members}
        return Mirror(members, details, len(self.model.order), self.capacity)

    def sync(self) -> None:
        """Everything anew, as after a loss of trust."""
        self.seen["syncs"] += 1
        self.mirror = self.read_window()
        self.pending, self.recent, self.asked = [], [], []
        self.own.start(self.model.position)
        self.slots.clear()
        self.top.start(self.present)
        self.watcher = Watcher(self.model.position, self.rows())
        self.asleep.clear()

    @property
    def present(self) -> Present:
        model = self.model
        return Present(self.mirror, model.position, model.version, len(model.order))

    def rows(self) -> dict[int, dict]:
        """The visible rows by a full sort."""
        return {
            _player(member): json.loads(encode_entry(rank, self.board.details(_player(member))))
            for rank, member in enumerate(self.model.order[: self.top.rows], 1)
        }

    def step(self) -> None:
        """A batch that some writer brings into the index, and what the worker makes of it."""
        rng, board, model = self.rng, self.board, self.model
        size = min(rng.choice((1, 1, 1, 2, 3, 5, 9, 40, 500)), len(board.ids))
        writer = rng.choice(self.writers)
        folds = [board.change(user_id) for user_id in rng.sample(board.ids, size)]
        # A writer decides on details by what it has heard so far.
        if writer.mirror is None:
            writer.mirror, writer.waiting = self.read_window_as_indexed(), []
        batch = [IndexedFold(fold, self._text(writer, fold)) for fold in folds]
        if rng.random() < 0.1:
            batch += batch[:2]  # a sweep that brings what is there already
        delta = model.step(batch)
        assert delta is not None
        for each in self.writers:
            each.waiting.append(delta)
            each.hear(model.position - rng.choice((0, 0, 0, 1, 3)))
        self.seen["steps"] += 1
        self.take(delta)

    def read_window_as_indexed(self) -> Mirror:
        """A writer's mirror: what its rows show is nobody's concern here."""
        members = self.model.order[: self.capacity]
        return Mirror(members, dict.fromkeys(members, b"."), len(self.model.order), self.capacity)

    def _text(self, writer: Writer, fold: Fold) -> bytes:
        member = encode_member(fold, descending=self.model.descending)
        if writer.mirror is not None and writer.mirror.is_above(member):
            self.seen["details left out"] += 1
            return b""
        return self.board.details(fold.user_id)

    def take(self, delta: Delta) -> None:
        try:
            self.mirror.take(delta)
        except MirrorError:
            self.seen["mirrors given up"] += 1
            self.sync()
            return
        self.check_mirror()
        self.top.note(delta, self.mirror)
        self.pending.append(delta)
        self.recent.append(delta)
        if self.mirror.thin and self.rng.random() < 0.7:
            self.seen["refills"] += 1
            self.mirror = self.read_window()

    # What watchers do

    def connect(self) -> None:
        """A player asks the index for a place, and is placed some steps later."""
        rng, model = self.rng, self.model
        if rng.random() < 0.5:
            user_id = rng.choice(self.board.ids)
            place = Place(model.rank(user_id), model.member(user_id) or b"")
            self.asked.append((user_id, place, model.position))
        if self.asked and rng.random() < 0.6:
            user_id, place, position = self.asked.pop(rng.randrange(len(self.asked)))
            place = advance(user_id, place, position, self.recent)
            assert place.rank == model.rank(user_id)
            assert place.member == (model.member(user_id) or b"")
            slot = self.own.add(user_id, place, model.position)
            assert slot not in self.slots
            self.slots[slot] = user_id
        if self.slots and rng.random() < 0.2:
            slot = rng.choice(list(self.slots))
            self.own.remove(slot)
            del self.slots[slot]
        if rng.random() < 0.3:
            self.asleep.append(Watcher(model.position, self.rows()))

    def broadcast(self) -> None:
        own, model = self.own, self.model
        before = {slot: own.rank(slot) for slot in self.slots}
        movers = {user for delta in self.pending for user in delta.user_ids.tolist()}
        told = own.apply(self.pending)
        for slot, user_id in self.slots.items():
            rank = model.rank(user_id)
            assert own.place(slot) == Place(rank, (model.member(user_id) or b"") if rank else b"")
            if rank != before[slot]:
                assert told[slot] == (before[slot], rank)
        assert {slot for slot in told if slot in self.slots} <= {
            slot for slot, user in self.slots.items()
            if before[slot] != model.rank(user) or user in movers
        }  # fmt: skip
        self.pending = []
        frame = self.top.tell(self.present)
        if frame is not None:
            self.watcher.take(frame)
        assert self.watcher.rows == self.rows()
        if self.asleep and self.rng.random() < 0.5:
            watcher = self.asleep.pop(self.rng.randrange(len(self.asleep)))
            missed = self.top.missed(watcher.position, self.present)
            if missed is not None:
                self.seen["resumed"] += 1
                watcher.take(missed)
                assert watcher.rows == self.rows()

    def check_mirror(self) -> None:
        model, mirror = self.model, self.mirror
        members = mirror.top(self.capacity + 1)
        assert members == model.order[: len(members)]
        assert len(members) <= self.capacity
        assert mirror.complete == (len(members) == len(model.order))
        for member in members:
            assert mirror.details(member) == self.board.details(_player(member))
        assert len(mirror.known_details()) == len(members)

    def run(self, steps: int) -> Counter[str]:
        """Walks so many steps. What happened, by kind."""
        for _ in range(steps):
            self.connect()
            self.step()
            if self.rng.random() < 0.5:
                self.broadcast()
        self.broadcast()
        return self.seen


def _player(member: bytes) -> int:
    return int.from_bytes(member[14:], "big")


def main() -> None:
    """`walks [number] [first seed]`: says what happened; a failure names its seed."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    seen: Counter[str] = Counter()
    started = time.monotonic()
    for seed in range(first, first + number):
        try:
            seen += Walk(seed).run(20)
        except BaseException:
            print(f"walk {seed} failed: scripts/walks 1 {seed}", file=sys.stderr)
            raise
    seconds = time.monotonic() - started
    told = ", ".join(f"{count:,} {kind}" for kind, count in sorted(seen.items()))
    print(f"{number:,} walks in {seconds:.0f} s: {told}")


if __name__ == "__main__":
    main()
