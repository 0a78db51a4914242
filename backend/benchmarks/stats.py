"""The little arithmetic of measuring."""

from collections.abc import Sequence
from dataclasses import dataclass

WARM_UP = 0.2
"""Share of a measure's time that is run but not counted."""


@dataclass(slots=True)
class Result:
    """`rate` in calls (for batches: scores) a second. `answered` counts all that was answered
    with success, warm-up included; `failed` everything else.
    """

    rate: float
    p50_ms: float
    p99_ms: float
    answered: int
    failed: int = 0


def summarise(latencies: Sequence[float], rate: float, answered: int, failed: int = 0) -> Result:
    """A result from latencies in seconds."""
    ordered = sorted(latencies)
    return Result(rate, _at(ordered, 50), _at(ordered, 99), answered, failed)


def _at(ordered: Sequence[float], percent: float) -> float:
    """The percentile of sorted seconds, in milliseconds; 0 without any."""
    if not ordered:
        return 0.0
    return 1_000 * ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]
