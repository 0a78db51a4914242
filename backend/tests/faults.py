"""The faults that `scripts/faults` makes: each begins, lasts, and ends."""

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import redis

from tests.conftest import Sandbox
from tests.fault_relay import Relay
from tests.test_failures import children


@dataclass
class Place:
    """Where the faults happen. `supervisor`: the process whose children are two of the workers;
    the third worker asks the servers through the relays."""

    sandbox: Sandbox
    supervisor: int
    database_relay: Relay
    redis_relay: Relay
    players: list[int]
    copies: Path

    @property
    def servers(self):
        return self.sandbox.servers

    def redis(self) -> redis.Redis:
        return self.sandbox.redis()

    async def sql(self, *statements: str) -> None:
        connection = await self.sandbox.connect()
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()


Fault = Callable[[Place], AsyncIterator[None]]
FAULTS: dict[str, tuple[float, Callable]] = {}
SETS_BACK = "PostgreSQL set back"
"""What was answered after the copy is lost with it."""


def fault(name: str, seconds: float):
    """`seconds`: how long it lasts."""

    def keep(make: Fault) -> Fault:
        FAULTS[name] = (seconds, asynccontextmanager(make))
        return make

    return keep


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _tree(pid: int) -> list[int]:
    return [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]


@asynccontextmanager
async def _stopped(pids: list[int]) -> AsyncIterator[None]:
    _signal(pids, signal.SIGSTOP)
    try:
        yield
    finally:
        _signal(pids, signal.SIGCONT)


@fault("PostgreSQL frozen (SIGSTOP)", 12)
async def postgres_frozen(place: Place) -> AsyncIterator[None]:
    async with _stopped(_tree(place.servers.postgres.pid)):
        yield


@fault("PostgreSQL killed (-9)", 0)
async def postgres_killed(place: Place) -> AsyncIterator[None]:
    place.servers.postgres.kill()
    yield


@fault("PostgreSQL stopped", 5)
async def postgres_stopped(place: Place) -> AsyncIterator[None]:
    await asyncio.to_thread(place.servers.postgres.stop)
    yield
    await asyncio.to_thread(place.servers.postgres.start)


_BACKENDS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


@fault("PostgreSQL's backends terminated, again and again", 4)
async def backends_terminated(place: Place) -> AsyncIterator[None]:
    async def terminate() -> None:
        while True:
            await place.sql(_BACKENDS)
            await asyncio.sleep(0.3)

    task = asyncio.create_task(terminate())
    yield
    task.cancel()
    await asyncio.wait([task])


@fault("PostgreSQL has no connection left", 6)
async def no_connection(place: Place) -> AsyncIterator[None]:
    taken = []

    async def take() -> None:
        while True:
            try:
                taken.append(await place.sandbox.connect())
            except asyncpg.PostgresError:
                await asyncio.sleep(0.05)

    first = await place.sandbox.connect()
    takers = [asyncio.create_task(take()) for _ in range(4)]
    await asyncio.sleep(1)
    await first.execute(_BACKENDS + " AND application_name LIKE 'leaderboard%'")
    yield
    for task in takers:
        task.cancel()
    await asyncio.wait(takers)
    for connection in (first, *taken):
        connection.terminate()


async def _read_only(place: Place, value: str) -> None:
    await place.sql(
        "SET default_transaction_read_only = off",
        f"ALTER SYSTEM SET default_transaction_read_only = {value}",
        "SELECT pg_reload_conf()",
    )


@fault("PostgreSQL read-only", 8)
async def postgres_read_only(place: Place) -> AsyncIterator[None]:
    await _read_only(place, "on")
    yield
    await _read_only(place, "off")


@fault("one player's row locked", 12)
async def player_locked(place: Place) -> AsyncIterator[None]:
    connection = await place.sandbox.connect()
    await connection.execute("BEGIN")
    await connection.execute("SELECT FROM users WHERE id = $1 FOR UPDATE", place.players[0])
    yield
    await connection.close()


@fault("a transaction that writes for long", 12)
async def long_transaction(place: Place) -> AsyncIterator[None]:
    connection = await place.sandbox.connect()
    await connection.execute("BEGIN")
    await connection.execute("SELECT pg_current_xact_id(), nextval('event_id_seq')")
    place.sandbox.forget_index()
    yield
    await connection.execute("COMMIT")
    await connection.close()


@fault("one backend of a worker frozen", 12)
async def backend_frozen(place: Place) -> AsyncIterator[None]:
    connection = await place.sandbox.connect()
    pid = await connection.fetchval(
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'leaderboard' "
        "AND query LIKE '%game_sessions%' OR query = 'COMMIT;' ORDER BY query_start DESC LIMIT 1"
    )
    await connection.close()
    async with _stopped([pid]):
        yield


