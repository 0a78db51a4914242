"""`leaderboard watch`: the live board as a table that keeps itself up to date."""

import asyncio
import time
from typing import Annotated

import typer
from rich.console import Console, RenderableType
from rich.live import Live

from app.cli.failures import CliError, one_clear_line
from app.cli.folder import DEFAULT_DATA, DataOption, KeyOption, UrlOption, clean_key, find_url
from app.cli.stopping import run_until_stopped
from app.cli.watch.connection import LostError, RefusedError, Watcher
from app.cli.watch.moves import Moves
from app.cli.watch.state import State
from app.cli.watch.table import render

REDRAWS_A_SECOND = 8
ONCE_SECONDS = 15.0


class _Seen(Exception):
    pass


def watch(
    url: UrlOption = None,
    player: Annotated[
        int | None, typer.Option(min=1, metavar="ID", help="Show this player's own rank too.")
    ] = None,
    top: Annotated[int, typer.Option(min=1, max=1_000, help="Rows to show.")] = 20,
    once: Annotated[bool, typer.Option("--once", help="Print one table and end.")] = False,
    key: KeyOption = None,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Watch the live board in the terminal; Ctrl-C ends it."""
    with one_clear_line():
        screen = _Screen(find_url(url, data), clean_key(key), player, top)
        try:
            run_until_stopped(screen.print_once() if once else screen.run())
        except (RefusedError, LostError) as error:
            raise CliError(f"{screen.url}: {error}") from error


class _Screen:
    """Draws what the watcher knows."""

    def __init__(self, url: str, key: str | None, player: int | None, top: int) -> None:
        self._watcher = Watcher(url, key, player, self._on_state, self._on_link)
        self.url, self._top = url, top
        self._moves = Moves()
        self._link = "connecting"
        self._once = False

    async def run(self) -> None:
        following = asyncio.create_task(self._watcher.follow())
        with Live(
            get_renderable=self._render, console=Console(), refresh_per_second=REDRAWS_A_SECOND
        ):
            await following

    async def print_once(self) -> None:
        self._once = True
        try:
            async with asyncio.timeout(ONCE_SECONDS):
                await self._watcher.follow_once()
        except _Seen:
            Console().print(self._render())
        except TimeoutError as error:
            raise LostError("no snapshot came") from error

    def _on_state(self, before: State, after: State) -> None:
        self._moves.note(before, after, time.monotonic())
        if self._once:
            raise _Seen

    def _on_link(self, text: str) -> None:
        self._link = text

    def _render(self) -> RenderableType:
        link = f"{self._link}, {self.url}"
        return render(
            self._watcher.state, self._moves, top=self._top, link=link, now=time.monotonic()
        )
