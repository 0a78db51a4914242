"""Exact ranks of connected players by arithmetic: no query, however many moved.

A player who didn't move gains a place for every member that was better and left, and loses one
for every member that is better and came. A player who did move takes the rank that the index
gave with the move, corrected by the steps after it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.services.rank_index.deltas import Delta, pad
from app.services.rank_index.index import UNRANKED
from app.services.rank_index.keys import MEMBER

NONE = -1
_KEY = f"S{MEMBER}"
_BLOCK = 256
"""Movers compared with all steps at once: bounds the comparison's memory."""


@dataclass(frozen=True, slots=True)
class Place:
    """A player's rank (from 1, None if unranked) and member (empty if unranked)."""

    rank: int | None
    member: bytes


class Steps:
    """The moves of some deltas in a row, as arrays."""

    def __init__(self, deltas: Sequence[Delta]) -> None:
        records = np.concatenate([delta.records for delta in deltas])
        sizes = [len(delta.records) for delta in deltas]
        self.users = np.concatenate([delta.user_ids for delta in deltas])
        self.positions = np.repeat([delta.position for delta in deltas], sizes)
        self.old, self.new = records["old"], records["new"]
        self.left = records["before"] != UNRANKED
        self.came = records["after"] != UNRANKED
        self.after = records["after"]

    def shift(self, keys: NDArray[np.bytes_]) -> NDArray[np.int64]:
        """How many ranks each key's owner went down (less than 0: up) if none of them moved."""
        came = np.sort(self.new[self.came])
        left = np.sort(self.old[self.left])
        return np.searchsorted(came, keys) - np.searchsorted(left, keys)

    def shift_from(self, keys: NDArray[np.bytes_], starts: NDArray[np.int64]) -> NDArray[np.int64]:
        """The same, each key counting only the steps from its own start on."""
        # Comparing numbers is far cheaper than comparing bytes, so order them all once.
        count = len(self.users)
        _, codes = np.unique(np.concatenate([self.old, self.new, keys]), return_inverse=True)
        old, new, own = codes[:count], codes[count : 2 * count], codes[2 * count :]
        steps = np.arange(count)
        shifts = np.zeros(len(keys), np.int64)
        for at in range(0, len(keys), _BLOCK):
            block = slice(at, at + _BLOCK)
            later = steps >= starts[block, None]
            came = (new < own[block, None]) & self.came & later
            left = (old < own[block, None]) & self.left & later
            shifts[block] = came.sum(axis=1) - left.sum(axis=1)
        return shifts

    def last_of(self, users: Sequence[int]) -> dict[int, int]:
        """{user: index of the user's last step} of these users, where there is one."""
        own = np.isin(self.users, np.fromiter(users, np.int64, len(users)))
        return dict(zip(self.users[own].tolist(), np.flatnonzero(own).tolist(), strict=True))


class OwnRanks:
    """Ranks of connected players, one slot a connection."""

    def __init__(self) -> None:
        self._size = 0
        self._users = np.zeros(0, np.int64)
        self._keys = np.zeros(0, _KEY)
        self._ranks = np.zeros(0, np.int64)
        self._since = np.zeros(0, np.int64)
        self._slots: dict[int, set[int]] = {}
        self._free: list[int] = []
        self._position = 0

    def start(self, position: int) -> None:
        """Forgets everything: the next steps are those after `position`."""
        self.__init__()  # type: ignore[misc]
        self._position = position

    def add(self, user_id: int, place: Place, position: int) -> int:
        """A connected player as of a position (not before the last `apply`). Its slot."""
        if not self._free:
            self._grow()
        slot = self._free.pop()
        self._users[slot] = user_id
        self._keys[slot] = place.member
        self._ranks[slot] = NONE if place.rank is None else place.rank
        self._since[slot] = position
        self._slots.setdefault(user_id, set()).add(slot)
        return slot

    def _grow(self) -> None:
        more = max(64, self._size)
        self._free.extend(range(self._size, self._size + more))
        self._size += more
        for name in ("_users", "_keys", "_ranks", "_since"):
            array = getattr(self, name)
            setattr(self, name, np.concatenate([array, np.zeros(more, array.dtype)]))

    def remove(self, slot: int) -> None:
        """A connection that has ended."""
        user_id = int(self._users[slot])
        slots = self._slots[user_id]
        slots.discard(slot)
        if not slots:
            del self._slots[user_id]
        self._users[slot] = 0
        self._ranks[slot] = NONE
        self._free.append(slot)

    def rank(self, slot: int) -> int | None:
        """As of the last `apply`, or of `add`."""
        rank = int(self._ranks[slot])
        return None if rank == NONE else rank

    def place(self, slot: int) -> Place:
        """Rank and member as of the last `apply`, or of `add`."""
        rank = self.rank(slot)
        return Place(rank, b"" if rank is None else pad(self._keys[slot]) or b"")

    def apply(self, deltas: Sequence[Delta]) -> dict[int, tuple[int | None, int | None]]:
        """Takes the next deltas. {slot: (old rank, new rank)} of the slots of which the rank
        changed or the player moved (a better score may leave the rank as it was)."""
        if not deltas:
            return {}
        before, position = self._ranks.copy(), self._position
        moved: list[int] = []
        self._position = deltas[-1].position
        if not self._slots:
            return {}
        steps = Steps(deltas)
        apart = self._apart(steps, position)
        ranked = self._ranks != NONE
        ranked[apart] = False
        if ranked.any():
            self._ranks[ranked] += steps.shift(self._keys[ranked])
        if len(apart):
            moved = self._move(apart, steps)
        changed = before != self._ranks
        changed[moved] = True
        return {
            int(slot): (_rank(before[slot]), _rank(self._ranks[slot]))
            for slot in np.flatnonzero(changed)
        }

    def _apart(self, steps: Steps, position: int) -> NDArray[np.int64]:
        """The slots for which not all the steps count: those that moved, and newcomers."""
        slots = [
            slot
            for user in np.unique(steps.users).tolist()
            if user in self._slots
            for slot in self._slots[user]
        ]
        late = np.flatnonzero((self._since > position) & (self._users != 0))
        return np.union1d(np.array(slots, np.int64), late).astype(np.int64)

    def _move(self, slots: NDArray[np.int64], steps: Steps) -> list[int]:
        """Places these slots one by one. Those of players who moved themselves."""
        moved: list[int] = []
        starts = np.searchsorted(steps.positions, self._since[slots], side="right")
        last = steps.last_of(self._users[slots].tolist())
        for at, slot in enumerate(slots.tolist()):
            step = last.get(int(self._users[slot]), NONE)
            if step >= starts[at]:
                self._keys[slot] = steps.new[step]
                self._ranks[slot] = steps.after[step] + 1 if steps.came[step] else NONE
                starts[at] = step + 1
                moved.append(slot)
        shifts = steps.shift_from(self._keys[slots], starts)
        ranked = self._ranks[slots] != NONE
        self._ranks[slots[ranked]] += shifts[ranked]
        return moved


def _rank(rank: np.int64) -> int | None:
    return None if rank == NONE else int(rank)


def advance(user_id: int, place: Place, position: int, deltas: Sequence[Delta]) -> Place:
    """Where a player, placed at `position`, stands after the deltas that came later."""
    later = [delta for delta in deltas if delta.position > position]
    if not later:
        return place
    own = OwnRanks()
    own.start(position)
    slot = own.add(user_id, place, position)
    own.apply(later)
    return own.place(slot)
