"""Behind a pooler of transactions: what a session was told is forgotten with each transaction."""

import asyncio

import asyncpg
import pytest
from sqlalchemy import event, text

from app.core.database import create_engine, is_away, raw_connection
from tests.test_write_path import hold_player

RESET = "DISCARD ALL"
"""What a pooler tells a server's connection before somebody else gets it."""


def pool(engine) -> None:
    """From now on the engine's connections forget their session before each use."""

    @event.listens_for(engine.sync_engine, "checkout")
    def forget(connection, _record, _proxy) -> None:
        connection.run_async(lambda raw: raw.execute(RESET))


def pooled_url(sandbox) -> str:
    return f"{sandbox.settings.database_url}&pgbouncer=true"


async def test_a_locked_player_holds_up_nobody_else_behind_a_pooler(sandbox):
    async with sandbox.worker(
        database_url=pooled_url(sandbox), database_lock_timeout=0.1, write_timeout=4
    ) as worker:
        ada, bo = await worker.add_players(2)
        pool(worker.service.engine)
        async with hold_player(sandbox, ada):
            stuck, free = await asyncio.gather(
                worker.submit(ada, 1), asyncio.wait_for(worker.submit(bo, 1), 3)
            )
            assert free.status_code == 200
            assert (stuck.status_code, stuck.json()["code"]) == (503, "busy")
            # So are all other transactions: this one belongs to the framework of the tables.
            renamed = await worker.client.patch(f"/api/users/{ada}", json={"username": "Nova"})
            assert (renamed.status_code, renamed.json()["code"]) == (503, "busy")


async def test_a_silent_transaction_behind_a_pooler_ends_by_itself(sandbox):
    url = pooled_url(sandbox)
    engine = create_engine(sandbox.make_settings(database_url=url, database_timeout=0.3))
    pool(engine)
    try:
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)) as ended:
            async with raw_connection(engine) as connection, connection.transaction():
                assert await connection.fetchval("SHOW client_connection_check_interval") == "1s"
                await asyncio.sleep(0.6)
                await connection.execute("SELECT 1")
        assert is_away(ended.value)
    finally:
        await engine.dispose()


@pytest.mark.parametrize("patient", [False, True])
async def test_nobody_else_inherits_the_bounds_behind_a_pooler(sandbox, patient):
    """The server's connection goes to another program when a transaction ends."""
    settings = sandbox.make_settings(database_url=pooled_url(sandbox))
    engine = create_engine(settings, **({"command_timeout": None} if patient else {}))
    try:
        async with raw_connection(engine) as raw:
            assert await raw.fetchval("SHOW lock_timeout") == "0"
            async with raw.transaction():
                assert await raw.fetchval("SHOW lock_timeout") == ("0" if patient else "500ms")
                async with raw.transaction():  # a savepoint
                    assert await raw.fetchval("SELECT 1") == 1
            assert await raw.fetchval("SHOW lock_timeout") == "0"
        async with engine.begin() as connection:
            shown = (await connection.execute(text("SHOW lock_timeout"))).scalar_one()
            assert shown == ("0" if patient else "500ms")
    finally:
        await engine.dispose()
