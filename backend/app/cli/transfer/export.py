"""`leaderboard export`: standings, games or players as CSV or NDJSON."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TextIO

import asyncpg
import typer

from app.cli.backing import reached
from app.cli.database import prepare_database
from app.cli.failures import CliError, describe, one_clear_line
from app.cli.folder import DEFAULT_DATA, DataOption
from app.cli.maintenance import progress_bar
from app.cli.mode import operator, record_act
from app.cli.transfer.formats import BYTE_ORDER_MARK, Format, RawJson, choose_format, encoder
from app.core.config import Settings
from app.core.database import create_engine
from app.core.errors import AppError
from app.core.files import new_file, refuse_existing
from app.core.logging import configure_logging
from app.services import exports
from app.services.access.audit import Act
from app.services.access.callers import OPEN
from app.services.boards import Boards


class What(StrEnum):
    STANDINGS = "standings"
    GAMES = "games"
    PLAYERS = "players"


def export(
    what: Annotated[What, typer.Argument(help="What to take out.", show_default=False)],
    file: Annotated[
        str, typer.Argument(metavar="FILE|-", help="`-` is standard output.", show_default=False)
    ],
    board: Annotated[
        str | None, typer.Option(metavar="SLUG", help="Of standings.", show_default="global")
    ] = None,
    season: Annotated[
        int | None, typer.Option(metavar="N", help="Of standings.", show_default="the current one")
    ] = None,
    format_: Annotated[
        Format | None, typer.Option("--format", show_default="by the file's ending")
    ] = None,
    emails: Annotated[
        bool, typer.Option("--emails", help="Players' e-mail addresses too.")
    ] = False,
    bom: Annotated[
        bool, typer.Option("--bom", help="Begin CSV with a mark by which Excel knows UTF-8.")
    ] = False,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Write rows to FILE, as they are at one moment; the service goes on meanwhile.

    In CSV a text that a spreadsheet would run as a formula has an apostrophe in front; `import`
    takes it away again.
    """
    with one_clear_line():
        if what is not What.STANDINGS and (board is not None or season is not None):
            raise CliError("--board and --season are for standings")
        if what is not What.PLAYERS and emails:
            raise CliError("--emails is for players")
        chosen = choose_format(file, format_)
        if bom and chosen is not Format.CSV:
            raise CliError("--bom is for CSV")
        if file != "-":
            refuse_existing(Path(file))
            if not Path(file).absolute().parent.is_dir():
                raise CliError(f"there is no folder {Path(file).absolute().parent}")
        configure_logging("warning")
        with reached(data) as settings, _opened(file) as out:
            out.write(BYTE_ORDER_MARK if bom else "")
            if emails:
                asyncio.run(_note_emails(settings, file))
            rows = asyncio.run(_export(settings, what, (board, season), emails, out, chosen))
        typer.echo(f"{file}: {rows:,} rows.", err=file == "-")


@contextmanager
def _opened(file: str) -> Iterator[TextIO]:
    if file != "-":
        with new_file(Path(file)) as out:
            yield out
        return
    sys.stdout.reconfigure(encoding="utf-8", newline="")  # type: ignore[union-attr]
    try:
        yield sys.stdout
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read has seen enough. What is left must not be flushed at exit.
        sys.stdout = None
        raise typer.Exit(1) from None


async def _note_emails(settings: Settings, file: str) -> None:
    """That addresses are taken out is in the audit log before the first one is."""
    await prepare_database(settings)
    name = "standard output" if file == "-" else f"file:{Path(file).name}"
    await record_act(settings, Act(operator(), "export.emails", name, {}))


async def _export(
    settings: Settings,
    what: What,
    board: tuple[str | None, int | None],
    emails: bool,
    out: TextIO,
    format_: Format,
) -> int:
    """How many rows were written. Raises CliError."""
    # Sorting a large ledger takes what it takes.
    engine = create_engine(settings, command_timeout=None)
    done = 0
    try:
        if what is What.STANDINGS:
            found = (await Boards.load(engine)).find_stored(*board, OPEN)
            export = exports.standings_of(found)
        else:
            export = exports.games() if what is What.GAMES else exports.players(emails=emails)
        head, encode = encoder(format_, export.columns)
        out.write(head)
        with progress_bar(what) as advance:
            async with exports.open_export(engine, export) as (total, chunks):
                advance(0, total)
                async for rows in chunks:
                    if what is What.GAMES:
                        rows = [(*row[:-1], row[-1] and RawJson(row[-1])) for row in rows]  # noqa: PLW2901
                    out.write(encode(rows))
                    done += len(rows)
                    advance(done, total)
    except AppError as error:
        raise CliError(error.detail) from error
    except asyncpg.PostgresError as error:
        raise CliError(f"the database: {describe(error)}") from error
    finally:
        await engine.dispose()
    return done
