"""`leaderboard players`: erase players, list who was erased, and export what is stored of one."""

import sys
from datetime import UTC
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncEngine

from app.cli.access.running import ReasonOption, on_database
from app.cli.failures import CliError, one_clear_line
from app.cli.folder import DEFAULT_DATA, DataOption
from app.cli.mode import operator
from app.core.config import MAX_USER_ID
from app.core.errors import UnknownPlayer
from app.services.access.sealing import Sealer
from app.services.boards import Boards
from app.services.erasure import Erased, Erasures
from app.services.player_export import PlayerExports
from app.services.players import Players
from app.services.sessions import Sessions
from app.services.standings import StandingsByBoard

app = typer.Typer(
    help="Erase players, and export what is stored of one.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

MAX_DIGITS = 16

PlayerArgument = Annotated[
    int, typer.Argument(metavar="ID", min=1, max=MAX_USER_ID, help="The player's id.")
]


async def _erasures(engine: AsyncEngine, sealer: Sealer) -> Erasures:
    """A running service brings the change to its index within its next sweep, as it does after a
    worker that died."""
    players = Players(engine, await Boards.load(engine), StandingsByBoard([]), sealer)
    return Erasures(engine, players)


@app.command()
def erase(
    ids: Annotated[
        list[int] | None,
        typer.Argument(metavar="[ID]...", min=1, max=MAX_USER_ID, help="The players' ids."),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", exists=True, dir_okay=False, help="What `players erased` wrote."),
    ] = None,
    reason: ReasonOption = None,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Erase players for good: names, e-mail addresses, guests' secrets, metadata of games. With
    --file: those who were erased before a restore, and came back with it."""
    with one_clear_line():
        wanted = [*(ids or []), *(_read_ids(file) if file else [])]
        if not wanted:
            raise CliError("give ids of players, or --file with the output of `players erased`")

    async def do(engine: AsyncEngine, sealer: Sealer) -> list[int]:
        erasures = await _erasures(engine, sealer)
        unknown = []
        for user_id in wanted:
            try:
                await erasures.erase(user_id, operator(), reason)
            except UnknownPlayer:
                unknown.append(user_id)
        return unknown

    unknown = on_database(data, do)
    erased = len(wanted) - len(unknown)
    typer.echo(f"{erased:,} player{' is' if erased == 1 else 's are'} erased.")
    if unknown:
        typer.echo(f"There is no player {', '.join(map(str, unknown))}.", err=True)
        raise typer.Exit(1)


@app.command()
def erased(data: DataOption = DEFAULT_DATA) -> None:
    """List who was erased and when: keep it beside the backups, which still know these players."""

    async def do(engine: AsyncEngine, sealer: Sealer) -> list[Erased]:
        return await (await _erasures(engine, sealer)).all()

    for each in on_database(data, do):
        typer.echo(f"{each.user_id} {each.erased_at.astimezone(UTC).isoformat(timespec='seconds')}")


@app.command()
def export(user_id: PlayerArgument, data: DataOption = DEFAULT_DATA) -> None:
    """Write everything stored about a player to standard output, as JSON."""

    async def do(engine: AsyncEngine, _sealer: Sealer) -> None:
        async for piece in await PlayerExports(engine, Sessions(engine)).open(user_id):
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.write(b"\n")
        sys.stdout.flush()

    on_database(data, do)


def _read_ids(file: Path) -> list[int]:
    """Raises CliError for a line that does not begin with an id."""
    ids = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        words = line.split()
        if not words:
            continue
        given = words[0] if words[0].isascii() and words[0].isdigit() else "0"
        if len(given) > MAX_DIGITS or not 1 <= int(given) <= MAX_USER_ID:
            raise CliError(f"{file}, line {number}: does not begin with a player's id")
        ids.append(int(given))
    return ids
