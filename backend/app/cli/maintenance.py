"""`leaderboard migrate`, `rebuild` and `verify`: beside a running service or without one."""

import asyncio
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from app.cli.backing import reached
from app.cli.database import WAIT_SECONDS, prepare_database
from app.cli.failures import CliError, one_clear_line
from app.cli.folder import DEFAULT_DATA, DataOption
from app.cli.priority import yield_to_others
from app.core.config import Settings
from app.core.database import create_engine
from app.core.logging import configure_logging
from app.core.redis import create_client
from app.services.access.audit_check import Mark
from app.services.boards import Boards
from app.services.rank_index.index import IndexAway, RankIndex
from app.services.rank_index.rebuild import Outcome
from app.services.rank_index.rebuild import rebuild as rebuild_index
from app.services.verify import verify as find_differences


def migrate(
    data: DataOption = DEFAULT_DATA,
    wait: Annotated[
        float, typer.Option(min=0, help="Seconds to wait for a database that doesn't answer yet.")
    ] = WAIT_SECONDS,
) -> None:
    """Bring the database to this version's schema."""
    with one_clear_line(), reached(data) as settings:
        asyncio.run(prepare_database(settings, wait=wait))
        typer.echo("The database has this version's schema.")


def rebuild(data: DataOption = DEFAULT_DATA) -> None:
    """Build the rank index anew from the database; reads and writes go on meanwhile."""
    with one_clear_line(), reached(data) as settings:
        configure_logging("warning")
        asyncio.run(rebuild_all(settings))


def verify(
    at: Annotated[
        list[str] | None,
        typer.Option(
            metavar="N:HASH", help="An entry of the audit log that was noted and must be there."
        ),
    ] = None,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Compare ledger, folds and index; prints what differs, exit code 1 if anything does.

    Prints the newest entry of the audit log as N:HASH. Note it somewhere else and give it to --at
    the next time: this finds a log that was set back to an older state.
    """
    with one_clear_line(), reached(data) as settings:
        configure_logging("warning")
        yield_to_others()
        found = asyncio.run(verify_all(settings, _marks(at or [])))
        typer.echo(f"{found:,} difference{'' if found == 1 else 's'}." if found else "All agree.")
    sys.exit(1 if found else 0)


async def rebuild_all(settings: Settings) -> None:
    """Builds every board's index anew. Raises CliError."""
    await prepare_database(settings)
    engine = create_engine(settings)
    client = create_client(
        settings, lambda _: None, timeout=max(5.0, settings.redis_timeout), connections=4
    )
    try:
        for board in (await Boards.load(engine)).open:
            with progress_bar(f"index of {board.slug}") as advance:
                outcome = await rebuild_index(RankIndex(client, settings, board), engine, advance)
            if outcome is not Outcome.BUILT:
                raise CliError(f"the index of {board.slug} is being rebuilt by somebody else")
            typer.echo(f"The index of {board.slug} is rebuilt.")
    except IndexAway as error:
        raise CliError(f"Redis can't be used now: {error}") from error
    finally:
        await client.aclose()
        await engine.dispose()


def _marks(given: Sequence[str]) -> list[Mark]:
    """Raises CliError."""
    try:
        return [Mark.parse(each) for each in given]
    except ValueError as error:
        raise CliError(f"--at {error}") from error


async def verify_all(settings: Settings, marks: Sequence[Mark] = ()) -> int:
    """How many differences there are, each told on standard output."""
    with progress_bar("comparing") as advance:
        return await find_differences(
            settings, typer.echo, advance, marks=marks, tell_newest=_tell_newest
        )


def _tell_newest(mark: Mark) -> None:
    if mark.number:
        typer.echo(f"Audit log: {mark}")


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error; what is found goes to standard output."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
