"""Rows of a file of games: read one by one, each checked in itself as a submission is."""

import csv
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple, TextIO
from zoneinfo import ZoneInfo

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from app.api.metadata import encode_metadata, is_deeper
from app.cli.failures import CliError
from app.cli.transfer.formats import Format, unguard
from app.cli.transfer.source import MAX_LINE, Layout, Lines, TooLongError
from app.core.config import Settings
from app.core.errors import InvalidInput
from app.core.exact_json import read_exactly, to_whole
from app.schemas.common import UserId
from app.schemas.moments import parse_moment
from app.schemas.scores import ScoreSubmission
from app.schemas.users import Username
from app.services.imported import Rows
from app.services.imports import Game
from app.services.submissions import Submission, check_played_at

MAX_DEPTH = 200
"""Of a row; its metadata is bounded by MAX_JSON_DEPTH."""

_FIRST_MOMENT = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER = re.compile(r"[+-]?[0-9]{1,40}(\.[0-9]{0,40})?([eE][+-]?[0-9]{1,4})?", re.ASCII)
_NUMBERS = ("user_id", "score", "duration_ms")

_WON = {
    **dict.fromkeys(("true", "t", "yes", "y", "1", "1.0"), True),
    **dict.fromkeys(("false", "f", "no", "n", "0", "0.0"), False),
}
"""What other programs write for a game that was won or lost, in small letters."""

_WORDS = {
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "bool_type": "must be true or false, yes or no, 1 or 0",
    "dict_type": "must be an object",
    "extra_forbidden": "means nothing here",
}

TOO_LONG = f"row: is longer than {MAX_LINE:,} characters"

IGNORED = ("", "session_id", "line", "reason")
"""What `export` and a file of rejected rows have beside a game, and a column without a name."""


class GameRow(ScoreSubmission):
    """A game as a file says it."""

    user_id: UserId | None = None  # type: ignore[assignment]
    username: Username | None = None


COLUMNS = (*GameRow.model_fields, *IGNORED)


class Row(NamedTuple):
    """A row of the file, told by its first line, from 1: a game, or the problem with it."""

    line: int
    given: dict[str, Any]
    game: Game | None
    problem: str
    size: int
    """Characters that it takes in the file."""


class Reading(NamedTuple):
    """What rows are read with."""

    layout: Layout
    settings: Settings
    known: Rows
    """Rows that are in by now."""
    zone: ZoneInfo | None = None
    """Of times without an offset."""


class _Read(NamedTuple):
    """A row as it stands in the file. `problem` is None where there is nothing in it."""

    line: int
    given: dict[str, Any]
    problem: str | None
    size: int


def read_rows(file: TextIO, format_: Format, reading: Reading) -> Iterator[Row]:
    """The rows in order, without those that are in by now. Raises CliError."""
    lines = Lines(file)
    read = _read_csv(lines, reading.layout) if format_ is Format.CSV else _read_ndjson(lines)
    for number, (line, given, problem, size) in enumerate(read, 1):
        if problem is None or number in reading.known:
            continue
        if problem:
            yield Row(line, given, None, problem, size)
            continue
        try:
            wanted = {name: value for name, value in given.items() if name not in IGNORED}
            typed = _typed_cells(wanted) if format_ is Format.CSV else _typed(wanted)
            game = _check(number, _in_zone(typed, reading.zone), reading.settings)
        except InvalidInput as error:
            yield Row(line, given, None, error.detail, size)
        else:
            yield Row(line, given, game, "", size)


def _read_csv(lines: Lines, layout: Layout) -> Iterator[_Read]:
    """Empty lines are no rows; rows of separators alone count as rows, in which nothing is: a file
    that was imported before is known by the numbers of its rows."""
    reader = csv.reader(lines, delimiter=layout.separator)
    for _ in range(layout.lines_above):
        next(lines)
    lines.begin_row()
    next(reader, None)
    header = layout.header
    while True:
        line = lines.number + 1
        lines.begin_row()
        try:
            cells = next(reader, None)
        except TooLongError:
            yield _Read(line, {}, TOO_LONG, lines.size)
            continue
        except csv.Error as error:
            yield _Read(line, {}, f"row: {error}", lines.size)
            continue
        if cells is None:
            return
        given = dict(zip(header, map(unguard, cells), strict=False))
        if not any(map(str.strip, cells)):
            if cells:
                yield _Read(line, {}, None, lines.size)
        elif len(cells) == len(header):
            yield _Read(line, given, "", lines.size)
        else:
            problem = f"row: has {len(cells)} cells where the header has {len(header)}"
            yield _Read(line, given, problem, lines.size)


