"""What was measured: a row a measure, with the median over its rounds."""

from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from benchmarks.stats import Result


@dataclass(slots=True)
class Row:
    """One line of the table.

    `ratio` is what is held against `target`: the rate over the twin's rate, or with `at_most`
    the time over the twin's time, with `by_p99` that of the slowest hundredth. Without a twin, the
    rate itself is held against the target.
    """

    what: str
    rounds: list[Result]
    unit: str = "/s"
    twin: str = ""
    twin_rounds: list[Result] = field(default_factory=list)
    target: float | None = None
    at_most: bool = False
    by_p99: bool = False
    players: int = 0

    @property
    def rate(self) -> float:
        return median(each.rate for each in self.rounds)

    @property
    def p50_ms(self) -> float:
        return median(each.p50_ms for each in self.rounds)

    @property
    def p99_ms(self) -> float:
        return median(each.p99_ms for each in self.rounds)

    @property
    def twin_rate(self) -> float | None:
        return median(each.rate for each in self.twin_rounds) if self.twin_rounds else None

    @property
    def ratio(self) -> float | None:
        if not self.twin_rate or not self.rate:
            return None
        if self.by_p99:
            # Round by round: what disturbs the machine for a while disturbs both.
            pairs = zip(self.rounds, self.twin_rounds, strict=True)
            return median(own.p99_ms / twin.p99_ms for own, twin in pairs)
        return self.twin_rate / self.rate if self.at_most else self.rate / self.twin_rate

    @property
    def failed(self) -> int:
        return sum(each.failed for each in (*self.rounds, *self.twin_rounds))

    @property
    def verdict(self) -> str:
        if self.failed:
            return f"{self.failed} failed"
        if self.target is None:
            return ""
        found = self.ratio if self.twin_rounds else self.rate
        met = found is not None and (found <= self.target if self.at_most else found >= self.target)
        return "met" if met else "missed"

    def encode(self) -> dict[str, Any]:
        """For JSON, raw rounds included."""
        derived = ("rate", "p50_ms", "p99_ms", "twin_rate", "ratio", "verdict")
        return asdict(self) | {name: getattr(self, name) for name in derived}


@dataclass(frozen=True, slots=True)
class Promise:
    """A line of the table of light load: a time in ms that the product promises."""

    what: str
    result: Result
    promised_ms: float
    players: int

    @property
    def verdict(self) -> str:
        return "met" if self.result.p99_ms < self.promised_ms else (
            "met at p50" if self.result.p50_ms < self.promised_ms else "missed"
        )  # fmt: skip

    def encode(self) -> dict[str, Any]:
        return asdict(self) | {"verdict": self.verdict}


@dataclass(frozen=True, slots=True)
class Fact:
    """A figure about storage or start, with its bound if it has one."""

    what: str
    value: float
    unit: str
    players: int
    at_most: float | None = None

    @property
    def verdict(self) -> str:
        if self.at_most is None:
            return ""
        return "met" if self.value <= self.at_most else "missed"

    def encode(self) -> dict[str, Any]:
        return asdict(self) | {"verdict": self.verdict}
