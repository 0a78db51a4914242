"""Whether PostgreSQL and Redis answer, asked at most once a second however many want to know."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import asyncpg
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.database import is_away, raw_connection
from app.core.redis import AWAY
from app.services.submit.shared_outage import read_outage

EVERY = 1.0
"""Seconds for which an answer is good."""
TIMEOUT = 1.0
ATTEMPTS = 2
"""A worker that was busy for a whole second times out although the server has answered."""

_SCHEMA = "SELECT version_num FROM alembic_version"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered. `fault`: the error's name, None if the server is well."""

    fault: str | None
    latency_ms: float


@dataclass(frozen=True, slots=True)
class Look:
    """Both answers. `migrated`: whether the database has a schema. `outage`: why a worker, this one
    or another, can't store scores; None while all can."""

    database: Answer
    redis: Answer
    migrated: bool
    outage: str | None


class Probe:
    """One a worker, with connections of its own: it waits behind nobody."""

    def __init__(self, engine: AsyncEngine, redis: Redis) -> None:
        self._engine = engine
        self._redis = redis
        self._migrated = False
        self._outage: str | None = None
        self._latest: tuple[float, Look] | None = None
        self._asking: asyncio.Task[Look] | None = None

    async def look(self) -> Look:
        """The answers of the last second; else new ones, which all who wait share."""
        if self._latest is not None and time.monotonic() - self._latest[0] < EVERY:
            return self._latest[1]
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask_both())
        # One of those who wait may be cancelled.
        return await asyncio.shield(self._asking)

    async def close(self) -> None:
        """Ends a look that is under way."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait([self._asking])

    async def _ask_both(self) -> Look:
        try:
            database, redis = await asyncio.gather(
                _answer(self._ask_database), _answer(self._redis.ping)
            )
            outage = self._outage if database.fault is None else None
            look = Look(database, redis, self._migrated, outage)
            self._latest = time.monotonic(), look
            return look
        finally:
            self._asking = None

    async def _ask_database(self) -> None:
        # Not the engine's own way: it would say goodbye to a silent server, for two seconds.
        async with raw_connection(self._engine) as connection:
            try:
                self._migrated = await connection.fetchval(_SCHEMA) is not None
            except asyncpg.UndefinedTableError:
                self._migrated = False
                return
            self._outage = await read_outage(connection)


async def _answer(ask: Callable[[], Awaitable[object]]) -> Answer:
    fault: str | None = None
    for attempt in range(1, ATTEMPTS + 1):
        started = time.perf_counter()
        try:
            async with asyncio.timeout(TIMEOUT):
                await ask()
        except Exception as error:
            if isinstance(error, TimeoutError) and attempt < ATTEMPTS:
                continue
            if not (is_away(error) or isinstance(error, AWAY)):
                raise
            fault = type(error).__name__
        else:
            fault = None
        return Answer(fault, round((time.perf_counter() - started) * 1_000, 2))
    raise AssertionError
