"""When something that failed is tried again."""

import time


class Backoff:
    """Pauses that double while something keeps failing soon after its start.

    `first` and `longest` bound the pause. A failure after more than `stable` seconds counts as a
    first one again. All are in seconds.
    """

    def __init__(self, *, first: float = 0.1, longest: float = 5.0, stable: float = 10.0) -> None:
        self._first = first
        self._longest = longest
        self._stable = stable
        self._pause = 0.0
        self._started_at = 0.0
        self._restart_at: float | None = None

    @property
    def pending(self) -> bool:
        """Whether a restart is planned."""
        return self._restart_at is not None

    def started(self) -> None:
        self._started_at = time.monotonic()
        self._restart_at = None

    def schedule(self) -> float:
        """Plan the next restart; returns the pause before it, in seconds."""
        now = time.monotonic()
        stable = now - self._started_at > self._stable
        doubled = min(max(self._pause * 2, self._first), self._longest)
        self._pause = self._first if stable else doubled
        self._restart_at = now + self._pause
        return self._pause

    def due(self) -> bool:
        return self._restart_at is not None and time.monotonic() >= self._restart_at
