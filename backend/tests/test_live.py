"""Watchers see the top and their own exact rank, whoever moves it and through whichever worker."""

import asyncio
import json
import random
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
import pytest
import websockets
from websockets.asyncio.client import connect

from app.websocket.frames import Close

MIN = -(2**53 - 1)


class Watcher:
    """A client that keeps its state from frames alone, as the protocol says."""

    def __init__(self, socket) -> None:
        self.socket = socket
        self.rows: dict[int, dict] = {}
        self.rank = None
        self.frames: list[dict] = []
        self.seq = self.total = 0
        self.live = False
        self.task = asyncio.create_task(self.read())

    async def read(self) -> None:
        try:
            async for text in self.socket:
                self.take(json.loads(text))
        except websockets.ConnectionClosed:
            pass

    def take(self, frame: dict) -> None:
        self.frames.append(frame)
        if frame["type"] == "snapshot":
            self.rows = {row["user_id"]: row for row in frame["entries"]}
            self.rank = frame["me"] and frame["me"]["rank"]
            self.epoch, self.live = frame["epoch"], frame["live"]
        elif frame["type"] == "update":
            assert frame["prev"] <= self.seq, "a gap"
            for user_id in frame["left"]:
                self.rows.pop(user_id, None)
            for user_id, rank in frame["moved"]:
                self.rows[user_id]["rank"] = rank
            self.rows |= {row["user_id"]: row for row in frame["entries"]}
        elif frame["type"] == "rank":
            self.rank = frame["rank"]
        elif frame["type"] == "status":
            self.live = frame["live"]
        self.seq = max(self.seq, frame["seq"])
        self.total = frame.get("total_players", self.total)

    @property
    def top(self) -> list[dict]:
        return sorted(self.rows.values(), key=lambda row: row["rank"])


@asynccontextmanager
async def watching(address: str, user_id: int | None = None, query: str = ""):
    path = "/ws/leaderboard" + ("" if user_id is None else f"/{user_id}")
    async with connect(f"ws://{address}{path}{query}", compression=None) as socket:
        watcher = Watcher(socket)
        yield watcher
        watcher.task.cancel()


