"""The board as a table. Names are other people's text: never read as markup."""

from rich.console import Group
from rich.table import Table
from rich.text import Text

from app.cli.watch.moves import Moves
from app.cli.watch.state import Own, State


def render(state: State, moves: Moves, *, top: int, link: str, now: float) -> Group:
    """`link` says how the connection is: it stands alone until there is something to show."""
    if state.seq < 0:
        return Group(Text(link, style="dim"))
    table = Table(title=_title(state), title_justify="left", expand=False)
    table.add_column("#", justify="right")
    table.add_column("", justify="right", min_width=4)
    table.add_column("player", min_width=20, max_width=34, no_wrap=True)
    table.add_column("score", justify="right", min_width=9)
    table.add_column("games", justify="right")
    table.add_column("wins", justify="right")
    for entry in state.rows[:top]:
        table.add_row(
            f"{entry.rank:,}",
            _arrow(moves.of(entry.user_id, now)),
            Text(entry.username),
            f"{entry.total_score:,}",
            f"{entry.games_played:,}",
            "" if entry.win_rate is None else f"{entry.win_rate:.0%}",
        )
    lines = [table] if state.own is None else [table, _own_line(state.own, state.total_players)]
    return Group(*lines, Text(link, style="dim"))


def _title(state: State) -> Text:
    return Text(f"{state.board}, season {state.season}: {state.total_players:,} players")


def _arrow(places: int) -> Text:
    if places > 0:
        return Text(f"▲{places}", style="bold green")
    return Text(f"▼{-places}", style="red") if places < 0 else Text("")


def _own_line(own: Own, players: int) -> Text:
    if own.rank is None:
        return Text("You have no rank yet.", style="bold")
    line = Text.assemble((f"You: rank {own.rank:,} of {players:,} ", "bold"), _arrow(own.change))
    if own.username:
        line.append(f"  {own.username}")
    return line
