"""CSV and NDJSON: how a row is written and read.

CSV is RFC 4180 in UTF-8. An empty cell is a missing value, times are ISO 8601 in UTC, numbers are
written in full. A text that a spreadsheet would run as a formula gets an apostrophe in front, which
reading takes away again: see `guard`. NDJSON is one object a line, with nothing to guard.
"""

import csv
import json
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from io import StringIO
from pathlib import Path
from typing import NamedTuple

from app.cli.failures import CliError

_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_GUARDED = re.compile(r"'+[=+\-@\t\r]")


class Format(StrEnum):
    CSV = "csv"
    NDJSON = "ndjson"


class RawJson(NamedTuple):
    """JSON as the database wrote it: digits stay as they are."""

    text: str


Value = str | int | float | bool | datetime | RawJson | None
Encode = Callable[[Iterable[Sequence[Value]]], str]


def choose_format(name: str, given: Format | None) -> Format:
    """The format that was asked for, else the one that the file's ending says. Raises CliError."""
    if given is not None:
        return given
    try:
        return Format(Path(name).suffix.lower().removeprefix("."))
    except ValueError as error:
        raise CliError(f"{name}: say --format csv or --format ndjson") from error


def guard(text: str) -> str:
    """A text as a CSV cell that no spreadsheet takes for a formula: `=cmd()` is `'=cmd()`. Texts
    that look guarded already get one apostrophe more, so that `unguard` gives back any text."""
    return f"'{text}" if _FORMULA.match(text) else text


def unguard(cell: str) -> str:
    """The text of which `guard` made the cell; cells of other programs as they are."""
    return cell[1:] if _GUARDED.match(cell) else cell


def encode_moment(at: datetime) -> str:
    """To the microsecond, so that it reads back as the same moment."""
    return at.isoformat().replace("+00:00", "Z")


def encoder(format_: Format, columns: Sequence[str]) -> tuple[str, Encode]:
    """What stands on top of the file, and how rows of these columns become text."""
    if format_ is Format.CSV:
        return _csv([columns]), _csv

    def encode(rows: Iterable[Sequence[Value]]) -> str:
        return "".join(_object(columns, row) for row in rows)

    return "", encode


def _csv(rows: Iterable[Sequence[Value]]) -> str:
    text = StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows([_cell(each) for each in row] for row in rows)
    return text.getvalue()


def _cell(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return guard(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return encode_moment(value)
    return value.text if isinstance(value, RawJson) else repr(value)


def _object(columns: Sequence[str], row: Sequence[Value]) -> str:
    members = zip(columns, row, strict=True)
    return f"{{{','.join(f'{json.dumps(name)}:{_json(value)}' for name, value in members)}}}\n"


def _json(value: Value) -> str:
    if isinstance(value, RawJson):
        return value.text
    if isinstance(value, datetime):
        value = encode_moment(value)
    return json.dumps(value, ensure_ascii=False)
