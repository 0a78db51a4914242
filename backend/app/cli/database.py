"""Waiting for the database and bringing it to this version's schema, said in one line if not."""

import asyncio
import time

from asyncpg import InsufficientPrivilegeError
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncEngine

from app.cli.failures import CliError, cause, describe
from app.core.config import Settings
from app.core.database import create_engine, is_away
from app.services import schema

_IS_READ_ONLY = text("SELECT current_setting('transaction_read_only')::bool")

WAIT_SECONDS = 15.0
"""For a database that starts beside us. One that is gone later is the service's to bear."""


async def prepare_database(
    settings: Settings, *, wait: float = WAIT_SECONDS, service_role: str | None = None
) -> None:
    """Migrates, as long as that takes; while PostgreSQL doesn't answer, tries again. Raises
    CliError."""
    engine = create_engine(settings, command_timeout=None)
    try:
        await _migrate(engine, settings, time.monotonic() + wait, service_role)
    except ProgrammingError as error:
        if not isinstance(cause(error), InsufficientPrivilegeError):
            raise
        raise CliError(
            f"the role of DATABASE_URL may not bring the database to this version's schema "
            f"({describe(error)}): run `leaderboard init` as the tables' owner"
        ) from error
    finally:
        await engine.dispose()


class ReadOnlyError(ConnectionError):
    """A replica, or a primary that is not one yet."""


async def _refuse_read_only(engine: AsyncEngine) -> None:
    """Raises ReadOnlyError."""
    async with engine.connect() as connection:
        if (await connection.execute(_IS_READ_ONLY)).scalar_one():
            raise ReadOnlyError


async def _migrate(
    engine: AsyncEngine, settings: Settings, deadline: float, service_role: str | None
) -> None:
    while True:
        try:
            await _refuse_read_only(engine)
            await schema.migrate(
                engine, partitions_ahead=settings.partitions_ahead, service_role=service_role
            )
        except Exception as error:
            if not is_away(error):
                raise
            if time.monotonic() > deadline:
                if isinstance(error, ReadOnlyError):
                    raise CliError(
                        "DATABASE_URL names a server that can't be written to (a replica, or one "
                        "that was made read-only): name the primary"
                    ) from error
                where = engine.url.render_as_string(hide_password=True)
                raise CliError(f"no database at {where}: {describe(error)}") from error
            await asyncio.sleep(0.25)
        else:
            return
