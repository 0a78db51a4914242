"""Whether scores can be stored at present, and if not, why: for health, metrics and the log."""

import time

import asyncpg
import structlog

from app.core.errors import AppError

log = structlog.get_logger(__name__)

FORGOTTEN_SECONDS = 15.0
"""Without traffic nobody learns that the database is well again: a failure counts for so long."""
SUDDEN_SECONDS = 2.0
"""A failure that is over sooner is a hiccup, of which the callers' 503 says enough."""

CALM_SECONDS = 3.0
"""A disk that is nearly full takes a score now and then. So an outage ends with a score that is
stored when none has failed for this time."""

_WORDS = (
    ("53100", "disk full"),
    ("25006", "database is read-only"),
    ("53300", "too many connections"),
    ("53", "database lacks resources"),
    ("57", "database is stopping or starting"),
    ("58", "database has an I/O error"),
    ("28", "database refuses the service's role"),
)


class Outage:
    """Begins with a score that the database could not store, ends when it stores scores again."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._latest = 0.0
        self._why = ""
        self._is_told = False

    @property
    def why(self) -> str | None:
        """Why scores can't be stored now; None while they can be."""
        if self._since is None or self._latest - self._since < SUDDEN_SECONDS:
            return None
        return self._why if time.monotonic() - self._latest < FORGOTTEN_SECONDS else None

    def failed(self, error: AppError) -> None:
        """The database could not store scores."""
        now = time.monotonic()
        if self._since is None or now - self._latest > FORGOTTEN_SECONDS:
            self._since = now
        self._latest = now
        self._why = reason(error)
        if self.why is not None and not self._is_told:
            self._is_told = True
            log.error("scores can't be stored", why=self._why)

    def ended(self) -> None:
        """A transaction has been committed."""
        if self._since is None or time.monotonic() - self._latest < CALM_SECONDS:
            return
        if self._is_told:
            log.warning("scores are stored again", after=round(time.monotonic() - self._since, 1))
        self._since = None
        self._is_told = False


def reason(error: AppError) -> str:
    """What lies behind an error, in a few words of a small number of kinds."""
    cause = error.__cause__
    if isinstance(cause, asyncpg.PostgresError):
        state = cause.sqlstate or ""
        return next((words for start, words in _WORDS if state.startswith(start)), state)
    if isinstance(cause, TimeoutError) or cause is None:
        return "database does not answer in time"
    return "database can't be reached"
