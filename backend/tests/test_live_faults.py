"""What happens to the live path of a worker when something below it fails."""

import asyncio
import json
from contextlib import AsyncExitStack
from dataclasses import replace

import httpx

from app.services.rank_index.index import IndexAway
from app.services.verify import verify
from app.websocket import hub as hub_module
from app.websocket import joining
from app.websocket.client import Client
from app.websocket.frames import Close
from app.websocket.own_ranks import OwnRanks
from tests.test_live import join, post, until, watching


class FullOutbox:
    """A client that reads nothing any more."""

    def offer(self, payloads, wired) -> bool:
        return False

    def drop(self) -> None:
        pass


class RecordingOutbox:
    """A client that reads everything."""

    def __init__(self) -> None:
        self.payloads: list[bytes] = []

    def offer(self, payloads, wired) -> bool:
        self.payloads += payloads
        return True

    @property
    def frames(self) -> list[dict]:
        return [json.loads(payload) for payload in self.payloads]


async def _end_connections(sandbox) -> None:
    """What a restart of PostgreSQL does to the connections in a worker's pools."""
    connection = await sandbox.connect()
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    await connection.close()


async def test_a_resync_survives_connections_that_died_in_the_pool(sandbox):
    # Nothing else asks PostgreSQL meanwhile and finds out that they died.
    async with sandbox.worker(sweep_interval=30, sample_interval=30) as worker:
        players = await worker.add_players(3)
        await asyncio.gather(*(worker.submit(player, player) for player in players))
        await asyncio.gather(*(worker.client.get(f"/api/users/{player}") for player in players))
        await _end_connections(sandbox)
        worker.standings.follower._lose()
        await worker.ready()
        answer = await worker.submit(players[0], 1_000)
        assert answer.json()["new_rank"] == 1
        assert (await worker.top())[0]["user_id"] == players[0]


async def test_a_follower_that_fails_in_an_unforeseen_way_is_started_again(sandbox, monkeypatch):
    async with sandbox.worker() as worker:
        (player,) = await worker.add_players(1)
        follower, read = worker.standings.follower, worker.standings.follower._read_details
        failures = iter([KeyError("unforeseen"), ZeroDivisionError()])

        async def fail_first(*args):
            for failure in failures:
                raise failure
            return await read(*args)

        monkeypatch.setattr(follower, "_read_details", fail_first)
        worker.standings.index.distrust("a test")
        async with asyncio.timeout(10):
            while worker.service.supervisor.failing == []:
                await asyncio.sleep(0.005)
            health = (await worker.client.get("/api/leaderboard/health")).json()
            assert health["tasks"] == {
                "status": "degraded", "detail": "follower:global: KeyError", "latency_ms": None,
            }  # fmt: skip
        await worker.ready()
        metrics = (await worker.client.get("/metrics")).text
        assert 'leaderboard_task_failures_total{task="follower:global"' in metrics
        await worker.submit(player, 5)
        assert [row["user_id"] for row in await worker.top()] == [player]


async def test_clients_that_are_dropped_while_all_are_told_of_a_loss(sandbox):
    """The hub walks over its clients, and those that read too slowly leave it meanwhile."""
    async with sandbox.worker() as worker:
        (hub,) = worker.state["hubs"].all
        full = [Client(FullOutbox(), None, greeted=True) for _ in range(5)]
        for client in full:
            hub._audience.enter(client)
        worker.standings.index.distrust("a test")
        assert hub.clients == 0
        assert [client.why[0] for client in full] == [Close.TOO_SLOW] * 5
        await worker.ready()
        assert worker.service.supervisor.failing == []


async def test_a_broadcast_that_fails_ends_in_snapshots(sandbox, monkeypatch):
    async with (
        sandbox.serve(live_tick=0.01) as address,
        httpx.AsyncClient(base_url=f"http://{address}") as client,
    ):
        ada, bo = await join(client, 2)
        await post(client, ada, 10)
        async with watching(address, ada) as watcher, watching(address) as spectator:
            await until(lambda: watcher.rank == 1 and spectator.frames)
            broken = iter([True])
            place = OwnRanks.place

            def fail_once(own, slot):
                for _ in broken:
                    raise ZeroDivisionError
                return place(own, slot)

            monkeypatch.setattr(OwnRanks, "place", fail_once)
            await post(client, bo, 20)
            await until(lambda: watcher.rank == 2)
            await until(lambda: [row["user_id"] for row in spectator.top] == [bo, ada])
            await post(client, ada, 20)
            await until(lambda: watcher.rank == 1)


