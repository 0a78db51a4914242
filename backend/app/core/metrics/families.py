"""Metrics by name, and what a part says of them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from app.core.metrics.tally import Counts


class Type(StrEnum):
    """As Prometheus has them."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Family:
    """One metric. Names of counters end with `_total`, times are in seconds."""

    name: str
    type: Type
    help: str
    labels: tuple[str, ...] = ()


class Reading(NamedTuple):
    """One series of a family, now: its labels' values in order, and its value."""

    family: Family
    labels: tuple[str, ...]
    value: float | Counts


class Source(NamedTuple):
    """A part's families, all of them, and what it reads of them now."""

    families: tuple[Family, ...]
    read: Callable[[], Iterable[Reading]]