async def until(condition, seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


async def post(client: httpx.AsyncClient, user_id: int, score: int) -> dict:
    answer = await client.post("/api/leaderboard/submit", json={"user_id": user_id, "score": score})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def join(client: httpx.AsyncClient, count: int) -> list[int]:
    answers = [
        await client.post("/api/users", json={"username": f"p{number}"}) for number in range(count)
    ]
    return [answer.json()["user_id"] for answer in answers]


async def test_pushed_ranks_equal_asked_ranks_over_several_workers(sandbox):
    """Random moves through two workers; after every quiet moment everybody agrees."""
    rng = random.Random(7)
    async with AsyncExitStack() as stack:
        addresses = [
            await stack.enter_async_context(
                sandbox.serve(live_top=8, index_window=16, live_tick=0.02)
            )
            for _ in range(2)
        ]
        clients = [
            await stack.enter_async_context(httpx.AsyncClient(base_url=f"http://{address}"))
            for address in addresses
        ]
        players = await join(clients[0], 40)
        for player in players[:30]:
            await post(clients[0], player, rng.randint(0, 50))
        watchers = {
            player: await stack.enter_async_context(watching(rng.choice(addresses), player))
            for player in players[::2]
        }
        spectator = await stack.enter_async_context(watching(addresses[1]))
        await until(lambda: all(each.frames for each in watchers.values()) and spectator.frames)
        for _ in range(12):
            moves = [
                (rng.choice(clients), rng.choice(players), rng.randint(-30, 40)) for _ in range(40)
            ]
            await asyncio.gather(*(post(*move) for move in moves))
            if rng.random() < 0.5:
                player = rng.choice(players)
                for active in (False, True):
                    await clients[0].patch(f"/api/users/{player}", json={"is_active": active})
            await _agree(clients, watchers, spectator)
        # Newcomers in the middle of the traffic start from an exact place.
        moving = asyncio.gather(
            *(
                post(rng.choice(clients), rng.choice(players), rng.randint(-9, 9))
                for _ in range(200)
            )
        )
        for player in players[1:20:2]:
            watchers[player] = await stack.enter_async_context(
                watching(rng.choice(addresses), player)
            )
        await moving
        await _agree(clients, watchers, spectator)


async def _agree(clients, watchers, spectator) -> None:
    page = (await clients[1].get("/api/leaderboard/top?limit=8")).json()
    asked = {}
    for player in watchers:
        answer = (await clients[0].get(f"/api/leaderboard/rank/{player}")).json()
        asked[player] = answer.get("rank")
    await until(lambda: spectator.top == page["entries"])
    assert spectator.total == page["total_players"]
    try:
        await until(lambda: {p: each.rank for p, each in watchers.items()} == asked, 2)
    except TimeoutError:
        assert {player: each.rank for player, each in watchers.items()} == asked
    for each in watchers.values():
        assert each.top == page["entries"]


async def test_an_own_score_is_told_though_the_rank_stays(sandbox):
    """Also beyond the visible rows, where no update frame would tell it."""
    async with (
        sandbox.serve(live_top=1) as address,
        httpx.AsyncClient(base_url=f"http://{address}") as client,
    ):
        ada, bo = await join(client, 2)
        await post(client, ada, 10)
        await post(client, bo, 3)
        async with watching(address, bo) as watcher:
            await until(lambda: watcher.rank == 2)
            await post(client, bo, 2)
            await until(lambda: watcher.frames[-1].get("score") == 5)
            frame = watcher.frames[-1]
            assert (frame["type"], frame["rank"], frame["rank_change"]) == ("rank", 2, 0)
            await post(client, ada, 100)
            await post(client, bo, 7)
            await until(lambda: watcher.frames[-1].get("score") == 12)


async def test_a_rank_moves_because_others_moved(sandbox):
    async with (
        sandbox.serve() as address,
        httpx.AsyncClient(base_url=f"http://{address}") as client,
    ):
        ada, bo = await join(client, 2)
        await post(client, ada, 10)
        async with watching(address, ada) as watcher:
            await until(lambda: watcher.rank == 1)
            await post(client, bo, 20)
            await until(lambda: watcher.rank == 2)
            assert watcher.frames[-1]["rank_change"] == -1
            await client.patch(f"/api/users/{bo}", json={"is_active": False})
            await until(lambda: watcher.rank == 1)
            await until(lambda: watcher.total == 1)


async def test_a_player_without_a_score_is_told_when_ranked(sandbox):
    async with (
        sandbox.serve() as address,
        httpx.AsyncClient(base_url=f"http://{address}") as client,
    ):
        (ada,) = await join(client, 1)
        async with watching(address, ada) as watcher:
            await until(lambda: watcher.frames)
            assert watcher.frames[0]["me"] is None
            await post(client, ada, 1)
            await until(lambda: watcher.rank == 1)


async def test_resuming_gets_what_was_missed(sandbox):
    async with (
        sandbox.serve() as one,
        sandbox.serve() as two,
        httpx.AsyncClient(base_url=f"http://{one}") as client,
    ):
        ada, bo, cy = await join(client, 3)
        for player, score in ((ada, 10), (bo, 20), (cy, 5)):
            await post(client, player, score)
        async with watching(one, ada) as before:
            await until(lambda: before.rank == 2)
        await post(client, cy, 100)
        await client.patch(f"/api/users/{bo}", json={"is_active": False})
        await asyncio.sleep(0.3)
        # On another worker: numbers mean the same everywhere.
        async with watching(two, ada, f"?since={before.seq}&epoch={before.epoch}") as after:
            after.rows, after.seq = before.rows, before.seq
            await until(lambda: after.rank is not None)
            assert [frame["type"] for frame in after.frames] == ["update", "rank"]
            assert after.rank == 2
            assert [row["user_id"] for row in after.top] == [cy, ada]
        # Another epoch, or a number beyond the history: a snapshot.
        for query in ("?since=1&epoch=nope", f"?since=999999&epoch={before.epoch}"):
            async with watching(two, ada, query) as after:
                await until(lambda: after.frames)
                assert after.frames[0]["type"] == "snapshot"


async def test_a_browser_that_slept_long_gets_one_snapshot(sandbox):
    async with (
        sandbox.serve(live_history=3, live_tick=0.01) as address,
        httpx.AsyncClient(base_url=f"http://{address}") as client,
    ):
        ada, bo = await join(client, 2)
        await post(client, ada, 10)
        async with watching(address, ada) as before:
            await until(lambda: before.frames)
        for _ in range(8):
            await post(client, bo, 3)
            await asyncio.sleep(0.03)
        async with watching(address, ada, f"?since={before.seq}&epoch={before.epoch}") as after:
            await until(lambda: after.frames)
            await asyncio.sleep(0.1)
            assert [frame["type"] for frame in after.frames] == ["snapshot"]
            assert after.rank == 2


async def test_a_lost_index_ends_in_a_snapshot(sandbox):
    async with (
        sandbox.serve() as address,
        httpx.AsyncClient(base_url=f"http://{address}") as client,
    ):
        ada, bo = await join(client, 2)
        await post(client, ada, 10)
        async with watching(address, ada) as watcher, watching(address) as spectator:
            await until(lambda: watcher.rank == 1 and spectator.frames)
            sandbox.forget_index()
            await post(client, bo, 20)
            await until(lambda: watcher.rank == 2 and watcher.live)
            await until(lambda: [row["user_id"] for row in spectator.top] == [bo, ada])
            await post(client, ada, 20)
            await until(lambda: watcher.rank == 1)


async def test_a_slow_client_is_dropped_and_others_are_not(sandbox):
    async with (
        sandbox.serve(live_max_buffer=20_000, live_tick=0.01) as address,
        httpx.AsyncClient(base_url=f"http://{address}") as client,
    ):
        players = await join(client, 40)
        for player in players:
            await post(client, player, 1)
        host, port = address.split(":")
        reader, writer = await asyncio.open_connection(host, int(port), limit=1024)
        writer.write(
            b"GET /ws/leaderboard HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.pause_reading()
        async with watching(address) as healthy:
            await until(lambda: healthy.frames)

            async def clients() -> int:
                return (await client.get("/api/leaderboard/health")).json()["clients"]

            rounds = 0
            while await clients() > 1:
                rounds += 1
                assert rounds < 3_000, "the slow client is still there"
                batch = [{"user_id": player, "score": rounds % 7} for player in players]
                await client.post("/api/leaderboard/submit/batch", json={"submissions": batch})
            await post(client, players[0], 10_000)
            await until(lambda: healthy.top and healthy.top[0]["user_id"] == players[0])
        writer.transport.abort()


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/ws/leaderboard/999999", Close.UNKNOWN_PLAYER),
        ("/ws/leaderboard/zero", Close.BAD_REQUEST),
        ("/ws/leaderboard/0", Close.BAD_REQUEST),
        ("/ws/leaderboard?since=-1", Close.BAD_REQUEST),
        ("/ws/leaderboard?board=nope", Close.BAD_REQUEST),
    ],
)
async def test_refusals_say_why(sandbox, path, code):
    async with sandbox.serve() as address, connect(f"ws://{address}{path}") as socket:
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await asyncio.wait_for(socket.recv(), 5)
        assert closed.value.rcvd.code == code
        assert closed.value.rcvd.reason


