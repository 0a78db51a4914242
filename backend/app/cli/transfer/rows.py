"""Rows of a file of games: read one by one, each checked in itself as a submission is."""

import csv
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from pydantic import ValidationError

from app.api.metadata import encode_metadata, is_deeper
from app.cli.failures import CliError
from app.cli.transfer.formats import Format, unguard
from app.core.config import Settings
from app.core.errors import InvalidInput
from app.core.exact_json import read_exactly
from app.schemas.common import UserId
from app.schemas.scores import ScoreSubmission
from app.schemas.users import Username
from app.services.imported import Rows
from app.services.imports import Game
from app.services.submissions import Submission, check_played_at

MAX_DEPTH = 200
"""Of a row; its metadata is bounded by MAX_JSON_DEPTH."""

_FIRST_MOMENT = datetime(1970, 1, 1, tzinfo=UTC)
_INTEGER = re.compile(r"-?[0-9]{1,20}")
_NUMBERS = ("user_id", "score", "duration_ms")

IGNORED = ("session_id", "line", "reason")
"""What `export` and a file of rejected rows have beside a game."""


class GameRow(ScoreSubmission):
    """A game as a file says it."""

    user_id: UserId | None = None  # type: ignore[assignment]
    username: Username | None = None


_COLUMNS = (*GameRow.model_fields, *IGNORED)


class Row(NamedTuple):
    """A row of the file, told by its first line, from 1: a game, or the problem with it."""

    line: int
    given: dict[str, Any]
    game: Game | None
    problem: str


def read_rows(file: TextIO, format_: Format, settings: Settings, known: Rows) -> Iterator[Row]:
    """The rows in order, without those that are in by now."""
    read = _read_csv if format_ is Format.CSV else _read_ndjson
    for number, (line, given, problem) in enumerate(read(file), 1):
        if number in known:
            continue
        if problem:
            yield Row(line, given, None, problem)
            continue
        try:
            wanted = {name: value for name, value in given.items() if name not in IGNORED}
            game = _check(number, _typed(wanted) if format_ is Format.CSV else wanted, settings)
        except InvalidInput as error:
            yield Row(line, given, None, error.detail)
        else:
            yield Row(line, given, game, "")


def read_header(path: Path) -> list[str]:
    """The names of a CSV file's columns. Raises CliError."""
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        try:
            return next(csv.reader(file), [])
        except csv.Error as error:
            raise CliError(f"{path} is not CSV: {error}") from error


def _read_csv(file: TextIO) -> Iterator[tuple[int, dict[str, Any], str]]:
    reader = csv.reader(file)
    header = next(reader, [])
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            yield line, {}, f"row: {error}"
            continue
        if cells is None:
            return
        given = dict(zip(header, map(unguard, cells), strict=False))
        if len(cells) == len(header):
            yield line, given, ""
        elif cells:
            yield line, given, f"row: has {len(cells)} cells where the header has {len(header)}"


def check_header(header: Sequence[str]) -> None:
    """Raises CliError if the columns are not those of games."""
    unknown = [name for name in header if name not in _COLUMNS]
    if unknown or len(set(header)) < len(header):
        names = ", ".join(unknown) or "one of them twice"
        raise CliError(f"columns that mean nothing here: {names} (known: {', '.join(_COLUMNS)})")
    if "score" not in header or not {"username", "user_id"} & set(header):
        raise CliError("the first line must name the columns: score, username or user_id, ...")


def _read_ndjson(file: TextIO) -> Iterator[tuple[int, dict[str, Any], str]]:
    for line, text in enumerate(file, 1):
        if not text.strip():
            continue
        try:
            given = read_exactly(text)
        except (ValueError, RecursionError):
            yield line, {"text": text.rstrip("\n")}, "row: is not JSON"
            continue
        if is_deeper(given, MAX_DEPTH):
            yield line, {"text": text.rstrip("\n")}, "row: is nested too deep"
        elif isinstance(given, dict):
            yield line, given, ""
        else:
            yield line, {"text": text.rstrip("\n")}, "row: is not an object"


def _typed(cells: dict[str, str]) -> dict[str, Any]:
    """Cells as what they say; what they should not say stays text, and is refused as such."""
    row: dict[str, Any] = {name: cell for name, cell in cells.items() if cell}
    for name in _NUMBERS:
        if name in row and _INTEGER.fullmatch(row[name]):
            row[name] = int(row[name])
    if "won" in row:
        row["won"] = {"true": True, "false": False}.get(row["won"].lower(), row["won"])
    if "metadata" in row:
        with suppress(ValueError, RecursionError):
            row["metadata"] = read_exactly(row["metadata"])
    return row


def _check(number: int, given: dict[str, Any], settings: Settings) -> Game:
    """Raises InvalidInput, as a submission is refused."""
    try:
        text = json.dumps(given, ensure_ascii=False, default=float)
        row = GameRow.model_validate_json(text.encode())
    except ValidationError as error:
        raise InvalidInput(_say(error)) from error
    except (ValueError, RecursionError) as error:
        raise InvalidInput("row: is not valid UTF-8, or nested too deep") from error
    if row.username is None and row.user_id is None:
        raise InvalidInput("username: is missing, and user_id too")
    if row.duration_ms is not None and row.duration_ms > settings.max_duration_ms:
        raise InvalidInput.field("duration_ms", f"must be at most {settings.max_duration_ms}")
    # As it was given: in the row its numbers are doubles.
    metadata = encode_metadata(
        given.get("metadata"), settings.max_metadata_bytes, settings.max_json_depth
    )
    submission = Submission(
        row.user_id or 0,
        row.score,
        row.game_mode,
        row.duration_ms,
        row.won,
        row.played_at and _in_the_past(row.played_at),
        metadata,
        row.submission_id,
    )
    return Game(number, row.username, submission)


def _in_the_past(at: datetime) -> datetime:
    """The same moment. Raises InvalidInput."""
    now = datetime.now(UTC)
    if at < _FIRST_MOMENT:
        raise InvalidInput.field("played_at", "must lie between 1970 and now")
    check_played_at(at, now, now - _FIRST_MOMENT)
    return at


def _say(error: ValidationError) -> str:
    """Each field with what is wrong with it."""
    return "; ".join(
        f"{'.'.join(map(str, each['loc'])) or 'row'}: {each['msg']}" for each in error.errors()
    )
