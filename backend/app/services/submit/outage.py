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
    ("08", "connection to the database broke"),
    ("25P03", "database ended a silent transaction"),
    ("3D", "database is missing"),
    ("55", "database is not ready"),
    ("53100", "disk full"),
    ("25006", "database is read-only"),
    ("53300", "too many connections"),
    ("53", "database lacks resources"),
    ("57", "database is stopping or starting"),
    ("58", "database has an I/O error"),
    ("28", "database refuses the service's role"),
)
_SILENT = "database does not answer in time"
_UNREACHABLE = "database can't be reached"
_OTHER = "database fails"
REASONS = (*(words for _, words in _WORDS), _SILENT, _UNREACHABLE, _OTHER)
"""Workers tell each other a reason by its place here, so new ones go to the end."""


class Outage:
    """Begins with a score that the database could not store, ends when it stores scores again."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._latest = 0.0
        self._why = ""
        self._is_told = False
        self._has_stored = False
        """Whether a score has been stored since the latest failure."""

    @property
    def why(self) -> str | None:
        """Why scores can't be stored now; None while they can be."""
        now = time.monotonic()
        if self._since is None or now - self._latest >= FORGOTTEN_SECONDS:
            return None
        # After a failure that nobody has followed, the outage goes on as far as anybody knows.
        lasted = (self._latest if self._has_stored else now) - self._since
        return self._why if lasted >= SUDDEN_SECONDS else None

    def failed(self, error: AppError) -> None:
        """The database could not store scores."""
        now = time.monotonic()
        if self._since is None or now - self._latest > FORGOTTEN_SECONDS:
            self._since = now
        self._latest = now
        self._has_stored = False
        self._why = reason(error)
        self.tell()

    def tell(self) -> None:
        """Writes one line into the log for each outage."""
        if self.why is not None and not self._is_told:
            self._is_told = True
            log.error("scores can't be stored", why=self._why)

    def ended(self) -> None:
        """A transaction has been committed."""
        self._has_stored = True
        if self._since is None or time.monotonic() - self._latest < CALM_SECONDS:
            return
        if self._is_told:
            log.warning("scores are stored again", after=round(time.monotonic() - self._since, 1))
        self._since = None
        self._is_told = False


def reason(error: AppError) -> str:
    """What lies behind an error: one of `REASONS`."""
    cause = error.__cause__
    if isinstance(cause, asyncpg.PostgresError):
        state = cause.sqlstate or ""
        return next((words for start, words in _WORDS if state.startswith(start)), _OTHER)
    if isinstance(cause, TimeoutError) or cause is None:
        return _SILENT
    return _UNREACHABLE