async def test_after_a_loss_of_trust_everybody_gets_a_snapshot_before_an_update(
    sandbox, monkeypatch
):
    """Also while scores keep coming and snapshots go out a few at a time."""
    monkeypatch.setattr(joining, "JOIN_CHUNK", 2)
    monkeypatch.setattr(hub_module, "YIELD_EVERY", 2)
    async with (
        sandbox.serve(live_tick=0.001) as address,
        httpx.AsyncClient(base_url=f"http://{address}") as client,
        AsyncExitStack() as stack,
    ):
        players = await join(client, 8)
        for player in players:
            await post(client, player, 10)
        watchers = [
            await stack.enter_async_context(watching(address, player))
            for player in (*players, *[None] * 5)
        ]
        await until(lambda: all(watcher.frames for watcher in watchers))
        look_up = joining.Joining.look_up

        async def look_up_beside_scores(self, clients):
            found = await look_up(self, clients)
            for player in players[:3]:
                await post(client, player, 100)
            return found

        monkeypatch.setattr(joining.Joining, "look_up", look_up_beside_scores)
        for _ in range(2):
            for watcher in watchers:
                watcher.frames.clear()
            sandbox.forget_index()
            await post(client, players[-1], 1)
            await until(
                lambda: all(
                    any(frame["type"] == "snapshot" and frame["live"] for frame in watcher.frames)
                    for watcher in watchers
                ),
                10,
            )
            for watcher in watchers:
                told = [frame["type"] for frame in watcher.frames if frame["type"] != "status"]
                # What was under way before the loss may still come; then a snapshot begins it all.
                lost = next(
                    at for at, frame in enumerate(watcher.frames)
                    if frame["type"] == "status" and not frame["live"]
                )  # fmt: skip
                after = [frame["type"] for frame in watcher.frames[lost + 1 :]]
                assert next(each for each in after if each != "status") == "snapshot", told
                assert not watcher.task.done(), watcher.task.exception()  # it met no gap
        top = (await client.get("/api/leaderboard/top?limit=8")).json()["entries"]
        await until(lambda: all(watcher.top == top for watcher in watchers))


async def test_nothing_of_an_older_broadcast_follows_a_new_snapshot(sandbox, monkeypatch):
    """The mirror is read anew while a broadcast has told only some of the clients."""
    monkeypatch.setattr(hub_module, "YIELD_EVERY", 1)
    async with sandbox.worker(live_tick=60) as worker:
        players = await worker.add_players(4)
        for player in players:
            await worker.submit(player, 10)
        (hub,) = worker.state["hubs"].all
        clients = [Client(RecordingOutbox(), player) for player in players]
        for client in clients:
            await hub.join(client, None, None)
        follower = worker.standings.follower
        await worker.submit(players[0], 5)
        await follower.reach(5)
        paused, go_on = asyncio.Event(), asyncio.Event()

        async def pause() -> None:
            paused.set()
            await go_on.wait()

        monkeypatch.setattr(hub_module, "let_others_run", pause)
        broadcast = asyncio.create_task(hub._tell())
        await paused.wait()
        told = [client for client in clients if len(client.outbox.payloads) > 1]
        assert len(told) == 1
        for client in clients:
            client.outbox.payloads.clear()
        hub.on_lost()
        hub.on_sync()
        await hub._joining.resync()
        go_on.set()
        await broadcast
        for client in clients:
            assert [frame["type"] for frame in client.outbox.frames] == [
                "status", "snapshot",
            ]  # fmt: skip


async def test_a_first_score_while_joining_is_in_the_snapshot(sandbox, monkeypatch):
    """Between the look at the player and the place in the index."""
    async with sandbox.worker(index_window=2, live_top=1) as worker:
        *others, ada = await worker.add_players(6)
        for player in others:
            await worker.submit(player, 100)
        (hub,) = worker.state["hubs"].all
        locate = worker.standings.locate
        scores = iter([5])

        async def locate_after_a_score(user_ids):
            for score in scores:
                await worker.submit(ada, score)
            return await locate(user_ids)

        monkeypatch.setattr(worker.standings, "locate", locate_after_a_score)
        client = Client(RecordingOutbox(), ada)
        await hub.join(client, None, None)
        (frame,) = client.outbox.frames
        assert frame["me"]["rank"] == 6
        assert frame["me"]["total_score"] == 5
        assert frame["me"]["games_played"] == 1


async def test_a_place_too_old_to_be_brought_up_to_date_is_asked_for_again(sandbox, monkeypatch):
    """Between the place and the greeting come more steps than a hub remembers."""
    monkeypatch.setattr(joining, "RECENT", 2)
    async with sandbox.worker(live_tick=0.001) as worker:
        ada, *others = await worker.add_players(6)
        await worker.submit(ada, 10)
        (hub,) = worker.state["hubs"].all
        locate = worker.standings.locate
        passing = iter(others)

        async def locate_before_scores(user_ids):
            found = await locate(user_ids)
            for steps, other in enumerate(passing, 1):
                await worker.submit(other, 100)
                assert await worker.standings.follower.reach(found.position + steps)
            return found

        monkeypatch.setattr(worker.standings, "locate", locate_before_scores)
        client = Client(RecordingOutbox(), ada)
        await hub.join(client, None, None)
        (frame,) = client.outbox.frames
        assert frame["me"]["rank"] == 6