def check_header(header: Sequence[str]) -> None:
    """Raises CliError if the columns are not those of games."""
    named = [name for name in header if name]
    unknown = [name for name in named if name not in COLUMNS]
    if unknown or len(set(named)) < len(named):
        fault = f"columns that mean nothing here: {', '.join(unknown)}"
        if not unknown:
            twice = sorted({name for name in named if named.count(name) > 1})
            fault = f"columns that stand twice: {', '.join(twice)}"
        known = ", ".join(filter(None, COLUMNS))
        raise CliError(
            f"{fault} (known: {known}; between columns a comma, a semicolon, a tab or |)"
        )
    if "score" not in header or not {"username", "user_id"} & set(header):
        raise CliError("the first line must name the columns: score, username or user_id, ...")


def _read_ndjson(lines: Lines) -> Iterator[_Read]:
    while True:
        lines.begin_row()
        try:
            text = next(lines, None)
        except TooLongError:
            yield _Read(lines.number, {}, TOO_LONG, lines.size)
            continue
        if text is None:
            return
        if text.strip():
            yield _Read(lines.number, *_object(text), lines.size)


def _object(text: str) -> tuple[dict[str, Any], str]:
    """What a line of NDJSON holds, and the problem with it."""
    as_it_is = {"text": text.rstrip("\r\n")}
    try:
        given = read_exactly(text)
    except (ValueError, RecursionError):
        return as_it_is, "row: is not JSON"
    if is_deeper(given, MAX_DEPTH):
        return as_it_is, "row: is nested too deep"
    return (given, "") if isinstance(given, dict) else (as_it_is, "row: is not an object")


def _typed_cells(cells: dict[str, str]) -> dict[str, Any]:
    """Cells as what they say; what they should not say stays text, and is refused as such."""
    row: dict[str, Any] = {name: cell for name, cell in cells.items() if cell.strip()}
    for name in (*_NUMBERS, "won", "played_at", "game_mode"):
        if name in row:
            row[name] = row[name].strip()
    for name in _NUMBERS:
        if name in row and _NUMBER.fullmatch(row[name]):
            row[name] = Decimal(row[name])
    if "metadata" in row:
        with suppress(ValueError, RecursionError):
            row["metadata"] = read_exactly(row["metadata"])
    return _typed(row)


def _typed(row: dict[str, Any]) -> dict[str, Any]:
    """A row whose whole numbers are integers, and whose `won` is a boolean."""
    typed = {name: to_whole(value) if name in _NUMBERS else value for name, value in row.items()}
    if "won" in typed:
        typed["won"] = _WON.get(str(typed["won"]).lower(), typed["won"])
    return typed


def _in_zone(row: dict[str, Any], zone: ZoneInfo | None) -> dict[str, Any]:
    """The row with an offset at its time. Raises InvalidInput."""
    text = row.get("played_at")
    if not _has_no_offset(text):
        return row
    if zone is None:
        raise InvalidInput.field(
            "played_at", "has no offset from UTC: write one, such as Z, or give --timezone"
        )
    at = datetime.fromisoformat(str(text).upper())
    if at.replace(tzinfo=zone).utcoffset() != at.replace(tzinfo=zone, fold=1).utcoffset():
        raise InvalidInput.field(
            "played_at",
            f"is not one moment in {zone.key}, where clocks were changed then: write its offset",
        )
    return row | {"played_at": at.replace(tzinfo=zone).isoformat()}


def _has_no_offset(text: object) -> bool:
    """Whether it is a good time but for the offset that is missing."""
    try:
        parse_moment(text, UTC)
    except ValueError:
        return False
    try:
        parse_moment(text)
    except ValueError:
        return True
    return False


def _check(number: int, given: dict[str, Any], settings: Settings) -> Game:
    """Raises InvalidInput, as a submission is refused."""
    try:
        text = json.dumps(given, ensure_ascii=False, default=float)
        row = GameRow.model_validate_json(text.encode())
    except ValidationError as error:
        raise InvalidInput(_say(error)) from error
    except UnicodeEncodeError as error:
        raise InvalidInput("row: is not text in UTF-8: save the file as UTF-8") from error
    except (ValueError, RecursionError) as error:
        raise InvalidInput("row: holds what is not JSON, or is nested too deep") from error
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
        f"{'.'.join(map(str, each['loc'])) or 'row'}: {_words(each)}" for each in error.errors()
    )


def _words(error: ErrorDetails) -> str:
    return _WORDS.get(error["type"], error["msg"].removeprefix("Value error, "))
