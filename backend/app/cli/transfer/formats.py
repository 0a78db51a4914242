"""CSV and NDJSON: how a row is written and read.

CSV is RFC 4180 in UTF-8. An empty cell is a missing value, times are ISO 8601 in UTC, numbers are
written in full. Where a spreadsheet could find a formula in a text there is an apostrophe in front,
which reading takes away again: see `guard`. NDJSON is one object a line, with nothing to guard.
"""

import csv
import json
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from functools import partial
from io import StringIO
from pathlib import Path
from typing import NamedTuple

from app.cli.failures import CliError

BYTE_ORDER_MARK = "\ufeff"
"""By this at a file's start some spreadsheets know UTF-8."""

# A cell begins at the text's start, and in a spreadsheet that takes another character for the
# separator, or breaks lines, within it. Before the sign may be what spreadsheets pass over.
_CELL = r"(?:\A|(?<=[;,\t|\r\n]))"
_PASSED_OVER = "['\" \u00a0\u3000]*"
_SIGN = "[=+\\-@\\t\\r\\n\uff1d\uff0b\uff0d\uff20]"
_FORMULA = re.compile(rf"{_CELL}(?={_PASSED_OVER}{_SIGN})")
_GUARDED = re.compile(rf"{_CELL}'(?={_PASSED_OVER}{_SIGN})")

_JSON_TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')
_FORMULA_IN_JSON = re.compile(rf"({_CELL}{_PASSED_OVER})({_SIGN})")


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
    """A text as a CSV cell in which no spreadsheet finds a formula: `=cmd()` is `'=cmd()`, and
    `a;=cmd()` is `a;'=cmd()`. What looks guarded already gets one apostrophe more, so that
    `unguard` gives back any text."""
    return _FORMULA.sub("'", text)


def unguard(cell: str) -> str:
    """The text of which `guard` made the cell; cells of other programs as they are."""
    return _GUARDED.sub("", cell)


def guard_json(text: str) -> str:
    """The same JSON, in whose texts no spreadsheet finds a formula: `=` is written as an escape."""
    return _JSON_TEXT.sub(_without_formulas, text)


def _without_formulas(text: re.Match[str]) -> str:
    body = _FORMULA_IN_JSON.sub(lambda found: f"{found[1]}\\u{ord(found[2]):04x}", text[1])
    return f'"{body}"'


def encode_moment(at: datetime) -> str:
    """To the microsecond, so that it reads back as the same moment."""
    return at.isoformat().replace("+00:00", "Z")


def encoder(format_: Format, columns: Sequence[str], separator: str = ",") -> tuple[str, Encode]:
    """What stands on top of the file, and how rows of these columns become text."""
    if format_ is Format.CSV:
        write = partial(_csv, separator=separator)
        return write([columns]), write

    def encode(rows: Iterable[Sequence[Value]]) -> str:
        return "".join(_object(columns, row) for row in rows)

    return "", encode


def _csv(rows: Iterable[Sequence[Value]], separator: str) -> str:
    text = StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n", delimiter=separator)
    writer.writerows([_cell(each) for each in row] for row in rows)
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
    return guard_json(value.text) if isinstance(value, RawJson) else repr(value)


def _object(columns: Sequence[str], row: Sequence[Value]) -> str:
    members = zip(columns, row, strict=True)
    return f"{{{','.join(f'{json.dumps(name)}:{_json(value)}' for name, value in members)}}}\n"


def _json(value: Value) -> str:
    if isinstance(value, RawJson):
        return value.text
    if isinstance(value, datetime):
        value = encode_moment(value)
    return json.dumps(value, ensure_ascii=False)