async def test_a_place_in_a_newer_epoch_is_not_mixed_with_older_steps(sandbox, monkeypatch):
    """The index was built anew, and the follower has not heard of it: the positions of the two
    epochs are not comparable."""
    async with sandbox.worker(live_tick=0.001) as worker:
        ada, *others = await worker.add_players(4)
        (hub,) = worker.state["hubs"].all
        await worker.submit(ada, 10)
        worker.standings.follower._lose()
        await worker.ready()
        for player in others:  # steps that the hub remembers
            await worker.submit(player, 20)
        assert await worker.standings.follower.reach(4)
        locate, newer = worker.standings.locate, iter([{"epoch": "newer", "position": 1}])

        async def locate_in_a_newer_epoch(user_ids):
            return replace(await locate(user_ids), **next(newer, {}))

        monkeypatch.setattr(worker.standings, "locate", locate_in_a_newer_epoch)
        client = Client(RecordingOutbox(), ada)
        await hub.join(client, None, None)
        (frame,) = client.outbox.frames
        assert frame["me"]["rank"] == 4


async def test_who_was_greeted_without_the_index_gets_a_snapshot_from_it(sandbox, monkeypatch):
    """The index fails at one call alone, and nobody else needs a snapshot."""
    async with sandbox.worker(live_tick=0.001) as worker:
        (ada,) = await worker.add_players(1)
        await worker.submit(ada, 10)
        (hub,) = worker.state["hubs"].all
        locate, failures = worker.standings.locate, iter([IndexAway("a test")])

        async def fail_once(user_ids):
            for failure in failures:
                raise failure
            return await locate(user_ids)

        monkeypatch.setattr(worker.standings, "locate", fail_once)
        client = Client(RecordingOutbox(), ada)
        await hub.join(client, None, None)
        await until(lambda: len(client.outbox.frames) == 2)
        first, second = client.outbox.frames
        assert (first["live"], first["me"]["rank"]) == (False, 1)
        assert (second["type"], second["live"], second["me"]["rank"]) == ("snapshot", True, 1)


async def test_steps_that_no_broadcast_tells_do_not_pile_up(sandbox, monkeypatch):
    monkeypatch.setattr(hub_module, "MAX_PENDING", 3)
    async with sandbox.worker(live_tick=60) as worker:
        (ada,) = await worker.add_players(1)
        (hub,) = worker.state["hubs"].all
        client = Client(RecordingOutbox(), ada)
        await hub.join(client, None, None)
        for _ in range(10):
            await worker.submit(ada, 1)
            assert len(hub._pending) <= 3
        async with asyncio.timeout(5):
            while [frame["type"] for frame in client.outbox.frames].count("snapshot") < 2:
                await asyncio.sleep(0.01)


async def test_ids_whose_last_byte_is_zero_and_versions_beyond_32_bits(sandbox):
    """Both sequences are set there; everything that packs and unpacks them meets them."""
    connection = await sandbox.connect()
    await connection.execute("SELECT setval('event_id_seq', 1099511627773)")
    sequence = await connection.fetchval("SELECT pg_get_serial_sequence('users', 'id')")
    await connection.execute(f"SELECT setval('{sequence}', 256 * 8000000 - 2)")
    await connection.close()
    async with (
        sandbox.serve(live_tick=0.01) as address,
        httpx.AsyncClient(base_url=f"http://{address}") as client,
        AsyncExitStack() as stack,
    ):
        players = await join(client, 4)
        assert 256 * 8_000_000 in players
        watchers = {
            player: await stack.enter_async_context(watching(address, player)) for player in players
        }
        await until(lambda: all(watcher.frames for watcher in watchers.values()))
        for number, player in enumerate(players * 3):
            await post(client, player, 10 - number % 5)
        page = (await client.get("/api/leaderboard/top")).json()
        assert page["version"] > 2**40
        ranks = {row["user_id"]: row["rank"] for row in page["entries"]}
        await until(lambda: {each: watcher.rank for each, watcher in watchers.items()} == ranks)
        await until(lambda: all(each.top == page["entries"] for each in watchers.values()))
        around = (await client.get(f"/api/leaderboard/around/{players[1]}?radius=5")).json()
        assert around["entries"] == page["entries"]
        for player in players:
            assert (await client.get(f"/api/leaderboard/rank/{player}")).json()["rank"] == (
                ranks[player]
            )
    found: list[str] = []
    assert await verify(sandbox.settings, found.append) == 0, found
