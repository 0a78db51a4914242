"""Everything a worker runs, opened in order and closed in reverse."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

import structlog
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.addresses import Addresses
from app.core.config import Settings
from app.core.database import create_engine, is_away
from app.core.redis import create_client
from app.core.supervisor import Supervisor
from app.services.access.access import Access
from app.services.access.audit import AuditLog, seal_newest
from app.services.access.guests import Guests
from app.services.access.key_admin import KeyAdmin
from app.services.access.made_tokens import MadeTokens
from app.services.access.sealing import Sealer
from app.services.board_admin import BoardAdmin
from app.services.boards import Boards
from app.services.erasure import Erasures
from app.services.history import Histories
from app.services.limits.limits import Limits
from app.services.player_export import PlayerExports
from app.services.player_names import keep_filled
from app.services.players import Players
from app.services.probe import Probe
from app.services.rank_index.follower import STREAM_SECONDS, Follower
from app.services.rank_index.index import RankIndex
from app.services.rank_index.keeper import Keeper
from app.services.sampler import Sampler
from app.services.schema import ensure_partitions, migrate
from app.services.search import Search
from app.services.sessions import Sessions
from app.services.sql_standings import SlowLane, SqlStandings
from app.services.standings import Standings, StandingsByBoard
from app.services.submit.answers import Answers
from app.services.submit.forgetting import forget_keys
from app.services.submit.shared_outage import share_outage
from app.services.submit.transactions import Transactions
from app.services.submit.writer import Writer
from app.services.tiers import TierLadder, Tiers

log = structlog.get_logger(__name__)

START_ATTEMPTS = 60
READ_CONNECTIONS = 2
"""A worker's connections for reads that may take long: they take none from the writer."""
KEEPER_CONNECTIONS = 3
"""What brings trust back must not wait behind those who ask PostgreSQL meanwhile. One is for a
worker that tells the others of an outage of writes."""
OTHER_CONNECTIONS = READ_CONNECTIONS + KEEPER_CONNECTIONS + 3
"""What a worker has besides `database_pool_size`: also one to look up access, one to count, and
one for health."""
CHORES_EVERY = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Service:
    """The parts of one worker."""

    supervisor: Supervisor
    settings: Settings
    engine: AsyncEngine
    redis: Redis
    boards: Boards
    standings: StandingsByBoard
    keepers: tuple[Keeper, ...]
    samplers: tuple[Sampler, ...]
    writer: Writer
    players: Players
    search: Search
    erasures: Erasures
    player_exports: PlayerExports
    tiers: Tiers
    sessions: Sessions
    histories: Histories
    limits: Limits
    addresses: Addresses
    access: Access
    keys: KeyAdmin
    audit: AuditLog
    made_tokens: MadeTokens
    guests: Guests
    board_admin: BoardAdmin
    probe: Probe


@asynccontextmanager
async def open_service(settings: Settings) -> AsyncIterator[Service]:
    """Migrates, connects and starts following. On leaving, what was accepted is finished first.

    Waits up to a minute for PostgreSQL; does without Redis for as long as it must.
    """
    async with AsyncExitStack() as stack:
        engine = create_engine(settings)
        stack.push_async_callback(engine.dispose)
        reads = create_engine(settings.model_copy(update={"database_pool_size": READ_CONNECTIONS}))
        stack.push_async_callback(reads.dispose)
        await _start_database(settings)
        sealer = await _sealer_of(engine, settings)
        boards = await Boards.load(engine)
        supervisor = Supervisor()
        run = partial(_run, stack, supervisor)
        access = await stack.enter_async_context(open_access(settings, boards, supervisor))

        runs = Runs()
        client = create_client(settings, runs.see, timeout=settings.redis_timeout, connections=16)
        stack.push_async_callback(client.aclose)
        limits = Limits(client, settings)
        await run("limits", limits.run)
        streams = create_client(
            settings, runs.see, timeout=STREAM_SECONDS, connections=len(boards.open) + 1
        )
        stack.push_async_callback(streams.aclose)

        keeping = create_engine(
            settings.model_copy(update={"database_pool_size": KEEPER_CONNECTIONS})
        )
        stack.push_async_callback(keeping.dispose)
        slow_lane = SlowLane(settings)
        stack.push_async_callback(slow_lane.close)
        standings, keepers, samplers, ladders = [], [], [], []
        for board in boards.open:
            index = RankIndex(client, settings, board)
            runs.indexes.append(index)
            follower = Follower(index, streams, engine, settings)
            keeper = Keeper(index, follower, keeping, settings)
            sql = SqlStandings(engine, slow_lane, board)
            standings.append(Standings(board, index, follower, sql, settings))
            keepers.append(keeper)
            samplers.append(Sampler(index, engine, settings))
            ladders.append(TierLadder(index, follower, sql, settings.tiers))
            await run(f"keeper:{board.slug}", keeper.run)
            await run(f"follower:{board.slug}", follower.run)
            await run(f"refill:{board.slug}", follower.run_refills)
            await run(f"sampler:{board.slug}", samplers[-1].run)
        by_board = StandingsByBoard(standings)

        await run("chores", partial(_chores, engine, settings))
        await run("names", partial(keep_filled, engine))
        window = timedelta(seconds=settings.played_at_window)
        transactions = Transactions(engine, boards, window)
        writer = Writer(settings, transactions, Answers(boards, by_board))
        stack.push_async_callback(writer.close)
        players = Players(engine, boards, by_board, sealer)
        made_tokens = await stack.enter_async_context(_made_tokens(engine, sealer, supervisor))
        erasures, sessions = Erasures(engine, players), Sessions(reads)
        await run("erasures", erasures.keep_finished)
        await run("shared outage", partial(share_outage, keeping, writer.outage))
        yield Service(
            supervisor, settings, engine, client, boards, by_board, tuple(keepers),
            tuple(samplers), writer, players, Search(reads), erasures,
            PlayerExports(reads, sessions), Tiers(ladders), sessions,
            Histories(reads), limits, Addresses(settings.trusted_proxies), access,
            KeyAdmin(engine, sealer), AuditLog(engine), made_tokens, Guests(engine, players),
            BoardAdmin(engine, sealer),
            await stack.enter_async_context(open_probe(settings, runs)),
        )  # fmt: skip


