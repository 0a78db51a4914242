"""`leaderboard demo`: a filled board and live traffic on it."""

import asyncio
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from app.cli.demo import filling
from app.cli.demo.client import Client, GaveUpError, RefusedError
from app.cli.demo.players import Player
from app.cli.demo.tally import Tally
from app.cli.demo.traffic import Traffic
from app.cli.failures import CliError, one_clear_line
from app.cli.folder import DEFAULT_DATA, DataOption, KeyOption, UrlOption, clean_key, find_url
from app.cli.stopping import run_until_stopped

SHOW_EVERY = 0.25
LOG_EVERY = 10.0


def demo(
    url: UrlOption = None,
    players: Annotated[
        int, typer.Option(min=1, max=1_000_000, help="Players on the board.")
    ] = 1_000,
    rate: Annotated[float, typer.Option(min=0, help="Live submissions a second.")] = 50.0,
    seconds: Annotated[
        float, typer.Option(min=0, help="How long to play; 0 is until Ctrl-C.")
    ] = 0.0,
    key: KeyOption = None,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Fill a running service through its public API, then play live traffic on it."""
    tally = Tally()
    with one_clear_line():
        try:
            client = Client(find_url(url, data), clean_key(key))
            run_until_stopped(_demo(client, players, rate, seconds, tally))
        except (GaveUpError, RefusedError) as error:
            raise CliError(str(error)) from error
        finally:
            if tally.sent:
                typer.echo(f"Done: {tally}")


async def _demo(client: Client, count: int, rate: float, seconds: float, tally: Tally) -> None:
    console = Console(stderr=True)
    async with client:
        await client.greet()
        players = await _fill(client, count, console)
        if rate > 0:
            await _play(Traffic(client, players, rate, tally), tally, seconds, console)


async def _fill(client: Client, count: int, console: Console) -> list[Player]:
    started = time.monotonic()
    ranked = await filling.find_ranked(client)
    with _bar("players", count, console) as advance:
        players = await filling.find_or_make_players(client, count, ranked, advance)
    newcomers = [player for player in players if player.username not in ranked]
    games = filling.history(newcomers)
    with _bar("past games", len(games), console) as advance:
        rejected = await filling.submit_history(client, games, advance)
    typer.echo(
        f"{len(players):,} players at {client.url}, {len(newcomers):,} of them new; "
        f"{len(games) - rejected:,} games stored, {rejected:,} rejected, "
        f"in {time.monotonic() - started:.1f} s."
    )
    return players


async def _play(traffic: Traffic, tally: Tally, seconds: float, console: Console) -> None:
    async with asyncio.TaskGroup() as group:
        playing = group.create_task(traffic.play(seconds or math.inf))
        await (_show if console.is_terminal else _log)(tally, playing, console)


async def _show(tally: Tally, playing: "asyncio.Task[None]", console: Console) -> None:
    """How it goes, in one line that is written over."""
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while not playing.done():
            await asyncio.wait({playing}, timeout=SHOW_EVERY)
            live.update(Text(str(tally)), refresh=True)


async def _log(tally: Tally, playing: "asyncio.Task[None]", console: Console) -> None:
    """The same for a file: a line now and then."""
    while not playing.done():
        await asyncio.wait({playing}, timeout=LOG_EVERY)
        console.print(Text(str(tally)), soft_wrap=True)


@contextmanager
def _bar(what: str, total: int, console: Console) -> Iterator[filling.Progress]:
    columns = (TextColumn("{task.description:>10}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console) as bar:
        task = bar.add_task(what, total=total)
        yield lambda count: bar.advance(task, count)
