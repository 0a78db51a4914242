"""What an orchestrator is told."""

import pytest

from tests.access_helpers import closed
from tests.conftest import Sandbox, Worker


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
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = await worker.service.engine.connect()
    await connection.exec_driver_sql("ALTER TABLE alembic_version RENAME TO elsewhere")
    await connection.commit()
    await connection.close()
    answer = await worker.client.get("/api/ready")
    assert (answer.status_code, answer.json()["reason"]) == (503, "the database is not migrated")
    from app.core.database import create_engine

    nowhere = create_engine(
        worker.service.settings.model_copy(
            update={"database_url": "postgresql+asyncpg://nobody@127.0.0.1:1/none"}
        )
    )
    monkeypatch.setitem(worker.state, "service", _with_engine(worker.service, nowhere))
    answer = await worker.client.get("/api/ready")
    assert (answer.status_code, answer.json()["reason"]) == (503, "the database is away")
    assert (await worker.client.get("/api/live")).status_code == 200
    await nowhere.dispose()


def _with_engine(service, engine):
    from dataclasses import replace

    return replace(service, engine=engine)


async def test_probes_need_no_credential(sandbox: Sandbox) -> None:
    async with closed(sandbox) as there:
        for path in ("/api/live", "/api/ready"):
            assert (await there.ask("nothing", "GET", path)).status_code == 200