async def _sealer_of(engine: AsyncEngine, settings: Settings) -> Sealer:
    """What seals the audit log, its newest row included."""
    sealer = Sealer.of(settings)
    await seal_newest(engine, sealer)
    return sealer


@asynccontextmanager
async def _made_tokens(
    engine: AsyncEngine, sealer: Sealer, supervisor: Supervisor
) -> AsyncIterator[MadeTokens]:
    made = MadeTokens(engine, sealer)
    async with supervisor.running("made tokens", made.run):
        yield made
    await made.write()


async def _run(
    stack: AsyncExitStack,
    supervisor: Supervisor,
    name: str,
    run: Callable[[], Coroutine[Any, Any, None]],
) -> None:
    """Starts a task that ends when the stack is closed."""
    await stack.enter_async_context(supervisor.running(name, run))


@asynccontextmanager
async def open_access(
    settings: Settings, boards: Boards, supervisor: Supervisor
) -> AsyncIterator[Access]:
    """What admits callers, kept up to date by a connection of its own."""
    engine = create_engine(settings.model_copy(update={"database_pool_size": 1}))
    access = Access(engine, settings, boards)
    try:
        await access.look()
        try:
            async with supervisor.running("access", access.run):
                yield access
        finally:
            await access.close()
    finally:
        await engine.dispose()


@asynccontextmanager
async def open_probe(settings: Settings, runs: "Runs") -> AsyncIterator[Probe]:
    """What tells whether the servers answer, by connections of its own."""
    engine = create_engine(settings.model_copy(update={"database_pool_size": 1}))
    client = create_client(settings, runs.see, timeout=settings.redis_timeout, connections=1)
    probe = Probe(engine, client)
    try:
        yield probe
    finally:
        await probe.close()
        await client.aclose()
        await engine.dispose()


class Runs:
    """Notices that Redis is another run than before: it may have lost its last second."""

    def __init__(self) -> None:
        self._run_id = ""
        self.indexes: list[RankIndex] = []

    def see(self, run_id: str) -> None:
        is_other = self._run_id and run_id != self._run_id
        self._run_id = run_id
        for index in self.indexes:
            index.run_id = run_id
            if is_other:
                index.distrust("Redis was restarted")


async def _start_database(settings: Settings) -> None:
    """Retries with back-off while PostgreSQL is not there yet."""
    for attempt in range(START_ATTEMPTS):
        try:
            patient = create_engine(settings, command_timeout=None)
            try:
                await migrate(patient, partitions_ahead=settings.partitions_ahead)
            finally:
                await patient.dispose()
        except Exception as error:
            if not is_away(error) or attempt == START_ATTEMPTS - 1:
                raise
            log.warning("waiting for PostgreSQL", error=str(error))
            await asyncio.sleep(min(0.1 * 2**attempt, 2.0))
        else:
            return


async def _chores(engine: AsyncEngine, settings: Settings) -> None:
    """Keeps partitions ahead of time and forgets old idempotency keys."""
    while True:
        await asyncio.sleep(CHORES_EVERY.total_seconds())
        try:
            made = await ensure_partitions(engine, settings.partitions_ahead)
            if made:
                log.info("partitions made", names=made)
            forgotten = await forget_keys(engine, settings.idempotency_hours)
            if forgotten:
                log.info("idempotency keys forgotten", keys=forgotten)
        except Exception:  # chores have an hour's patience, and must not end the worker
            log.exception("chores put off")
