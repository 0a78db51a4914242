"""PostgreSQL: the engine, and which of its errors mean that it is away."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeAlias, cast

import asyncpg
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, InterfaceError, InvalidatePoolError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from app.core.config import Settings
from app.core.connection import ServiceConnection
from app.core.server_urls import for_driver, is_pooled

# The server ends a query whose client is gone, and so lets go of the query's locks.
_QUERY_CHECK = {"client_connection_check_interval": "1s"}
_KEEPALIVE = {
    "tcp_keepalives_idle": "10s",
    "tcp_keepalives_interval": "5s",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "20s",
}

RawConnection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

_AWAY_CLASSES = ("08", "53", "57", "58", "28", "25006", "25P03", "3D000", "55000")
"""SQLSTATEs of a server that is gone, full, stopping, failing, read-only or that lets nobody in,
and of a transaction that the server ended because its worker was silent for too long."""

_BUSY = ("40001", "40P01", "55P03")
"""Serialization failure, deadlock, lock time-out: the same work may well succeed next time."""


def create_engine(
    settings: Settings, *, name: str = "leaderboard", **connect_args: object
) -> AsyncEngine:
    """An engine with a bounded pool; statements end after `database_timeout` seconds. `name` is
    what PostgreSQL shows of its connections.

    With `command_timeout=None`, statements, locks and transactions may take as long as they want:
    for migrations.
    """
    url, session, arguments = for_driver(
        settings.database_url, {"application_name": name, "timezone": "UTC"}
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
            "connection_class": ServiceConnection,
            "server_settings": session,
            **arguments,
            **connect_args,
        },
    )
    is_bounded = connect_args.get("command_timeout", settings.database_timeout) is not None
    told = {**_QUERY_CHECK, **(_waits(settings) if is_bounded else {})}

    # Not at the start of the connection: poolers refuse settings there that they don't know.
    @event.listens_for(engine.sync_engine, "connect")
    def configure(connection: Any, _record: object) -> None:  # noqa: ANN401 - SQLAlchemy's adapter
        if is_pooled(settings.database_url):
            # Told to the session, they would last for whoever gets the server's connection next.
            connection.driver_connection.each_transaction = _statements("SET LOCAL", told)
        else:
            connection.run_async(lambda raw: raw.execute(_statements("SET", told | _KEEPALIVE)))

    event.listen(engine.sync_engine, "checkout", _refuse_closed)
    return engine


def _refuse_closed(_: object, record: ConnectionPoolEntry, __: object) -> None:
    """Has the pool replace a connection that the server has closed while it was in the pool, and
    all others that are as old."""
    if cast("RawConnection", record.driver_connection).is_closed():
        raise InvalidatePoolError


def _waits(settings: Settings) -> dict[str, str]:
    return {
        "lock_timeout": f"{settings.database_lock_timeout * 1_000:.0f}ms",
        # A worker that is stopped within a transaction holds players' locks no longer than this.
        "idle_in_transaction_session_timeout": f"{settings.database_timeout * 1_000:.0f}ms",
    }


def _statements(verb: str, told: dict[str, str]) -> str:
    return "".join(f"{verb} {name} = '{value}'; " for name, value in told.items())


@asynccontextmanager
async def raw_connection(engine: AsyncEngine) -> AsyncIterator[RawConnection]:
    """The driver's own connection out of the engine's pool, for statements over arrays.

    A connection on which anything failed as "away" is not given back to the pool, and is not
    asked anything more: a server that does not answer would not answer a goodbye either.
    """
    async with engine.connect() as connection:
        raw = cast("RawConnection", (await connection.get_raw_connection()).driver_connection)
        try:
            yield raw
        except BaseException as error:
            if not isinstance(error, Exception) or is_away(error):
                raw.terminate()
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
        | InvalidatePoolError
        | asyncpg.InterfaceError
        | asyncpg.InternalClientError,
    )


def is_busy(error: BaseException) -> bool:
    """Whether the error says that another transaction was in the way: a lock, a deadlock."""
    if isinstance(error, DBAPIError) and error.orig is not None:
        return is_busy(error.orig.__cause__ or error.orig)
    return isinstance(error, asyncpg.PostgresError) and error.sqlstate in _BUSY
