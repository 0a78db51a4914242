"""`leaderboard import games`: another system's games, from CSV or NDJSON."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import asyncpg
import typer
from sqlalchemy.exc import SQLAlchemyError

from app.cli.backing import reached
from app.cli.database import prepare_database
from app.cli.failures import CliError, describe, one_clear_line
from app.cli.folder import DEFAULT_DATA, DataOption
from app.cli.maintenance import progress_bar
from app.cli.mode import operator, record_act
from app.cli.transfer.formats import Format, choose_format
from app.cli.transfer.rejected import Rejected
from app.cli.transfer.rows import COLUMNS, Reading, Row, check_header, read_rows
from app.cli.transfer.source import Layout, find_layout, open_text
from app.core.config import Settings
from app.core.database import create_engine
from app.core.errors import AppError, DatabaseAway
from app.core.logging import configure_logging
from app.core.names import name_key
from app.services.access.audit import Act
from app.services.imported import Rows, begin, recognise
from app.services.imports import BATCH, Game, Importer, look_up, settings_for_import
from app.services.service import open_service

_AGAIN = "Run it again: no game counts twice."

BATCH_CHARACTERS = 4_000_000
"""Of rows that are in memory at once, together."""

INDEX_SECONDS = 120.0
"""For an index that has to be built first."""


class Into(StrEnum):
    GAMES = "games"


def import_(
    _what: Annotated[
        Into, typer.Argument(metavar="games", help="What to bring in.", show_default=False)
    ],
    file: Annotated[Path, typer.Argument(metavar="FILE", show_default=False)],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check the rows, and change nothing.")
    ] = False,
    format_: Annotated[
        Format | None, typer.Option("--format", show_default="by the file's ending")
    ] = None,
    timezone: Annotated[
        str | None,
        typer.Option(metavar="ZONE", help="Of times without an offset, as in Europe/Berlin."),
    ] = None,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Bring in games of another system, beside a running service or without one.

    In CSV a comma, a semicolon, a tab or | is between columns; UTF-16 is taken as well as UTF-8.
    A row has score and username (else user_id), and may have game_mode, played_at, duration_ms,
    won, metadata and submission_id. The file's order decides who reached a score first. Players
    who are not there are made. Run again with the same file, or with one that has grown at its
    end, a game counts once; in another file it does so for IDEMPOTENCY_HOURS, with the same
    submission_id. Rows that can't be taken go into FILE.rejected with the reason; the exit code
    is then 1.
    """
    with one_clear_line():
        chosen = choose_format(file.name, format_)
        if not file.is_file():
            raise CliError(f"there is no file {file}")
        layout = find_layout(file, chosen, frozenset(COLUMNS))
        if chosen is Format.CSV:
            check_header(layout.header)
        source = _Source(file, chosen, layout, _zone(timezone))
        configure_logging("warning")
        with (
            reached(data) as settings,
            Rejected(file, chosen, layout, is_kept=not dry_run) as rejected,
        ):
            do = _check if dry_run else _store
            said = asyncio.run(_on_database(do, settings, source, rejected))
        typer.echo(f"{said}, {rejected.count:,} rows rejected.")
        if rejected.count and not dry_run:
            typer.echo(f"leaderboard: they are in {rejected.path}", err=True)
    if rejected.count:
        raise typer.Exit(1)


def _zone(name: str | None) -> ZoneInfo | None:
    """Raises CliError."""
    try:
        return None if name is None else ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError) as error:
        raise CliError(f"there is no time zone {name}: write it as in Europe/Berlin") from error


