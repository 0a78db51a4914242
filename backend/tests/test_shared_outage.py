"""What one worker learns about writes that fail is told by all workers."""

import asyncio

import pytest

from app.services import probe
from app.services.submit import outage

HEALTH = "/api/leaderboard/health"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(outage, "SUDDEN_SECONDS", 0.1)
    monkeypatch.setattr(outage, "CALM_SECONDS", 0.1)
    monkeypatch.setattr(probe, "EVERY", 0.05)


async def make_read_only(sandbox, value: str) -> None:
    """For all connections from now on, as after a fail-over; those that are open end."""
    connection = await sandbox.connect()
    await connection.execute("SET default_transaction_read_only = off")
    await connection.execute(
        f"ALTER DATABASE {sandbox.name} SET default_transaction_read_only = {value}"
    )
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    await connection.close()


async def until_writer_is(worker, status: str) -> dict:
    async with asyncio.timeout(5):
        while True:
            found = (await worker.client.get(HEALTH)).json()
            if found["writer"]["status"] == status:
                return found
            await asyncio.sleep(0.02)


async def fail_for(worker, user_id: int, why: str) -> None:
    """Sends scores until one fails for this reason; before, some meet a connection that ended."""
    async with asyncio.timeout(5):
        while worker.service.writer.outage.why != why:
            assert (await worker.submit(user_id, 1)).status_code == 503
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("pooler", ["", "&pgbouncer=true"])
async def test_one_burst_of_failures_is_told_by_all_workers_until_it_is_over(sandbox, pooler):
    url = sandbox.settings.database_url + pooler
    async with sandbox.worker(database_url=url) as one, sandbox.worker(database_url=url) as other:
        (ada,) = await one.add_players(1)
        await make_read_only(sandbox, "on")
        await fail_for(one, ada, "database is read-only")
        for worker in (one, other):
            found = await until_writer_is(worker, "down")
            assert found["status"] == "down"
            assert found["writer"]["detail"] == "scores can't be stored: database is read-only"
        await make_read_only(sandbox, "off")
        await asyncio.sleep(outage.CALM_SECONDS)
        assert (await one.submit(ada, 1)).status_code == 200
        for worker in (one, other):
            await until_writer_is(worker, "ok")


async def test_a_worker_that_ended_in_an_outage_leaves_no_word_of_it(sandbox):
    async with sandbox.worker() as other:
        async with sandbox.worker() as one:
            (ada,) = await one.add_players(1)
            await make_read_only(sandbox, "on")
            assert (await one.submit(ada, 1)).status_code == 503
            await until_writer_is(other, "down")
        await until_writer_is(other, "ok")
