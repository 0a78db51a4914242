"""Encoded pages of a board that a worker keeps, bounded in bytes: callers choose which pages."""

from collections import OrderedDict
from typing import Generic, NamedTuple, Protocol, TypeVar


class HasBody(Protocol):
    """A page, as much as its size needs."""

    @property
    def body(self) -> bytes: ...


P = TypeVar("P", bound=HasBody)

MAX_BYTES = 4_000_000
"""For one board: a hundred pages of a hundred rows."""
OVERHEAD = 600
"""Bytes of the objects around a page's bytes."""


class Kept(NamedTuple, Generic[P]):
    """A page, the board's state that it shows, and its rows with the revision they are of."""

    state: tuple[int, int, str]
    page: P
    revision: int
    entries: bytes


class KeptPages(Generic[P]):
    """Pages by limit and offset. Beyond the bound the one that was asked for longest ago goes."""

    def __init__(self, most: int = MAX_BYTES) -> None:
        self._most = most
        self._kept: OrderedDict[tuple[int, int], Kept[P]] = OrderedDict()
        self.bytes = 0

    def get(self, key: tuple[int, int]) -> Kept[P] | None:
        """What is kept of a page."""
        kept = self._kept.get(key)
        if kept is not None:
            self._kept.move_to_end(key)
        return kept

    def put(self, key: tuple[int, int], kept: Kept[P]) -> None:
        """Keeps a page in the place of an older one."""
        older = self._kept.pop(key, None)
        if older is not None:
            self.bytes -= _size(older)
        self._kept[key] = kept
        self.bytes += _size(kept)
        while self.bytes > self._most:
            _, dropped = self._kept.popitem(last=False)
            self.bytes -= _size(dropped)


def _size(kept: Kept[P]) -> int:
    return len(kept.page.body) + len(kept.entries) + OVERHEAD
