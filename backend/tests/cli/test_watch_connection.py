"""The watcher's connection: it comes back, resumes, and starts over after a gap."""

import asyncio
import json
from contextlib import asynccontextmanager
from io import StringIO

import pytest
from rich.console import Console
from test_watch_state import row, snapshot, update
from websockets.asyncio.server import serve

from app.cli.watch.connection import RefusedError, Watcher
from app.cli.watch.moves import Moves
from app.cli.watch.state import State
from app.cli.watch.table import render


@asynccontextmanager
async def watching(*turns):
    """A watcher of a server that has something to say for each connection in turn."""
    left, paths = list(turns), []

    async def speak(socket):
        paths.append(socket.request.path)
        for said in left.pop(0):
            if isinstance(said, int):
                await socket.close(said, "as the test wants")
            else:
                await socket.send(json.dumps(said))
        if not left:
            await socket.wait_closed()

    async with serve(speak, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        links = []
        watcher = Watcher(f"http://127.0.0.1:{port}", None, 7, lambda *_: None, links.append)
        following = asyncio.create_task(watcher.follow())
        yield watcher, paths, following, links
        following.cancel()
        await asyncio.wait([following])


async def reaching(watcher, seq):
    async with asyncio.timeout(10):
        while watcher.state.seq != seq:
            await asyncio.sleep(0.01)


async def test_it_resumes_where_it_was():
    first = [snapshot(seq=10, entries=[row(1, 7)]), 1012]
    async with watching(first, [update(12, 10, left=[7])]) as (watcher, paths, _, links):
        await reaching(watcher, 12)
    assert paths == ["/ws/leaderboard/7", "/ws/leaderboard/7?since=10&epoch=e1"]
    assert watcher.state.rows == []
    assert links[-1] == "live"


async def test_after_a_gap_it_asks_for_all():
    first = [snapshot(seq=10), update(15, 14)]
    async with watching(first, [snapshot(seq=16)]) as (watcher, paths, _, _):
        await reaching(watcher, 16)
    assert paths == ["/ws/leaderboard/7"] * 2


@pytest.mark.parametrize(("key", "why"), [("lb_wrong", "does not know this key"), (None, "give a")])
async def test_an_unknown_key_is_called_unknown(key, why):
    async def refuse(socket):
        await socket.close(4401, "not known")

    async with serve(refuse, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        watcher = Watcher(f"http://127.0.0.1:{port}", key, 7, lambda *_: None, lambda _: None)
        with pytest.raises(RefusedError, match=why):
            await asyncio.wait_for(watcher.follow(), 10)


def test_no_table_is_drawn_before_there_is_something_to_show():
    console = Console(file=StringIO(), width=80)
    console.print(render(State(), Moves(), top=5, link="connecting", now=0.0))
    assert console.file.getvalue().strip() == "connecting"


async def test_a_refusal_is_final():
    async with watching([4404]) as (_, paths, following, _):
        with pytest.raises(RefusedError, match="as the test wants"):
            await asyncio.wait_for(following, 10)
    assert len(paths) == 1
