"""What these commands share: a database that is up to date, and who sits at the terminal."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.cli.backing import reached
from app.cli.database import prepare_database
from app.cli.failures import CliError, one_clear_line
from app.core.config import Settings
from app.core.database import create_engine
from app.core.errors import AppError
from app.core.logging import configure_logging
from app.schemas.text import clean_line
from app.services.access.sealing import Sealer

T = TypeVar("T")

PIPE_WIDTH = 1_000


def clean_option(text: str | None) -> str | None:
    """For an option: a line of text as it is stored."""
    if text is None:
        return None
    try:
        return clean_line(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def show(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table on standard output. Where that is no terminal, as wide as it must be."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for at, title in enumerate(titles):
        table.add_column(title, overflow="fold", no_wrap=at == 0)
    for row in rows:
        table.add_row(*map(Text, row))
    Console(width=None if sys.stdout.isatty() else PIPE_WIDTH).print(table)


ReasonOption = Annotated[
    str | None,
    typer.Option("--reason", metavar="TEXT", callback=clean_option, help="Why, for the audit log."),
]


def on_database(
    data: Path,
    do: Callable[[AsyncEngine, Sealer], Awaitable[T]],
    *,
    service_role: str | None = None,
) -> T:
    """What `do` returns, with the database of the running service, of DATABASE_URL, or of the
    data folder. What can't be done ends in one clear line."""
    with one_clear_line(), reached(data) as settings:
        configure_logging("warning")
        try:
            return asyncio.run(_run(settings, do, service_role))
        except AppError as error:
            raise CliError(error.detail) from error


async def _run(
    settings: Settings,
    do: Callable[[AsyncEngine, Sealer], Awaitable[T]],
    service_role: str | None,
) -> T:
    await prepare_database(settings, service_role=service_role)
    engine = create_engine(settings)
    try:
        return await do(engine, Sealer.of(settings))
    finally:
        await engine.dispose()
