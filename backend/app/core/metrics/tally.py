"""What is counted where it happens, as cheap as counting can be: plain numbers, no look-ups.

A worker is one thread, so nothing here is locked; whoever shows the numbers reads them later.
"""

from bisect import bisect_left
from typing import NamedTuple

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
SIZES = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0)


class Counts(NamedTuple):
    """How many values there were up to each bound, one more for those beyond; and their sum."""

    bounds: tuple[float, ...]
    counts: list[int]
    total: float


class Histogram:
    """Values by how large they were. `counts` are those between a bound and the one before."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...] = SECONDS) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def read(self) -> Counts:
        """The numbers now."""
        return Counts(self.bounds, list(self.counts), self.total)
