"""When a server that died is started again."""

import time

_FIRST = 0.1
_LONGEST = 5.0
_STABLE = 10.0  # seconds of life after which a death counts as a first one


class Backoff:
    """Pauses that double while a server keeps dying at its start."""

    def __init__(self) -> None:
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
        stable = now - self._started_at > _STABLE
        self._pause = _FIRST if stable else min(max(self._pause * 2, _FIRST), _LONGEST)
        self._restart_at = now + self._pause
        return self._pause

    def due(self) -> bool:
        return self._restart_at is not None and time.monotonic() >= self._restart_at
