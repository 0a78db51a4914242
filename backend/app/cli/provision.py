"""`leaderboard init`: what a new deployment needs before it runs. It may be repeated, and leaves
what is there as it is."""

import os
import stat
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncEngine

from app.cli.access.running import on_database
from app.cli.folder import DEFAULT_DATA, DataOption
from app.cli.mode import operator
from app.core.files import new_file
from app.services.access.callers import Scope
from app.services.access.key_admin import KeyAdmin
from app.services.access.sealing import Sealer


def write_private(path: Path, text: str) -> None:
    """A line in a file for the folder's owner alone, and the group that the folder was handed to
    with it; whole or not at all. Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = path.parent.stat()
    with new_file(path, replaces=True) as file:
        file.write(f"{text}\n")
        if folder.st_uid != os.geteuid():
            os.fchown(file.fileno(), folder.st_uid, folder.st_gid)
        if folder.st_mode & stat.S_ISGID:
            os.fchmod(file.fileno(), 0o640)


def init(
    key_file: Annotated[
        Path, typer.Option(metavar="FILE", help="Where the first admin key is written.")
    ],
    read_key_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Keep a key there with which Prometheus can read."),
    ] = None,
    service_role: Annotated[
        str | None,
        typer.Option(
            metavar="ROLE",
            help="The database role of the service, where it is not the one that runs this: gets "
            "what the service needs and no more. What it owns in the database is taken over.",
        ),
    ] = None,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Bring the database to this version's schema, and make the first admin key if there is none.

    The key goes into a file that only its owner can read, and is not shown. Prometheus' key is
    made again if its file is not there or holds a key that has ended.
    """

    async def do(engine: AsyncEngine, sealer: Sealer) -> tuple[bool, bool]:
        keys = KeyAdmin(engine, sealer)
        first = not await keys.has_admin()
        if first:
            await _make_key(keys, "first admin", Scope.ADMIN, key_file)
        if read_key_file is None or await keys.is_active(_text(read_key_file)):
            return first, False
        await _make_key(keys, "prometheus", Scope.READ, read_key_file)
        return first, True

    made, made_to_read = on_database(data, do, service_role=service_role)
    typer.echo("The database has this version's schema.")
    if made:
        typer.echo(f"The first admin key is in {key_file}.")
    elif key_file.exists():
        typer.echo(f"There is an admin key. The first one was written to {key_file}.")
    else:
        typer.echo("There is an admin key. `leaderboard keys create` makes another.")
    if made_to_read:
        typer.echo(f"A key for Prometheus is in {read_key_file}.")


async def _make_key(keys: KeyAdmin, name: str, scope: Scope, place: Path) -> None:
    write_private(place, "")  # a place that can't be written is found before a key is made
    made = await keys.create(name, {scope}, operator(), reason="made by init")
    write_private(place, made.text)


def _text(place: Path) -> str:
    return place.read_text().strip() if place.exists() else ""
