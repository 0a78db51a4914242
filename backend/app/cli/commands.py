"""All commands in one place, in the order in which people meet them."""

import typer

from app import __version__
from app.cli import players
from app.cli.access import boards, keys
from app.cli.access.audit import audit
from app.cli.backup import backup, restore
from app.cli.demo.command import demo
from app.cli.maintenance import migrate, rebuild, verify
from app.cli.provision import init
from app.cli.serve import serve
from app.cli.transfer.export import export
from app.cli.transfer.importing import import_
from app.cli.watch.command import watch

app = typer.Typer(
    help="A real-time leaderboard service for games.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def root(
    version: bool = typer.Option(
        False, "--version", callback=_show_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """A real-time leaderboard service for games."""


for _command in (
    serve,
    demo,
    watch,
    verify,
    backup,
    restore,
    export,
    rebuild,
    migrate,
    init,
    audit,
):
    app.command()(_command)
app.command("import")(import_)
app.add_typer(keys.app, name="keys")
app.add_typer(boards.app, name="boards")
app.add_typer(players.app, name="players")