async def test_what_a_client_may_send_is_limited(sandbox):
    async with sandbox.serve(live_messages_per_second=3) as address:
        async with connect(f"ws://{address}/ws/leaderboard") as socket:
            await socket.recv()
            await socket.send('{"type":"ping"}')
            assert json.loads(await socket.recv())["type"] == "pong"
            with pytest.raises(websockets.ConnectionClosed) as closed:
                for _ in range(50):
                    await socket.send("[]")
                    await asyncio.sleep(0.001)
                await asyncio.wait_for(socket.recv(), 5)
            assert closed.value.rcvd.code == Close.TOO_MANY_MESSAGES
        async with connect(f"ws://{address}/ws/leaderboard") as socket:
            await socket.recv()
            with pytest.raises(websockets.ConnectionClosed) as closed:
                await socket.send("x" * 5_000)
                await asyncio.wait_for(socket.recv(), 5)
            assert closed.value.rcvd.code == 1009


async def test_exact_numbers_reach_the_watcher(sandbox):
    async with (
        sandbox.serve() as address,
        httpx.AsyncClient(base_url=f"http://{address}") as client,
    ):
        (ada,) = await join(client, 1)
        async with watching(address, ada) as watcher:
            await post(client, ada, MIN)
            await until(lambda: watcher.top and watcher.top[0]["total_score"] == MIN)


async def test_every_worker_shows_a_score_at_once(sandbox):
    """Ranks everywhere and pages where it was sent: with the answer. Pages elsewhere: in 100 ms."""
    async with sandbox.worker() as one, sandbox.worker() as two:
        players = await one.add_players(5)
        for number in range(12):
            player = players[number % 5]
            answer = await one.submit(player, 10 * (number + 1))
            assert answer.status_code == 200
            asked = await two.rank(player)
            assert asked["rank"] == answer.json()["new_rank"]
            expected = [row["total_score"] for row in await one.top()]
            assert (await one.rank(player))["score"] in expected
            # After this time a worker asks for the index's position before it shows a page.
            await asyncio.sleep(0.1)
            assert [row["total_score"] for row in await two.top()] == expected
