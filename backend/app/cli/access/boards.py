"""`leaderboard boards`: who may read a board, and whose clients may send scores to it."""

from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncEngine

from app.cli.access.running import ReasonOption, clean_option, on_database, show
from app.cli.folder import DEFAULT_DATA, DataOption
from app.cli.mode import operator
from app.services.access.sealing import Sealer
from app.services.board_admin import BoardAdmin
from app.services.boards import BoardProfile, BoardRules, Boards

app = typer.Typer(
    help="List boards, and set who may use them.", no_args_is_help=True, rich_markup_mode=None
)


@app.command("list")
def list_boards(data: DataOption = DEFAULT_DATA) -> None:
    """List all boards with who may use them."""

    async def do(engine: AsyncEngine, _sealer: Sealer) -> list[BoardProfile]:
        return (await Boards.load(engine)).profiles

    boards = on_database(data, do)
    rows = [(board.slug, board.name, *_say(board.rules)) for board in boards]
    show(("board", "name", "read by", "scores from"), rows)


@app.command("set")
def set_rules(
    slug: Annotated[str, typer.Argument(metavar="BOARD", help="The board's slug.")],
    client_submissions: Annotated[
        bool | None,
        typer.Option(
            "--client-submissions/--no-client-submissions",
            help="Whether players' own clients may send scores.",
        ),
    ] = None,
    private: Annotated[
        bool | None,
        typer.Option("--private/--public", help="Whether reading it needs a credential."),
    ] = None,
    name: Annotated[str | None, typer.Option(callback=clean_option, help="A new name.")] = None,
    reason: ReasonOption = None,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Change who may use a board. Running services follow within a second."""

    async def do(engine: AsyncEngine, sealer: Sealer) -> BoardRules:
        return await BoardAdmin(engine, sealer).change(
            slug,
            operator(),
            name=name,
            client_submissions=client_submissions,
            is_private=private,
            reason=reason,
        )

    rules = on_database(data, do)
    readers, senders = _say(rules)
    typer.echo(f"{rules.slug}: read by {readers}; scores from {senders}.")


def _say(rules: BoardRules) -> tuple[str, str]:
    readers = "keys and players" if rules.is_private else "everybody"
    senders = "keys and players' clients" if rules.client_submissions else "keys"
    return readers, senders
