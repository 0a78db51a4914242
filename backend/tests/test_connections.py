"""How many connections to PostgreSQL a worker has, and how it lets go of a silent one."""

import asyncio

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.database import create_engine, raw_connection
from app.services import service, sql_standings
from app.services.service import OTHER_CONNECTIONS
from tests.fault_relay import Relay


async def test_a_worker_has_as_many_connections_as_its_servers_make_room_for(sandbox, monkeypatch):
    """The embedded PostgreSQL and the guides reckon with this number."""
    made: list[AsyncEngine] = []

    def counted(*args, **kwargs):
        engine = create_engine(*args, **kwargs)
        if "command_timeout" not in kwargs:  # the one that migrates, and is closed then
            made.append(engine)
        return engine

    monkeypatch.setattr(service, "create_engine", counted)
    monkeypatch.setattr(sql_standings, "create_engine", counted)
    async with sandbox.worker(database_pool_size=3) as worker:
        assert worker.service.engine in made
        assert sum(engine.pool.size() for engine in made) == 3 + OTHER_CONNECTIONS


@pytest.mark.parametrize("ending", ["a time-out", "a cancellation"])
async def test_a_transaction_asks_nothing_more_of_a_silent_server(sandbox, servers, ending):
    """Whatever ends it: asyncpg alone would send ROLLBACK and wait for half a minute."""
    relay = Relay(str(servers.postgres.folder.postgres_socket))
    url = f"postgresql://leaderboard@127.0.0.1:{await relay.start()}/{sandbox.name}"
    engine = create_engine(
        sandbox.make_settings(database_url=f"{url}?sslmode=disable", database_timeout=30)
    )
    is_silent = asyncio.Event()

    async def work() -> None:
        async with raw_connection(engine) as connection, connection.transaction():
            await connection.execute("SELECT 1")
            relay.swallow()
            is_silent.set()
            await connection.fetchval("SELECT 2", timeout=0.05 if ending == "a time-out" else None)

    working = asyncio.create_task(work())
    await is_silent.wait()
    if ending == "a cancellation":
        await asyncio.sleep(0)
        working.cancel()
    done, _ = await asyncio.wait([working], timeout=10)
    assert done
    assert working.cancelled() or isinstance(working.exception(), TimeoutError)
    await relay.close()
    await engine.dispose()