class _Source:
    """The file, read a batch at a time."""

    def __init__(self, path: Path, format_: Format, layout: Layout, zone: ZoneInfo | None) -> None:
        self.path = path
        self._format = format_
        self._layout = layout
        self._zone = zone

    def batches(self, settings: Settings, known: Rows) -> Iterator[list[Row]]:
        """Those rows that are not in. Told on a bar. Raises CliError."""
        size = self.path.stat().st_size
        reading = Reading(self._layout, settings, known, self._zone)
        with (
            open_text(self.path, self._layout) as (read, file),
            progress_bar(f"bytes of {self.path.name}") as advance,
        ):
            try:
                for batch in _in_batches(read_rows(file, self._format, reading)):
                    yield batch
                    advance(read.tell(), size)
            except UnicodeDecodeError as error:
                raise CliError(f"{self.path} is cut off in the middle of a letter") from error
            advance(size, size)


def _in_batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Rows that are few and small enough to be in memory at once."""
    batch: list[Row] = []
    size = 0
    for row in rows:
        batch.append(row)
        size += row.size
        if len(batch) == BATCH or size >= BATCH_CHARACTERS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


_Do = Callable[[Settings, _Source, Rejected], Awaitable[str]]


async def _on_database(do: _Do, settings: Settings, source: _Source, rejected: Rejected) -> str:
    """What `do` says of it. Raises CliError."""
    try:
        return await do(settings, source, rejected)
    except DatabaseAway as error:
        raise CliError(f"the database does not answer. {_AGAIN}") from error
    except (
        asyncpg.PostgresError,
        asyncpg.InterfaceError,
        asyncpg.InternalClientError,
        SQLAlchemyError,
        ConnectionError,
        TimeoutError,
    ) as error:
        raise CliError(f"the database: {describe(error)}. {_AGAIN}") from error


async def _check(settings: Settings, source: _Source, rejected: Rejected) -> str:
    good = 0
    new: set[str] = set()
    engine = create_engine(settings)
    try:
        file = await recognise(engine, source.path)
        for rows in source.batches(settings, file.rows):
            games, bad = _split(rows)
            known = await look_up(engine, [game for _, game in games])
            for row, game in games:
                if game.username is None and game.submission.user_id not in known.ids:
                    bad.append((row, f"user_id: there is no player {game.submission.user_id}"))
                    continue
                good += 1
                if game.username is not None and game.username not in known.names:
                    new.add(name_key(game.username))
            rejected.add(bad)
    finally:
        await engine.dispose()
    return (
        f"Nothing was changed: {good:,} games could come in, {len(new):,} players would be new, "
        f"{len(file.rows):,} games are there already"
    )


async def _store(settings: Settings, source: _Source, rejected: Rejected) -> str:
    await prepare_database(settings)
    async with open_service(settings_for_import(settings)) as service:
        file = await recognise(service.engine, source.path)
        stored, there = 0, len(file.rows)
        importer = Importer(service, await begin(service.engine, file))
        if not await importer.wait_ready(INDEX_SECONDS):
            raise CliError("the rank index can't be used now: is Redis there?")
        try:
            for rows in source.batches(settings, file.rows):
                games, bad = _split(rows)
                outcomes = await importer.store([game for _, game in games])
                for (row, _), outcome in zip(games, outcomes, strict=True):
                    if isinstance(outcome, AppError):
                        bad.append((row, outcome.detail))
                    else:
                        stored += not outcome.replayed
                        there += outcome.replayed
                rejected.add(bad)
        finally:
            await importer.close()
            detail = {"sha256": file.digest.hex(), "games": stored, "rejected": rejected.count}
            await record_act(
                settings, Act(operator(), "import", f"file:{source.path.name}", detail)
            )
    if there and not stored and file.imported_at is not None:
        return f"This file was imported on {file.imported_at:%Y-%m-%d %H:%M} UTC: nothing was added"
    return (
        f"{stored:,} games came in with {importer.players_made:,} new players, "
        f"{there:,} were there already"
    )


def _split(rows: Iterable[Row]) -> tuple[list[tuple[Row, Game]], list[tuple[Row, str]]]:
    """The games, and the rows that are none with the reasons."""
    good, bad = [], []
    for row in rows:
        if row.game is None:
            bad.append((row, row.problem))
        else:
            good.append((row, row.game))
    return good, bad
