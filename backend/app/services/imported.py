"""What was imported: files by their bytes, and which rows of them are in the ledger.

A row is known by its file and its place in it, for as long as its game is there: an import that
is repeated, or goes on after it broke off, brings in the rows that are not in. A file that begins
with all of another is that one, grown.
"""

import asyncio
import hashlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import groupby
from os import SEEK_CUR
from pathlib import Path
from typing import BinaryIO, NamedTuple

from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.database import RawConnection, raw_connection

CHUNK = 1 << 20

_KNOWN_FILES = "SELECT id, digest, size, begun_at FROM imports WHERE size > 0 ORDER BY size"

_ROWS_OF = "SELECT first_row, last_row FROM imported_rows WHERE import_id = ANY($1::int[])"

_BEGIN = """
INSERT INTO imports (digest, size) VALUES ($1, $2)
ON CONFLICT (digest) DO UPDATE SET size = excluded.size RETURNING id
"""

# Two imports of one file take turns; the second finds the rows of the first.
_LOCK = "SELECT FROM imports WHERE id = $1 FOR UPDATE"

_ROWS_BETWEEN = f"{_ROWS_OF} AND last_row >= $2 AND first_row <= $3"

_NOTE_GAMES = """
UPDATE imports SET last_event_id = greatest(last_event_id, $2), oldest_at = least(oldest_at, $3)
WHERE id = $1
"""

_ADD_ROWS = """
INSERT INTO imported_rows (import_id, first_row, last_row)
SELECT $1, * FROM unnest($2::int[], $3::int[])
"""


class KnownFile(NamedTuple):
    """A row of `imports`."""

    id: int
    digest: bytes
    size: int
    begun_at: datetime


class Rows:
    """A set of rows, by their numbers in the file, from 1."""

    def __init__(self, runs: Iterable[tuple[int, int]] = ()) -> None:
        ordered = sorted(runs)
        self._first = [first for first, _ in ordered]
        self._last = [last for _, last in ordered]

    def __contains__(self, row: int) -> bool:
        at = bisect_right(self._first, row)
        return at > 0 and row <= self._last[at - 1]

    def __len__(self) -> int:
        return sum(self._last) - sum(self._first) + len(self._first)


class SourceFile(NamedTuple):
    """A file of games, and what of it is in: from itself, and from files that it has grown from."""

    digest: bytes
    size: int
    known: Sequence[KnownFile]
    rows: Rows

    @property
    def imported_at(self) -> datetime | None:
        """When an import of the very same file first began."""
        return next((each.begun_at for each in self.known if each.digest == self.digest), None)


async def recognise(engine: AsyncEngine, path: Path) -> SourceFile:
    """The file as it is known now. Raises OSError."""
    async with raw_connection(engine) as connection:
        files = [KnownFile(*row) for row in await connection.fetch(_KNOWN_FILES)]
    digest, size, known = await asyncio.to_thread(_compare, path, files)
    async with raw_connection(engine) as connection:
        runs = await connection.fetch(_ROWS_OF, [each.id for each in known])
    return SourceFile(digest, size, known, Rows(map(tuple, runs)))


async def begin(engine: AsyncEngine, source: SourceFile) -> list[int]:
    """The numbers under which rows of the file are known; the file's own is the first."""
    async with raw_connection(engine) as connection:
        own = await connection.fetchval(_BEGIN, source.digest, source.size)
    return [own, *(each.id for each in source.known if each.id != own)]


async def lock_rows(
    connection: RawConnection, import_ids: Sequence[int], rows: Iterable[int]
) -> Rows:
    """Which of these rows, and rows between them, are in by now; until the transaction ends no
    other import of the file brings one in."""
    await connection.execute(_LOCK, import_ids[0])
    wanted = sorted(rows)
    if not wanted:
        return Rows()
    found = await connection.fetch(_ROWS_BETWEEN, import_ids, wanted[0], wanted[-1])
    return Rows(map(tuple, found))


async def add_rows(connection: RawConnection, import_id: int, rows: Iterable[int]) -> None:
    """Says that these rows of the file are in."""
    runs = list(_runs(sorted(rows)))
    await connection.execute(
        _ADD_ROWS, import_id, [first for first, _ in runs], [last for _, last in runs]
    )


async def note_games(
    connection: RawConnection, import_id: int, newest: int, oldest_at: datetime
) -> None:
    """Says how new the newest session of the file is, and how old its oldest game."""
    await connection.execute(_NOTE_GAMES, import_id, newest, oldest_at)


def _compare(path: Path, known: Sequence[KnownFile]) -> tuple[bytes, int, list[KnownFile]]:
    """The file's SHA-256, its size, and which of the known files, in order of size, it begins
    with."""
    found = []
    hashed = hashlib.sha256()
    with path.open("rb") as file:
        for each in known:
            while chunk := file.read(min(CHUNK, each.size - file.tell())):
                hashed.update(chunk)
            if hashed.digest() == each.digest and _is_between_lines(file):
                found.append(each)
        while chunk := file.read(CHUNK):
            hashed.update(chunk)
        return hashed.digest(), file.tell(), found


def _is_between_lines(file: BinaryIO) -> bool:
    """Whether what was read so far is whole lines."""
    file.seek(-1, SEEK_CUR)
    around = file.read(2)
    file.seek(1 - len(around), SEEK_CUR)
    return len(around) == 1 or around[:1] == b"\n" or around[1:] in (b"\r", b"\n")


def _runs(rows: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Rows in order as (first, last) of those that follow each other."""
    for _, run in groupby(enumerate(rows), lambda each: each[1] - each[0]):
        numbers = [row for _, row in run]
        yield numbers[0], numbers[-1]
