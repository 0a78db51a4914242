"""`leaderboard secrets` and `init`: what a new deployment needs before it runs. Both may be
repeated, and leave what is there as it is."""

import os
import secrets as random
import stat
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncEngine

from app.cli.access.running import on_database
from app.cli.failures import CliError, one_clear_line
from app.cli.folder import DEFAULT_DATA, DataOption
from app.cli.mode import operator
from app.core.files import new_file
from app.services.access.callers import Scope
from app.services.access.key_admin import KeyAdmin
from app.services.access.sealing import Sealer

RANDOM_BYTES = 36


def secrets(
    into: Annotated[
        Path, typer.Argument(metavar="DIR", help="Gets a folder for each that reads secrets.")
    ],
    owner: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DIR=UID[:GID]",
            help="Hand a folder over, and what is made in it; a group may then read it.",
        ),
    ] = None,
    postgres_host: Annotated[str, typer.Option(help="For the database's URL.")] = "postgres",
    redis_host: Annotated[str, typer.Option(help="For Redis' URL.")] = "redis",
) -> None:
    """Make a deployment's random secrets, once, in files that only their reader can read.

    postgres/ and redis/ get passwords; backend/ gets the URLs with them, and the secret that
    signs players' tokens; grafana/ gets its administrator's password and its own secret. Nothing
    of them is printed.
    """
    with one_clear_line():
        for each in owner or ():
            _hand_over(each)
        made = _make_all(into, postgres_host, redis_host)
        typer.echo(f"Made {', '.join(made)} in {into}." if made else f"All are in {into}.")


def _hand_over(given: str) -> None:
    folder, _, owner = given.rpartition("=")
    user, _, group = owner.partition(":")
    if not folder or not user.isdecimal() or not (group or user).isdecimal():
        raise CliError(f"--owner {given}: give a folder and the number of a user, as in DIR=999")
    path = Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    if path.stat().st_uid != int(user):
        # While it is still ours. What is made in a folder with the bit is its group's as well.
        path.chmod(0o700 | (stat.S_ISGID | 0o050 if group else 0))
        os.chown(path, int(user), int(group or user))


def _make_all(into: Path, postgres_host: str, redis_host: str) -> list[str]:
    """The names of what was not there."""
    made: list[str] = []

    def keep(name: str, text: str) -> str:
        """What the file holds; `text`, if there was none."""
        path = into / name
        if not path.exists():
            write_private(path, text)
            made.append(name)
        return path.read_text().strip()

    def follow(name: str, text: str) -> None:
        """A file that says what others say, in another form."""
        if not (into / name).exists() or (into / name).read_text() != f"{text}\n":
            write_private(into / name, text)
            made.append(name)

    keep("postgres/superuser_password", _random())
    database = keep("postgres/password", _random())
    index = keep("redis/password", _random())
    keep("backend/auth_secret", _random())
    keep("grafana/admin_password", _random())
    keep("grafana/secret_key", _random())
    follow("redis/redis.conf", f"requirepass {index}")
    follow(
        "backend/database_url",
        f"postgresql+asyncpg://leaderboard:{database}@{postgres_host}/leaderboard",
    )
    follow("backend/redis_url", f"redis://:{index}@{redis_host}:6379/0")
    return made


def _random() -> str:
    """Letters, digits, `-` and `_`: it needs no quoting in a URL or a configuration."""
    return random.token_urlsafe(RANDOM_BYTES)


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

    made, made_to_read = on_database(data, do)
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