@fault(SETS_BACK, 0)
async def postgres_set_back(place: Place) -> AsyncIterator[None]:
    postgres = place.servers.postgres
    await asyncio.to_thread(postgres.stop)
    shutil.rmtree(postgres.folder.postgres)
    shutil.copytree(place.copies / "postgres", postgres.folder.postgres)
    await asyncio.to_thread(postgres.start)
    yield


@fault("Valkey frozen (SIGSTOP)", 8)
async def valkey_frozen(place: Place) -> AsyncIterator[None]:
    async with _stopped([place.servers.valkey.pid]):
        yield


@fault("Valkey killed (-9)", 0)
async def valkey_killed(place: Place) -> AsyncIterator[None]:
    place.servers.valkey.kill()
    yield


@fault("Valkey stopped", 5)
async def valkey_stopped(place: Place) -> AsyncIterator[None]:
    await asyncio.to_thread(place.servers.valkey.stop)
    yield
    await asyncio.to_thread(place.servers.valkey.start)


@fault("Valkey back with an older file", 0)
async def valkey_set_back(place: Place) -> AsyncIterator[None]:
    valkey = place.servers.valkey
    await asyncio.to_thread(valkey.stop)
    shutil.rmtree(valkey.folder.valkey)
    shutil.copytree(place.copies / "valkey", valkey.folder.valkey)
    await asyncio.to_thread(valkey.start)
    yield


def _configured(name: str, seconds: float, undo: str, **settings: str) -> None:
    @fault(name, seconds)
    async def configured(place: Place) -> AsyncIterator[None]:
        with place.redis() as client:
            for key, value in settings.items():
                client.config_set(key.replace("_", "-"), value)
            yield
            for pair in undo.split():
                client.config_set(*pair.split("="))


_configured("Valkey's memory is full (OOM)", 6, "maxmemory=0", maxmemory="1")
_configured(
    "Valkey lacks replicas (NOREPLICAS)", 6, "min-replicas-to-write=0", min_replicas_to_write="1"
)
_configured(
    "Valkey may drop keys (allkeys-lru)", 6, "maxmemory=0 maxmemory-policy=noeviction",
    maxmemory_policy="allkeys-lru", maxmemory="100mb",
)  # fmt: skip


def _told(name: str, seconds: float, *command: str, undo: tuple[str, ...] = ()) -> None:
    @fault(name, seconds)
    async def told(place: Place) -> AsyncIterator[None]:
        with place.redis() as client:
            client.execute_command(*command)
            yield
            if undo:
                client.execute_command(*undo)


_told("Valkey is a replica (READONLY)", 6, "REPLICAOF", "127.0.0.1", "1",
      undo=("REPLICAOF", "NO", "ONE"))  # fmt: skip
_told("Valkey pauses for 0.8 s", 0.8, "CLIENT", "PAUSE", "800", "ALL")
_told("Valkey pauses for 6 s", 6, "CLIENT", "PAUSE", "6000", "ALL")
_told("FLUSHALL", 0, "FLUSHALL")
_told("FLUSHDB", 0, "FLUSHDB")


@fault("FLUSHALL, again and again", 5)
async def flushed_often(place: Place) -> AsyncIterator[None]:
    async def flush() -> None:
        while True:
            with place.redis() as client:
                client.flushall()
            await asyncio.sleep(0.2)

    task = asyncio.create_task(flush())
    yield
    task.cancel()
    await asyncio.wait([task])


@fault("a worker killed (-9)", 0)
async def worker_killed(place: Place) -> AsyncIterator[None]:
    os.kill(children(place.supervisor)[0], signal.SIGKILL)
    yield


@fault("a worker frozen (SIGSTOP)", 12)
async def worker_frozen(place: Place) -> AsyncIterator[None]:
    # Shorter than uvicorn's own patience, which would replace the worker.
    async with _stopped([children(place.supervisor)[0]]):
        yield


def _network(name: str, *which: str) -> None:
    @fault(f"a black hole between one worker and {name}", 12)
    async def hole(place: Place) -> AsyncIterator[None]:
        relays = [getattr(place, f"{each}_relay") for each in which]
        for relay in relays:
            relay.swallow()
        yield
        for relay in relays:
            relay.heal()

    @fault(f"connections between one worker and {name} cut", 0)
    async def cut(place: Place) -> AsyncIterator[None]:
        for each in which:
            getattr(place, f"{each}_relay").cut()
        yield


_network("PostgreSQL", "database")
_network("Valkey", "redis")
_network("both", "database", "redis")
