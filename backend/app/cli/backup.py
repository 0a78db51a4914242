"""`leaderboard backup` and `restore`: all that is truth, in one file, and back.

The file holds PostgreSQL's database, as its own programs write and read it. Redis is not in it:
the index is rebuilt from what is.
"""

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.filesize import decimal
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from sqlalchemy import text

from app.cli.backing import reached, started, uses_own_servers
from app.cli.failures import CliError, load_settings, one_clear_line
from app.cli.folder import DEFAULT_DATA, DataOption
from app.cli.maintenance import rebuild_all, verify_all
from app.cli.mode import operator, record_act
from app.cli.pg_tools import find_tool, run_tool
from app.cli.priority import yield_to_others
from app.core.config import Settings
from app.core.database import create_engine
from app.core.embedded.folder import DataFolder
from app.core.files import new_file, refuse_existing
from app.core.logging import configure_logging
from app.services.access.audit import Act

File = Annotated[Path, typer.Argument(metavar="FILE", show_default=False)]

_VERSION = text("SELECT current_setting('server_version_num')::int / 10000")
_IS_EMPTY = text("SELECT to_regclass('alembic_version') IS NULL AND to_regclass('users') IS NULL")


def backup(file: File, data: DataOption = DEFAULT_DATA) -> None:
    """Write all data to FILE, as it is at one moment; the service goes on meanwhile."""
    with one_clear_line():
        refuse_existing(file)
        if not file.absolute().parent.is_dir():
            raise CliError(f"there is no folder {file.absolute().parent}")
        with reached(data) as settings:
            yield_to_others()
            _write(file, settings)
        typer.echo(f"{file}: {decimal(file.stat().st_size)}")


def _write(file: Path, settings: Settings) -> None:
    """The file appears under its name when it is whole and on disk."""
    tool = find_tool("pg_dump", asyncio.run(_ask(settings, _VERSION)))
    with new_file(file) as out, _growing("writing", out.fileno()) as look:
        # Into the open file: by its name another one could be put in its place.
        run_tool(
            tool, "--format=custom", "--no-owner", "--no-privileges",
            database_url=settings.database_url, look=look, out=out.fileno(),
        )  # fmt: skip


def restore(file: File, data: DataOption = DEFAULT_DATA) -> None:
    """Fill an empty database, or a new data folder, from FILE; then prove that all agrees."""
    with one_clear_line():
        if not file.is_file():
            raise CliError(f"there is no file {file}")
        with _target(data) as settings:
            if not asyncio.run(_ask(settings, _IS_EMPTY)):
                raise CliError(
                    "the database is not empty: restore into a new one (another --data or "
                    "DATABASE_URL), and nothing is ever overwritten"
                )
            _fill(file, settings)
            differences = asyncio.run(_prove(settings, file))
    if differences:
        raise typer.Exit(1)


@contextmanager
def _target(data: Path) -> Iterator[Settings]:
    """Where it goes: the given servers, else those of a data folder, which may be a new one."""
    configure_logging("warning")
    settings = load_settings()
    if uses_own_servers(settings) and not DataFolder(data).postgres.is_dir():
        with started(data, settings, workers=1):
            yield load_settings()
    else:
        with reached(data) as settings:
            yield settings


def _fill(file: Path, settings: Settings) -> None:
    tool = find_tool("pg_restore", asyncio.run(_ask(settings, _VERSION)))
    with _growing(f"reading {file.name}", None) as look:
        # All of it or nothing: a half that looks like a whole is worse than none.
        run_tool(
            tool, "--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges", file,
            database_url=settings.database_url, look=look,
        )  # fmt: skip


async def _prove(settings: Settings, file: Path) -> int:
    """Brings the data to this version's schema, builds the index, notes the restore in the audit
    log, and compares everything."""
    await rebuild_all(settings)
    await record_act(settings, Act(operator(), "restore", f"file:{file.name}", {}))
    found = await verify_all(settings)
    typer.echo(f"{found:,} differences." if found else "Restored. Ledger, boards and index agree.")
    return found


async def _ask(settings: Settings, query: object) -> int:
    engine = create_engine(settings)
    try:
        async with engine.connect() as connection:
            return int((await connection.execute(query)).scalar_one())  # type: ignore[call-overload]
    finally:
        await engine.dispose()


@contextmanager
def _growing(what: str, file: int | None) -> Iterator[Callable[[], None]]:
    """How long it has taken, and how much has been written."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what)

        def look() -> None:
            if file is not None:
                bar.update(task, description=f"{what}  {decimal(os.fstat(file).st_size)}")

        yield look
