"""A submission on its way in: reading it, and what the schema can't say of it."""

from typing import Any

from pydantic import TypeAdapter, ValidationError

from app.api.metadata import encode_metadata
from app.core.errors import AppError, ClientSubmissionsOff, Forbidden, InvalidInput
from app.core.exact_json import read_exactly, to_whole
from app.schemas.scores import ScoreSubmission
from app.services.access.callers import Caller, Kind
from app.services.service import Service
from app.services.submissions import Submission

_submission: TypeAdapter[ScoreSubmission] = TypeAdapter(ScoreSubmission)
_INTEGERS = ("user_id", "score", "duration_ms")


def read_submission(body: bytes) -> ScoreSubmission:
    """The submission that the JSON says. Raises ValidationError.

    Some engines write a whole number as `1500.0`, which strict validation refuses. The body is read
    again only after such a refusal, so that plain integers cost nothing more.
    """
    try:
        return _submission.validate_json(body)
    except ValidationError as error:
        if error.error_count() > len(_INTEGERS) or not any(
            isinstance(each["input"], float) for each in error.errors(include_url=False)
        ):
            raise
    said = read_exactly(body)
    return _submission.validate_python(_with_whole_numbers(said, said))


def read_items(items: list[Any], body: bytes) -> list[Any]:
    """The items of a batch with whole numbers as integers. `items` are as they were parsed from the
    `body`, with doubles, of which the digits are read again where it matters."""
    if not any(isinstance(item, dict) and _has_floats(item) for item in items):
        return items
    said = read_exactly(body)["submissions"]
    return [_with_whole_numbers(*each) for each in zip(items, said, strict=True)]


def read_item(item: object) -> ScoreSubmission:
    """One of those. Raises ValidationError."""
    return _submission.validate_python(item)


def _has_floats(item: dict[str, Any]) -> bool:
    return any(isinstance(item.get(name), float) for name in _INTEGERS)


def _with_whole_numbers(item: Any, said: Any) -> Any:  # noqa: ANN401
    if not isinstance(item, dict):
        return item
    return {**item, **{name: to_whole(said[name]) for name in _INTEGERS if name in said}}


def to_submission(
    given: ScoreSubmission, key: str | None, service: Service, caller: Caller
) -> Submission:
    """Checks what the schema can't say, and what a player's own client may not do. Raises
    InvalidInput, Forbidden, ClientSubmissionsOff.

    What a rule that may change says against a score with a key is left to the writer: the score
    may have been stored before the rule was made.
    """
    settings = service.settings
    key = key or given.submission_id
    refusal: AppError | None = None
    if given.duration_ms is not None and given.duration_ms > settings.max_duration_ms:
        refusal = InvalidInput.field("duration_ms", f"must be at most {settings.max_duration_ms}")
    if caller.kind is Kind.PLAYER:
        if given.user_id != caller.user_id:
            raise Forbidden("A player's token sends that player's scores alone.")
        # Among that player's keys alone: else one who guesses a game server's key could make its
        # submission fail.
        key = key and f"player {given.user_id} {key}"
        if not service.boards.take_from_clients(given.game_mode):
            refusal = ClientSubmissionsOff(
                f"Games of the mode {given.game_mode!r} are taken from game servers alone."
            )
    if refusal is not None and key is None:
        raise refusal
    return Submission(
        given.user_id,
        given.score,
        given.game_mode,
        given.duration_ms,
        given.won,
        given.played_at,
        encode_metadata(given.metadata, settings.max_metadata_bytes, settings.max_json_depth),
        key,
        refusal,
        0 if caller.kind is Kind.PLAYER else caller.lineage,
    )
