"""What happens to the live path of a worker when something below it fails."""

import asyncio

import httpx

from app.websocket import hub as hub_module
from app.websocket.client import Client
from tests.test_live import join, post, until, watching


class FullOutbox:
    """A client that reads nothing any more."""

    def offer(self, payloads, wired) -> bool:
        return False

    def drop(self) -> None:
        pass


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
        full = [Client(FullOutbox(), None, joined=True) for _ in range(5)]
        hub._clients.update(full)
        worker.standings.index.distrust("a test")
        assert hub.clients == 0
        assert [client.why[0] for client in full] == [hub_module.Close.TOO_SLOW] * 5
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
            place = hub_module.OwnRanks.place

            def fail_once(own, slot):
                for _ in broken:
                    raise ZeroDivisionError
                return place(own, slot)

            monkeypatch.setattr(hub_module.OwnRanks, "place", fail_once)
            await post(client, bo, 20)
            await until(lambda: watcher.rank == 2)
            await until(lambda: [row["user_id"] for row in spectator.top] == [bo, ada])
            await post(client, ada, 20)
            await until(lambda: watcher.rank == 1)
