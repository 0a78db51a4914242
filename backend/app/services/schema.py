"""Bringing the database to this version's schema, and keeping partitions ahead of time."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.services.player_names import START_SECONDS, fill_keys
from app.services.rights import give_rights, take_over

MIGRATIONS = Path(__file__).parents[2] / "migrations"

_LOCK = 7_253_011
"""Advisory lock: of several workers that start at once, one migrates and the others wait."""

_MAKE_PARTITION = text("SELECT make_partition(:month)")
"""With the rights of the tables' owner, which the caller need not be."""


def alembic_config() -> Config:
    """Alembic's configuration; commands find their connection in `attributes`."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    return config


def run_alembic(
    do: Callable[[Config], None], service_role: str | None = None
) -> Callable[[Connection], None]:
    """Wraps an alembic command for `AsyncConnection.run_sync`. Each migration gives the service's
    role its rights in the transaction that makes a table."""

    def run(connection: Connection) -> None:
        config = alembic_config()
        config.attributes["connection"] = connection
        config.attributes["service_role"] = service_role
        do(config)

    return run


async def _under_lock(connection: AsyncConnection) -> None:
    # Whoever waits here waits for a migration, which takes what it takes.
    await connection.execute(text("SET LOCAL lock_timeout = 0"))
    await connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))


async def migrate(
    engine: AsyncEngine, *, partitions_ahead: int, service_role: str | None = None
) -> None:
    """Migrates to the newest schema and makes the coming months' partitions.

    `engine` should not bound its statements: an index on a large table takes what it takes.
    `service_role` names the service's role where the engine's role is another one, which then
    owns the tables: the service's role gets what it needs and no more.
    """
    async with engine.connect() as guard:
        await _under_lock(guard)
        if service_role:
            await take_over(engine, service_role)
        async with engine.connect() as connection:
            await connection.run_sync(_upgrade, service_role)
            await connection.commit()
        await fill_keys(engine, seconds=START_SECONDS)
    await ensure_partitions(engine, partitions_ahead)


def _upgrade(connection: Connection, service_role: str | None) -> None:
    run_alembic(lambda config: command.upgrade(config, "head"), service_role)(connection)
    if service_role:
        give_rights(connection, service_role)


def _month(at: datetime, months: int) -> datetime:
    count = at.year * 12 + at.month - 1 + months
    return datetime(count // 12, count % 12 + 1, 1, tzinfo=UTC)


async def ensure_partitions(engine: AsyncEngine, ahead: int) -> list[str]:
    """Makes the ledger's partitions from last month to `ahead` months on, UTC. Names made."""
    async with engine.begin() as connection:
        await _under_lock(connection)
        now = (await connection.execute(text("SELECT now()"))).scalar_one()
        return await _make_partitions(connection, [_month(now, m) for m in range(-1, ahead + 1)])


async def ensure_partitions_of(engine: AsyncEngine, moments: Iterable[datetime]) -> list[str]:
    """Makes the ledger's partitions for these moments, however long ago, UTC. Names made."""
    months = sorted({_month(at, 0) for at in moments})
    async with engine.begin() as connection:
        await _under_lock(connection)
        return await _make_partitions(connection, months)


async def _make_partitions(connection: AsyncConnection, months: Sequence[datetime]) -> list[str]:
    """Those of the months, given by their first moments, that are not there yet."""
    made = [
        (await connection.execute(_MAKE_PARTITION, {"month": month.date()})).scalar_one()
        for month in months
    ]
    return [name for name in made if name]
