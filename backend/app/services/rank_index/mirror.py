"""The best entries of a board, kept in memory and exact by applying every delta in order."""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import count
from typing import NamedTuple

from app.services.rank_index.deltas import Delta
from app.services.rows import encode_entry

_revisions = count()


class MirrorError(Exception):
    """The mirror no longer matches the deltas; it has to be read anew."""


class Present(NamedTuple):
    """A board at one position of its delta stream."""

    mirror: "Mirror"
    position: int
    version: int
    players: int


class Mirror:
    """The first rows of a board: members in order, and each one's encoded details.

    Without gaps from rank 1 to `len(self)`. Rows that fall out of the window are dropped; when
    too many have, `thin` says so and the owner reads the window anew. At least half of the
    capacity is always there, or all players.
    """

    def __init__(
        self, members: Sequence[bytes], details: dict[bytes, bytes], players: int, capacity: int
    ) -> None:
        self._members = list(members)
        self._details = {member: details[member] for member in members}
        self._players = players
        self._capacity = capacity
        self.revision = next(_revisions)
        """Another number whenever a row or its place changed; no two mirrors share one."""

    def __len__(self) -> int:
        return len(self._members)

    @property
    def complete(self) -> bool:
        """Whether every ranked player is in here."""
        return len(self._members) >= self._players

    @property
    def thin(self) -> bool:
        """Whether it is time to read the window anew."""
        return not self.complete and len(self._members) < self._capacity * 4 // 5

    def covers(self, first: int, last: int) -> bool:
        """Whether rows `first` to `last` (from 0, last excluded) can be told from here."""
        return first <= last and (last <= len(self._members) or self.complete)

    def take(self, delta: Delta) -> None:
        """Applies one step of the index. Raises MirrorError if the two don't fit, or if fewer
        rows than half of the capacity are left."""
        # Each step can make the mirror longer by a row, so a later step of the same delta may
        # begin or end at a row that was not in the mirror before it.
        rows = len(self._members) + len(delta.records)
        if delta.touches(rows):
            for old, new, after, details in delta.steps(rows):
                self._move(old, new, after, details)
        lost_many = len(self._members) < self._capacity // 2 and not self.complete
        if self._players != delta.players or lost_many:
            raise MirrorError

    def _move(self, old: bytes | None, new: bytes | None, after: int, details: bytes) -> None:
        """One player's step. `after` is the new rank from 0."""
        changed = False
        was_complete = self.complete
        self._players += (new is not None) - (old is not None)
        if old is not None and old in self._details:
            del self._members[bisect_left(self._members, old)], self._details[old]
            changed = True
        if new is not None:
            at = bisect_left(self._members, new)
            if at < len(self._members) or was_complete:
                if at != after:
                    raise MirrorError
                if not details:
                    # The writer's mirror ended above this row. Ours now does, too.
                    self._cut(at)
                    return
                self._members.insert(at, new)
                self._details[new] = details
                changed = True
                if len(self._members) > self._capacity:
                    del self._details[self._members.pop()]
        if changed:
            self.revision = next(_revisions)

    def _cut(self, at: int) -> None:
        for member in self._members[at:]:
            del self._details[member]
        del self._members[at:]
        self.revision = next(_revisions)

    def is_above(self, member: bytes) -> bool:
        """Whether a member's place is surely below the last row, so that nobody needs its
        details."""
        if self.complete or self.thin or not self._members:
            return False
        return member > self._members[-1]

    def top(self, count: int) -> list[bytes]:
        """The members of the best `count` players, best first."""
        return self._members[:count]

    def shows(self, member: bytes) -> bool:
        """Whether this row is in here."""
        return member in self._details

    def details(self, member: bytes) -> bytes:
        """A row's encoded details."""
        return self._details[member]

    def known_details(self) -> dict[bytes, bytes]:
        """Details by member, of all rows."""
        return self._details

    def encode(self, first: int, last: int) -> bytes:
        """The entries from `first` to `last` (from 0, last excluded), encoded, comma between."""
        details = self._details
        return b",".join(
            [
                encode_entry(rank, details[member])
                for rank, member in enumerate(self._members[first:last], first + 1)
            ]
        )
