"""How many connections to PostgreSQL a worker has."""

from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.database import create_engine
from app.services import service, sql_standings
from app.services.service import OTHER_CONNECTIONS


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
