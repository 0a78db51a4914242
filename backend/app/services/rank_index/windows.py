"""Runs of neighbours in the index: what may be asked for, and what is answered."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from app.services.rank_index.keys import locate

MEMBERS_PER_CALL = 4_000
"""Members read by one script call: a millisecond or two of Redis' time."""


class RankSpan(NamedTuple):
    """The members from rank `first` to `last`, both from 0 and included."""

    first: int
    last: int

    @property
    def size(self) -> int:
        return self.last - self.first + 1

    @property
    def arguments(self) -> tuple[bytes | str | int, ...]:
        """As `windows.lua` reads them."""
        return ("rank", self.first, self.last, 0, 0)


class Neighbourhood(NamedTuple):
    """A player's member with up to `radius` neighbours on each side."""

    user_id: int
    radius: int

    @property
    def size(self) -> int:
        return 2 * self.radius + 1

    @property
    def arguments(self) -> tuple[bytes | str | int, ...]:
        """As `windows.lua` reads them."""
        return ("around", *locate(self.user_id), self.user_id.to_bytes(6, "big"), self.radius)


@dataclass(frozen=True, slots=True)
class Window:
    """Neighbouring members; `first` is the rank of the first, from 0, or None if unranked."""

    epoch: str
    position: int
    version: int
    players: int
    first: int | None
    members: list[bytes]


def chunks(
    wanted: Sequence[RankSpan | Neighbourhood],
) -> Iterator[Sequence[RankSpan | Neighbourhood]]:
    """Windows that one script call may answer without keeping Redis from others for long."""
    start = size = 0
    for at, each in enumerate(wanted):
        if at > start and size + each.size > MEMBERS_PER_CALL:
            yield wanted[start:at]
            start, size = at, 0
        size += each.size
    yield wanted[start:]
