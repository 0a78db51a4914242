"""A sample: a board's order at a moment, thinned until it is small, and ranks told from it.

It has the members of the best 1,000 and, further down, of ranks that grow by 0.5 % from one to the
next, to the last player: 2,400 members of a board of a million. So the rank of any member is known
exactly among the best, and to 0.5 % elsewhere.
"""

import zlib
from bisect import bisect_left
from collections.abc import Iterator

import numpy as np

from app.services.rank_index.keys import MEMBER

# Stored samples rely on these: with other ones they could not be read.
BEST = 1_000
"""Of so many of the best every one is in a sample."""
STEP = 200
"""Below them the next rank is further down by one in so many."""
_MAX_PLAYERS = 2**32


def _further() -> Iterator[int]:
    rank = BEST
    while (rank := rank + rank // STEP) < _MAX_PLAYERS:
        yield rank


FURTHER = tuple(_further())
"""Ranks, from 1, that are in a sample beyond the best, as far as there are players."""


class Sample:
    """The members in a sample, best first, and where any other would stand among them."""

    def __init__(self, players: int, members: bytes) -> None:
        """Raises ValueError if the members are not those that a sample has."""
        self.players = players
        self._members = members
        if len(members) != MEMBER * count_members(players):
            raise ValueError("a sample of another layout")

    def __len__(self) -> int:
        return len(self._members) // MEMBER

    def __getitem__(self, at: int) -> bytes:
        return self._members[at * MEMBER : (at + 1) * MEMBER]

    def rank_at(self, at: int) -> int:
        """The rank, from 1, of the member at this place in the sample."""
        if at < BEST:
            return at + 1
        return self.players if at == len(self) - 1 else FURTHER[at - BEST]

    def rank_of(self, member: bytes) -> tuple[int, bool]:
        """(rank from 1, whether it is exact). Exact is the rank of who is in the sample; between
        two of its members it is reckoned from how far apart they are."""
        at = bisect_left(self, member)
        if at < len(self) and self[at] == member:
            return self.rank_at(at), True
        # A member of the best that is not there was on its way when the sample was taken.
        if at < BEST:
            return min(at + 1, self.players), False
        if at == len(self):
            return self.players, False
        above, below = self.rank_at(at - 1), self.rank_at(at)
        first, here, last = (
            int.from_bytes(each, "big") for each in (self[at - 1], member, self[at])
        )
        rank = above + round((below - above) * (here - first) / (last - first))
        return max(above + 1, min(rank, below - 1)), False


def count_members(players: int) -> int:
    """How many members a sample of a board with so many players has."""
    if players <= BEST:
        return players
    return BEST + bisect_left(FURTHER, players) + 1


def pack(members: bytes) -> bytes:
    """As samples are stored. Neighbours have most of their bytes in common: put together by their
    place in the member, they take two thirds of the room that they take otherwise."""
    table = np.frombuffer(members, np.uint8).reshape(-1, MEMBER)
    return zlib.compress(table.T.tobytes())


def unpack(players: int, packed: bytes) -> Sample:
    """A sample out of what was stored. Raises ValueError for what this version can't read."""
    table = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(MEMBER, -1)
    return Sample(players, table.T.tobytes())
