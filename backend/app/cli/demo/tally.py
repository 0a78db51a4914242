"""What has been sent, and how it went."""

from collections import deque

RECENT = 2_000
"""Latencies that the percentiles are taken from."""


class Tally:
    """Counts of live submissions. Latencies in milliseconds."""

    def __init__(self) -> None:
        self.sent = self.accepted = self.errors = 0
        self.last_error = ""
        self._recent: deque[float] = deque(maxlen=RECENT)

    def accept(self, latency_ms: float) -> None:
        self.accepted += 1
        self._recent.append(latency_ms)

    def fail(self, why: str) -> None:
        self.errors += 1
        self.last_error = why

    def latency(self, share: float) -> float:
        """The latency that `share` of the recent submissions stayed within; 0 without any."""
        ordered = sorted(self._recent)
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else 0.0

    def __str__(self) -> str:
        text = (
            f"sent {self.sent:,}  accepted {self.accepted:,}  errors {self.errors:,}  "
            f"p50 {self.latency(0.5):.1f} ms  p95 {self.latency(0.95):.1f} ms"
        )
        return f"{text}  last error: {self.last_error}" if self.last_error else text
