"""A submission on its way in: what the schema can't say of it."""

from datetime import UTC, datetime

from app.api.metadata import encode_metadata
from app.core.errors import ClientSubmissionsOff, Forbidden, InvalidInput
from app.schemas.scores import ScoreSubmission
from app.services.access.callers import Caller, Kind
from app.services.service import Service
from app.services.submissions import Submission


def to_submission(
    given: ScoreSubmission, key: str | None, service: Service, caller: Caller
) -> Submission:
    """Checks what the schema can't say, and what a player's own client may not do. Raises
    InvalidInput, Forbidden, ClientSubmissionsOff."""
    settings = service.settings
    key = key or given.submission_id
    if caller.kind is Kind.PLAYER:
        key = _as_player(given, key, service, caller)
    if given.duration_ms is not None and given.duration_ms > settings.max_duration_ms:
        raise InvalidInput.field("duration_ms", f"must be at most {settings.max_duration_ms}")
    return Submission(
        given.user_id,
        given.score,
        given.game_mode,
        given.duration_ms,
        given.won,
        given.played_at and _in_utc(given.played_at),
        encode_metadata(given.metadata, settings.max_metadata_bytes, settings.max_json_depth),
        key,
    )


def _as_player(
    given: ScoreSubmission, key: str | None, service: Service, caller: Caller
) -> str | None:
    """The key for a submission of a player's own client, among that player's keys alone: else
    one who guesses a game server's key could make its submission fail."""
    if given.user_id != caller.user_id:
        raise Forbidden("A player's token sends that player's scores alone.")
    if not service.boards.take_from_clients(given.game_mode):
        raise ClientSubmissionsOff(
            f"Games of the mode {given.game_mode!r} are taken from game servers alone."
        )
    return key and f"player {given.user_id} {key}"


def _in_utc(at: datetime) -> datetime:
    """The same moment. Raises InvalidInput at the ends of the calendar."""
    try:
        return at.astimezone(UTC)
    except OverflowError as error:
        raise InvalidInput.field("played_at", "must lie within the last minutes") from error
