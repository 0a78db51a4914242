"""What an orchestrator is told."""

import asyncio
import time

import pytest

from app.core.database import create_engine
from app.core.embedded import EmbeddedServers
from tests.access_helpers import closed
from tests.conftest import Sandbox, Worker
from tests.test_write_path import frozen

HEALTH = "/api/leaderboard/health"


async def test_a_worker_that_is_well_lives_and_is_ready(worker: Worker) -> None:
    live = await worker.client.get("/api/live")
    assert (live.status_code, live.json()) == (200, {"status": "ok"})
    ready = await worker.client.get("/api/ready")
    assert (ready.status_code, ready.json()) == (200, {"ready": True, "reason": None})


async def test_without_the_index_it_is_ready(sandbox: Sandbox) -> None:
    async with sandbox.worker() as worker:
        worker.standings.index.distrust("a test")
        assert (await worker.client.get("/api/ready")).status_code == 200


async def test_one_that_stops_lives_and_gets_no_traffic(worker: Worker) -> None:
    await worker.service.writer.close()
    assert (await worker.client.get("/api/live")).status_code == 200
    answer = await worker.client.get("/api/ready")
    assert (answer.status_code, answer.json()["reason"]) == (503, "stopping")
    assert answer.headers["retry-after"] == "2"


async def test_without_its_database_it_lives_and_gets_no_traffic(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.services.probe.EVERY", 0.0)
    async with sandbox.worker() as worker:
        connection = await sandbox.connect()
        await connection.execute("ALTER TABLE alembic_version RENAME TO elsewhere")
        await connection.close()
        answer = await worker.client.get("/api/ready")
        assert (answer.status_code, answer.json()["reason"]) == (
            503,
            "the database is not migrated",
        )
        assert (await worker.client.get(HEALTH)).json()["database"]["status"] == "ok"
        nowhere = create_engine(
            worker.service.settings.model_copy(
                update={"database_url": "postgresql+asyncpg://nobody@127.0.0.1:1/none"}
            )
        )
        monkeypatch.setattr(worker.service.probe, "_engine", nowhere)
        answer = await worker.client.get("/api/ready")
        assert (answer.status_code, answer.json()["reason"]) == (503, "the database is away")
        assert (await worker.client.get(HEALTH)).status_code == 503
        assert (await worker.client.get("/api/live")).status_code == 200
        await nowhere.dispose()


async def test_the_servers_are_asked_once_a_second_whoever_asks(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    probe, asked = worker.service.probe, []
    ask = probe._ask_database

    async def counted() -> None:
        asked.append(time.monotonic())
        await ask()

    monkeypatch.setattr(probe, "_ask_database", counted)
    for _ in range(5):
        answers = await asyncio.gather(
            *(worker.client.get(path) for path in (HEALTH, "/api/ready") * 20)
        )
        assert {each.status_code for each in answers} == {200}
    assert len(asked) <= 1 + (asked[-1] - asked[0])


async def test_health_is_true_while_all_connections_are_taken(worker: Worker) -> None:
    """By writers and readers: the service is busy, and not down."""
    engine = worker.service.engine
    taken = [await engine.connect() for _ in range(worker.service.settings.database_pool_size)]
    try:
        for path in (HEALTH, "/api/ready"):
            answer = await asyncio.wait_for(worker.client.get(path), 5)
            assert answer.status_code == 200, answer.text
        assert (await worker.client.get(HEALTH)).json()["database"]["status"] == "ok"
    finally:
        for connection in taken:
            await connection.close()


async def test_a_worker_that_was_busy_calls_no_server_down(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own delay is longer than what it grants the servers."""
    monkeypatch.setattr("app.services.probe.TIMEOUT", 0.2)
    ask, stalls = worker.service.probe._ask_database, [0.3]

    async def late() -> None:
        if stalls:
            asyncio.get_running_loop().call_soon(time.sleep, stalls.pop())
        await ask()

    monkeypatch.setattr(worker.service.probe, "_ask_database", late)
    health = (await worker.client.get(HEALTH)).json()
    assert (health["status"], stalls) == ("ok", [])


async def test_probes_need_no_credential(sandbox: Sandbox) -> None:
    async with closed(sandbox) as there:
        for path in ("/api/live", "/api/ready"):
            assert (await there.ask("nothing", "GET", path)).status_code == 200


async def test_a_silent_database_is_told_of_without_waiting_for_its_goodbye(
    worker: Worker, servers: EmbeddedServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.services.probe.TIMEOUT", 0.1)
    monkeypatch.setattr("app.services.probe.EVERY", 0.0)
    await worker.client.get(HEALTH)
    with frozen(servers):
        # A driver that is polite to a server which says nothing takes two seconds more.
        answer = await asyncio.wait_for(worker.client.get(HEALTH), 2)
        assert (answer.status_code, answer.json()["database"]["status"]) == (503, "down")
