"""`leaderboard keys`: API keys made, listed, rotated and revoked at the command line."""

from datetime import datetime
from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncEngine

from app.cli.access.running import ReasonOption, clean_option, on_database, show
from app.cli.folder import DEFAULT_DATA, DataOption
from app.cli.mode import operator
from app.schemas.access import MAX_KEY_DAYS, MAX_OVERLAP_SECONDS
from app.services.access.callers import Scope
from app.services.access.key_admin import KeyAdmin, KeyInfo, MadeKey
from app.services.access.keys import MARK
from app.services.access.sealing import Sealer

DAY = 24 * 3_600
MAX_NAME = 64

app = typer.Typer(
    help="Make, list, rotate and revoke API keys.", no_args_is_help=True, rich_markup_mode=None
)


def _clean_name(text: str) -> str:
    name = clean_option(text) or ""
    if len(name) > MAX_NAME:
        raise typer.BadParameter(f"must have at most {MAX_NAME} characters")
    return name


def _prefix(text: str) -> str:
    """The visible part, of whatever of the key was given."""
    return text.removeprefix(MARK).partition("_")[0]


def _scope(text: str) -> Scope:
    if text not in set(Scope):
        raise typer.BadParameter(f"{text} is not one of {', '.join(Scope)}")
    return Scope(text)


KeyArgument = Annotated[
    str,
    typer.Argument(metavar="KEY", callback=_prefix, help="The visible part: lb_bcdfghjk."),
]


@app.command()
def create(
    name: Annotated[str, typer.Option(callback=_clean_name, help="Whose it is, for people.")],
    scope: Annotated[
        list[Scope],
        typer.Option(
            parser=_scope,
            metavar="|".join(Scope),
            help="What it is for; say it once for each. admin implies all.",
        ),
    ],
    days: Annotated[
        int | None, typer.Option(min=1, max=MAX_KEY_DAYS, help="It ends after so many days.")
    ] = None,
    reason: ReasonOption = None,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Make a key. It is printed once and stored nowhere."""

    async def do(engine: AsyncEngine, sealer: Sealer) -> MadeKey:
        return await KeyAdmin(engine, sealer).create(
            name,
            set(scope),
            operator(),
            expires_in=days and days * DAY,
            reason=reason,
        )

    _print_new(on_database(data, do))


@app.command("list")
def list_keys(data: DataOption = DEFAULT_DATA) -> None:
    """List all keys, newest first, without their secrets."""
    keys = on_database(data, lambda engine, sealer: KeyAdmin(engine, sealer).all())
    if not keys:
        typer.echo("There are no keys.")
        return
    show(
        ("key", "name", "scopes", "status", "made", "ends", "last used"),
        [
            (
                MARK + key.prefix,
                key.name,
                " ".join(key.scopes),
                key.status,
                _at(key.created_at),
                _at(key.revoked_at or key.expires_at),
                _at(key.last_used_at),
            )
            for key in keys
        ],
    )


@app.command()
def rotate(
    key: KeyArgument,
    overlap: Annotated[
        int,
        typer.Option(min=0, max=MAX_OVERLAP_SECONDS, help="Seconds for which the old key goes on."),
    ] = 3_600,
    reason: ReasonOption = None,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Make a key that takes over from another, which ends when the overlap is over."""

    async def do(engine: AsyncEngine, sealer: Sealer) -> MadeKey:
        admin = KeyAdmin(engine, sealer)
        old = await admin.find(key)
        return await admin.rotate(old.id, operator(), overlap=overlap, reason=reason)

    _print_new(on_database(data, do))


@app.command()
def revoke(key: KeyArgument, reason: ReasonOption = None, data: DataOption = DEFAULT_DATA) -> None:
    """End a key for good. Running services refuse it within a second."""

    async def do(engine: AsyncEngine, sealer: Sealer) -> KeyInfo:
        admin = KeyAdmin(engine, sealer)
        found = await admin.find(key)
        return await admin.revoke(found.id, operator(), reason=reason)

    revoked = on_database(data, do)
    typer.echo(f"{MARK}{revoked.prefix} ({revoked.name}) is revoked.")


def _print_new(made: MadeKey) -> None:
    """The key alone on standard output, so that a script can take it."""
    until = _at(made.info.expires_at) or "for good"
    scopes = " ".join(made.info.scopes)
    typer.echo(f"{made.info.name} ({scopes}), {until}. It is shown this once:", err=True)
    typer.echo(made.text)


def _at(at: datetime | None) -> str:
    return "" if at is None else f"{at:%Y-%m-%d %H:%M}Z"
