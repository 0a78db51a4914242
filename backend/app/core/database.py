"""PostgreSQL: the engine, and which of its errors mean that it is away."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeAlias, cast

import asyncpg
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, DisconnectionError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from app.core.config import Settings
from app.core.server_urls import for_driver

RawConnection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

_AWAY_CLASSES = ("08", "53", "57", "58", "28", "25006", "3D000", "55000")
"""SQLSTATEs of a server that is gone, full, stopping, failing, read-only or that lets nobody in."""


def create_engine(settings: Settings, **connect_args: object) -> AsyncEngine:
    """An engine with a bounded pool; statements end after `database_timeout` seconds."""
    url, session, arguments = for_driver(
        settings.database_url, {"application_name": "leaderboard", "timezone": "UTC"}
    )
    engine = create_async_engine(
        url,
        pool_size=settings.database_pool_size,
        max_overflow=0,
        pool_timeout=settings.database_timeout,
        pool_recycle=1_800,
        pool_use_lifo=True,
        connect_args={
            "timeout": settings.database_timeout,
            "command_timeout": settings.database_timeout,
            "server_settings": session,
            **arguments,
            **connect_args,
        },
    )
    event.listen(engine.sync_engine, "checkout", _refuse_closed)
    return engine


def _refuse_closed(_: object, record: ConnectionPoolEntry, __: object) -> None:
    """Has the pool replace a connection that the server has closed while it was in the pool."""
    if cast("RawConnection", record.driver_connection).is_closed():
        raise DisconnectionError


@asynccontextmanager
async def raw_connection(engine: AsyncEngine) -> AsyncIterator[RawConnection]:
    """The driver's own connection out of the engine's pool, for statements over arrays.

    A connection on which anything failed as "away" is not given back to the pool.
    """
    async with engine.connect() as connection:
        raw = await connection.get_raw_connection()
        try:
            yield cast("RawConnection", raw.driver_connection)
        except BaseException as error:
            if not isinstance(error, Exception) or is_away(error):
                await connection.invalidate()
            raise


def is_away(error: BaseException) -> bool:
    """Whether the error says that the database can't serve now, whatever was asked of it."""
    if isinstance(error, DBAPIError) and error.orig is not None:
        if isinstance(error, InterfaceError | OperationalError) or error.connection_invalidated:
            return True
        return is_away(error.orig.__cause__ or error.orig)
    if isinstance(error, asyncpg.PostgresError):
        return (error.sqlstate or "").startswith(_AWAY_CLASSES)
    return isinstance(
        error,
        # The last one: a connection that died in the middle of an operation was used again.
        OSError
        | TimeoutError
        | PoolTimeoutError
        | asyncpg.InterfaceError
        | asyncpg.InternalClientError,
    )
