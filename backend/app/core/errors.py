"""Errors that callers meet: each is a type with an HTTP status and a stable code (RFC 9457)."""

from typing import Any, ClassVar


class AppError(Exception):
    """Base of all errors with a place in the API's contract."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal-error"
    title: ClassVar[str] = "Something went wrong"
    retry_after: int | None = None
    """Seconds after which trying again makes sense, for the `Retry-After` header."""
    is_counted: bool = False
    """Whether the score that was refused with this error has been counted (see `Written`)."""

    def __init__(self, detail: str, *, errors: list[dict[str, str]] | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = errors

    def problem(self) -> dict[str, Any]:
        """The problem document: type, title, status, code, detail and, for bad fields, errors."""
        document: dict[str, Any] = {
            "type": f"urn:leaderboard:problem:{self.code}",
            "title": self.title,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
        }
        if self.errors:
            document["errors"] = self.errors
        return document


class BadRequest(AppError):
    """The request line, a header or the framing of the body can't be understood as meant."""

    status = 400
    code = "bad-request"
    title = "The request is malformed"


class UriTooLong(AppError):
    """The path or the query is longer than any that this service has a use for."""

    status = 414
    code = "uri-too-long"
    title = "The address is too long"


class InvalidInput(AppError):
    """The payload breaks the contract; `errors` names each field."""

    status = 422
    code = "invalid-input"
    title = "The request is not valid"

    @classmethod
    def field(cls, name: str, message: str) -> "InvalidInput":
        return cls(f"{name}: {message}", errors=[{"field": name, "message": message}])


class IdempotencyMismatch(AppError):
    """A key that was used before came with another body."""

    status = 422
    code = "idempotency-mismatch"
    title = "This idempotency key belongs to another submission"


class UnsupportedMediaType(AppError):
    """The body is not declared as JSON."""

    status = 415
    code = "unsupported-media-type"
    title = "The body must be JSON"


class BodyTooLarge(AppError):
    """The body is larger than the service takes."""

    status = 413
    code = "body-too-large"
    title = "The body is too large"


class Unauthenticated(AppError):
    """No credential, or one that is malformed, wrong, expired or revoked: told apart by nobody."""

    status = 401
    code = "unauthenticated"
    title = "A valid credential is needed"

    def __init__(self, *, is_guess: bool = True) -> None:
        super().__init__("Send a valid key or token as `Authorization: Bearer ...`.")
        self.is_guess = is_guess
        """False for a token that was ours and is over: who shows it tries nothing out."""


class Forbidden(AppError):
    """The credential is valid, and not for this."""

    status = 403
    code = "forbidden"
    title = "This credential may not do that"


class ClientSubmissionsOff(AppError):
    """A player's own client sent a score, and a board that it counts for takes none from them."""

    status = 403
    code = "client-submissions-off"
    title = "This board takes scores from game servers alone"


class GuestSignInOff(AppError):
    """The deployment takes no guests."""

    status = 403
    code = "guest-sign-in-off"
    title = "There is no guest sign-in here"


class Misdirected(AppError):
    """In open mode: the request did not come from this machine, to a loopback name."""

    status = 421
    code = "misdirected"
    title = "This service answers its own machine alone"


class UnknownKey(AppError):
    """No such API key."""

    status = 404
    code = "unknown-key"
    title = "No such key"


class KeyNotActive(AppError):
    """The key has expired or was revoked, so nothing can take over from it."""

    status = 409
    code = "key-not-active"
    title = "This key is not active"


class UnknownPlayer(AppError):
    """No such player."""

    status = 404
    code = "unknown-player"
    title = "No such player"


class UnknownBoard(AppError):
    """No such board."""

    status = 404
    code = "unknown-board"
    title = "No such board"


class UnknownSeason(AppError):
    """The board has no such season."""

    status = 404
    code = "unknown-season"
    title = "No such season"


class NotRanked(AppError):
    """The player is known but has no rank on this board."""

    status = 404
    code = "not-ranked"
    title = "This player has no rank here yet"


class PlayerInactive(AppError):
    """The player is deactivated and can't send scores."""

    status = 409
    code = "player-inactive"
    title = "This player is deactivated"


class PlayerErased(AppError):
    """The player was erased for good. The number leads to nobody."""

    status = 410
    code = "player-erased"
    title = "This player was erased"


class TotalOutOfRange(AppError):
    """The new total would leave the range of exact integers; nothing was changed."""

    status = 409
    code = "total-out-of-range"
    title = "The total would leave the exact range"


class UsernameTaken(AppError):
    """Another player has this name (case aside)."""

    status = 409
    code = "username-taken"
    title = "This name is taken"


class EmailTaken(AppError):
    """Another player has this address (case aside)."""

    status = 409
    code = "email-taken"
    title = "This e-mail address is taken"


class RateLimited(AppError):
    """The caller asked more often than it may."""

    status = 429
    code = "rate-limited"
    title = "Too many requests"

    def __init__(self, detail: str, retry_after: int) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class Overloaded(AppError):
    """The queue is full; nothing was stored."""

    status = 503
    code = "overloaded"
    title = "Too much work is waiting"
    retry_after = 1


class DatabaseAway(AppError):
    """PostgreSQL can't be reached or can't write. Retrying with the same key counts once."""

    status = 503
    code = "database-unavailable"
    title = "The database is away"
    retry_after = 2


class Busy(AppError):
    """Another transaction has locked the rows in question. Nothing was stored."""

    status = 503
    code = "busy"
    title = "Another transaction is in the way"
    retry_after = 1


class ShuttingDown(AppError):
    """The worker is stopping; another one will answer."""

    status = 503
    code = "shutting-down"
    title = "The service is stopping"
    retry_after = 1


class InternalError(AppError):
    """A defect of ours. The details are in the log under the request's id."""
