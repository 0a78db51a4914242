"""A file of games as it lies there: how it is encoded, what stands between its columns, its lines.

A line has a bound, so that reading takes the same memory whatever the file holds.
"""

import csv
import re
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import BinaryIO, NamedTuple, TextIO

from app.cli.failures import CliError
from app.cli.transfer.formats import Format

MAX_LINE = 1_000_000
"""Characters of a line, and of a row of CSV that goes over several lines."""

SEPARATORS = ",;\t|"
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)
"""What spreadsheets write on top of a file to say what stands between its columns."""
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_UTF_8_MARK = b"\xef\xbb\xbf"
_LOOKED_AT = 4_096
"""Bytes at the start of a file by which its encoding is told."""


class TooLongError(Exception):
    """A line, or a row, has more than MAX_LINE characters. The next line is where it goes on."""


class Lines:
    """A file's lines. Raises TooLongError, once for each line that is too long."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self.number = 0
        """Of the line that was read last, from 1."""
        self.size = 0
        """Characters of the row so far."""

    def begin_row(self) -> None:
        self.size = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._file.readline(MAX_LINE + 1)
        if not line:
            raise StopIteration
        self.number += 1
        self.size += len(line)
        if self.size <= MAX_LINE:
            return line
        while line and line[-1] not in "\r\n":
            line = self._file.readline(MAX_LINE)
        raise TooLongError


class Layout(NamedTuple):
    """How a file is written."""

    encoding: str
    errors: str
    has_mark: bool
    """Whether a byte order mark stands at its start."""
    separator: str = ","
    lines_above: int = 0
    """Lines above the header."""
    header: tuple[str, ...] = ()
    """A CSV file's columns, in small letters and with `_` for blanks."""


@contextmanager
def open_text(path: Path, layout: Layout) -> Iterator[tuple[BinaryIO, TextIO]]:
    """The file's bytes, to tell how far it was read, and its text."""
    with (
        path.open("rb") as read,
        TextIOWrapper(read, layout.encoding, errors=layout.errors, newline="") as text,
    ):
        yield read, text


def find_layout(path: Path, format_: Format, known: frozenset[str]) -> Layout:
    """How the file is written; `known` are the names that columns can have. Raises CliError."""
    layout = _encoding(path)
    if format_ is not Format.CSV:
        return layout
    try:
        with open_text(path, layout) as (_, text):
            said = _SEPARATOR_LINE.fullmatch(next(Lines(text), ""))
        layout = layout._replace(lines_above=int(said is not None))
        candidates = [
            layout._replace(separator=each, header=_header(path, layout, each))
            for each in (said[1] if said else SEPARATORS)
        ]
    except (csv.Error, TooLongError) as error:
        raise CliError(f"{path} is not CSV: {error or 'its first line is too long'}") from error
    except UnicodeDecodeError as error:
        raise CliError(f"{path} is cut off, or no text in {layout.encoding.upper()}") from error
    return max(candidates, key=lambda each: len(known.intersection(each.header)))


def _encoding(path: Path) -> Layout:
    with path.open("rb") as file:
        start = file.read(_LOOKED_AT)
    if start.startswith(_UTF_16):
        return Layout("utf-16", "surrogatepass", has_mark=True)
    if b"\0" in start:
        raise CliError(
            f"{path} is not text in UTF-8: save a spreadsheet as CSV in UTF-8, and unpack a packed "
            "file"
        )
    # What is no UTF-8 is its row's fault alone.
    return Layout("utf-8-sig", "surrogateescape", has_mark=start.startswith(_UTF_8_MARK))


def _header(path: Path, layout: Layout, separator: str) -> tuple[str, ...]:
    with open_text(path, layout) as (_, text):
        lines = islice(Lines(text), layout.lines_above, None)
        names = next(csv.reader(lines, delimiter=separator), [])
    return tuple(re.sub(r"[\s-]+", "_", name.strip().lower()) for name in names)
