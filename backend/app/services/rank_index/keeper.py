"""Keeps the index complete: earns its trust back, sweeps the ledger's tail, rebuilds it."""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

import asyncpg
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.config import Settings
from app.core.database import is_away, raw_connection
from app.services import ledger
from app.services.rank_index.follower import Follower
from app.services.rank_index.heard import Heard
from app.services.rank_index.index import IndexAway, IndexedFold, RankIndex, State
from app.services.rank_index.past import (
    Past,
    add_mark,
    find_break,
    overtake,
    read_lineage,
    read_run,
)
from app.services.rank_index.rebuild import (
    SETTLE_SECONDS,
    Lock,
    Outcome,
    forget_old_epochs,
    rebuild,
)
from app.services.rank_index.tail import (
    Mark,
    Reach,
    Watermark,
    is_settled,
    read_tail,
    take_mark,
    wait_settled,
)
from app.services.rows import encode_details

log = structlog.get_logger(__name__)

CHUNK = 1_000
RETRY_SECONDS = 0.1
LONGEST_RETRY_SECONDS = 1.0
LOOKS_PER_SWEEP = 2
"""Whoever wrote an event has this share of a sweep's time to bring it into the index."""
TAIL_PAUSE = 3
"""A tail that took too long is read again after this number of times as long."""
FAULTS_AT_ONCE = 3
FAULTS_SECONDS = 60.0
FAULTS_PAUSE = 5.0
"""An index that was found wrong so often in a minute is built anew after a pause."""


class Keeper:
    """One a board and worker. Sweeping is one worker's job at a time, trust is each one's own."""

    def __init__(
        self, index: RankIndex, follower: Follower, engine: AsyncEngine, settings: Settings
    ) -> None:
        self._index = index
        self._follower = follower
        self._engine = engine
        self._interval = settings.sweep_interval / LOOKS_PER_SWEEP
        self._reach = Reach.of(settings)
        self._turn = Lock(index, "sweeper", int(settings.sweep_interval * 5_000))
        self._is_sweeper = False
        self._before: Mark | None = None
        """The mark of this worker's last look."""
        self._server_run = ""
        """When PostgreSQL was started, as of the last look."""
        self._no_sweep_until = 0.0
        self._ghosts: set[int] = set()
        """Players of whom the database knew nothing at the last look either."""
        self._faults: deque[float] = deque(maxlen=FAULTS_AT_ONCE)
        self.board = index.board
        self.checked = self.repaired = self.rebuilt = 0
        """Players looked up again, those of them that were missing in the index; rebuilds."""
        self.lag: int | None = None
        """Events by which the index was behind the ledger, as the last sweep found it. Known to
        the one worker that sweeps."""
        self._doubt = asyncio.Event()
        index.on_distrust.append(self._doubt.set)

    async def run(self) -> None:
        """Keeps at it for as long as the worker lives."""
        failures = 0
        while True:
            self._doubt.clear()
            try:
                if self._index.available:
                    await self.look()
                else:
                    self.lag = None
                    await self.recover()
                failures = 0
            except IndexAway:
                failures = 0
            except Exception as error:
                if not is_away(error):
                    log.exception("keeper")
                else:
                    log.warning("keeper", board=self.board.slug, error=repr(error))
                await asyncio.sleep(min(RETRY_SECONDS * 2**failures, LONGEST_RETRY_SECONDS))
                failures = min(failures + 1, 10)
            if self._index.available:
                await self._wait()
            else:
                await asyncio.sleep(RETRY_SECONDS)

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(self._interval):
                await self._doubt.wait()
        except TimeoutError:
            pass

    # Earning trust

    async def recover(self) -> None:
        """Earns trust: whatever was committed before now is in the index when this returns.

        Raises IndexAway while Redis is away; returns without trust while another rebuilds.
        """
        index = self._index
        doubts = index.doubts
        await index.check_writable()
        state = await index.state()
        if state is None or await self._find_fault(state):
            await self._rebuild()
            return
        try:
            async with raw_connection(self._engine) as connection:
                tail = await read_tail(connection, Watermark.decode(state.watermark), self._reach)
        except TimeoutError:
            await self._give_up_tail(state)
            return
        await self._apply(list(tail))
        index.trust(doubts)

    async def _find_fault(self, state: State) -> str:
        """Why this index can't be brought up to date; empty if it can."""
        if state.is_condemned:
            return "the index was condemned"
        async with raw_connection(self._engine) as connection:
            return await find_break(connection, self.board, state.version, state.past)

    async def _give_up_tail(self, state: State) -> None:
        """If PostgreSQL is well and only the tail too long, a rebuild takes less time."""
        async with raw_connection(self._engine) as connection:
            await take_mark(connection)
        await self._index.condemn(state.epoch, "the ledger's tail takes too long to read")

    async def _put_off_tail(self, state: State) -> None:
        """While a transaction writes that is older than the tail, a new index would begin with the
        same tail. So the index goes on, and is built anew once the transaction has ended."""
        async with raw_connection(self._engine) as connection:
            mark = await take_mark(connection)
        if await wait_settled(self._engine, mark, SETTLE_SECONDS):
            await self._index.condemn(state.epoch, "the ledger's tail takes too long to read")
            return
        self._no_sweep_until = time.monotonic() + TAIL_PAUSE * self._reach.seconds
        log.warning("sweep put off: a long transaction writes", board=self.board.slug)

    async def _rebuild(self) -> None:
        is_full = len(self._faults) == FAULTS_AT_ONCE
        if is_full and time.monotonic() - self._faults[0] < FAULTS_SECONDS:
            await asyncio.sleep(FAULTS_PAUSE)
        outcome = await rebuild(self._index, self._engine, is_needed=self._is_rebuild_needed)
        if outcome is Outcome.BUILT:
            self.rebuilt += 1

    async def _is_rebuild_needed(self) -> bool:
        """Looks once more, as another worker may have built the index in the meantime. If the
        database was set back, new events get ids above all that the index knew."""
        state = await self._index.state()
        if state is None:
            return True
        fault = await self._find_fault(state)
        if fault:
            log.warning("index to be rebuilt", board=self.board.slug, why=fault)
            self._faults.append(time.monotonic())
            await self._overtake(max(state.version, self._follower.version))
        return bool(fault)

    async def _overtake(self, event_id: int) -> None:
        """See `past.overtake`. The index's version follows the sequence in any case, so that the
        same fault is not found again after the rebuild."""
        async with raw_connection(self._engine) as connection:
            try:
                newest = await overtake(connection, event_id)
            except asyncpg.InsufficientPrivilegeError:
                log.exception("event_id_seq can't be moved on: grant UPDATE on it and on users")
                newest = (await take_mark(connection)).watermark.event_id
        with self._index.asking():
            await self._index.client.hset(self._index.state_key, "version", newest)

    # Looking and sweeping

    async def look(self) -> None:
        """Checks what trust rests on, on every worker; one of them sweeps as well.

        Raises IndexAway if the index can't be trusted any more. A worker that fails gives its turn
        to sweep to another one.
        """
        try:
            await self._look()
        except BaseException:  # a cancelled worker gives up its turn too
            if self._is_sweeper:
                self._is_sweeper = False
                with suppress(IndexAway):
                    await self._turn.release()
            raise

    async def _look(self) -> None:
        index = self._index
        await index.check_writable()
        state = await self._read_state()
        fault = await self._find_fault(state)
        if fault:
            index.distrust(fault)
            raise IndexAway(fault)
        await self._check_loss(state)
        await self._check_ghosts(state)
        # After PostgreSQL has answered: a worker that can't reach it never takes the turn.
        self._is_sweeper = await self._turn.take()
        if not self._is_sweeper:
            self.lag = self._before = None
            return
        await self._drop_broken_build(state)
        if time.monotonic() >= self._no_sweep_until:
            await self.sweep()

    async def _check_loss(self, state: State) -> None:
        """A restarted server may lack its last commits, although its sequence is ahead of them."""
        index = self._index
        async with raw_connection(self._engine) as connection:
            run = await read_run(connection)
            if self._server_run not in ("", run) and self._follower.epoch == state.epoch:
                since = Watermark.decode(state.watermark)
                # Heard before the tail is read: each of these was committed once.
                heard = self._follower.recent.after(since.event_id)
                tail = await read_tail(connection, since, self._reach)
                if any(tail.get(user_id, 0) < version for user_id, version in heard.items()):
                    await index.condemn(state.epoch, "the database lacks events of the index")
                    raise IndexAway(index.reason)
            self._server_run = run

    async def _read_state(self) -> State:
        state = await self._index.state()
        if state is None:
            self._index.distrust("the index is missing")
            raise IndexAway(self._index.reason)
        return state

    async def _check_ghosts(self, state: State) -> None:
        """A page had players whom the database lacks. If the index still has them a look later,
        it is wrong; a player who was just removed is gone from the index by then."""
        index = self._index
        if not index.ghosts:
            return
        suspects = sorted(index.ghosts)
        index.ghosts.clear()
        async with raw_connection(self._engine) as connection:
            folds = await ledger.named_folds(connection, self.board.key, suspects)
        found = await index.ranks(suspects)
        ghosts = {
            user_id
            for user_id, standing in zip(suspects, found.standings, strict=True)
            if standing.rank is not None
        } - {fold.user_id for fold, _ in folds}
        if ghosts & self._ghosts:
            await index.condemn(state.epoch, "the index has players whom the database lacks")
            raise IndexAway(index.reason)
        self._ghosts = ghosts
        index.ghosts |= ghosts

    async def _drop_broken_build(self, state: State) -> None:
        if state.building and await self._index.abandon(state.building):
            log.info("broken rebuild dropped", board=self.board.slug)
            await forget_old_epochs(self._index)

    async def sweep(self) -> None:
        """Brings in what a writer committed and could not index, and moves the watermark on.

        Only events from before the last look are taken: those after it may be on their way.
        """
        index = self._index
        doubts, run_id = index.doubts, index.run_id
        state = await self._read_state()
        since = Watermark.decode(state.watermark)
        try:
            async with raw_connection(self._engine) as connection:
                before, self._before = self._before, await take_mark(connection)
                if self._before.watermark.event_id <= since.event_id:
                    self.lag = 0
                    return
                if before is None or before.watermark.event_id <= since.event_id:
                    return
                settled = await is_settled(connection, before)
                upto = before.watermark.event_id
                tail = await read_tail(connection, since, self._reach, upto)
        except TimeoutError:
            await self._put_off_tail(state)
            raise
        position, newest = state.position, state.version
        heard = Heard()
        if self._follower.epoch == state.epoch:
            heard = self._follower.recent
            position = max(position, self._follower.position)
            newest = max(newest, self._follower.version)
        self.lag = max(0, max(tail.values(), default=0) - newest)
        missing = [user_id for user_id, event in tail.items() if heard.get(user_id, 0) < event]
        self.repaired += await self._apply(missing)
        if settled and index.doubts == doubts:
            past = await self._mark(before.watermark)
            watermark = before.watermark.encode()
            await index.settle(state.epoch, position, run_id, watermark, past)

    async def _mark(self, settled: Watermark) -> Past:
        async with raw_connection(self._engine) as connection:
            lineage = await read_lineage(connection)
            return Past(await add_mark(connection, self.board, settled), lineage)

    async def _apply(self, user_ids: Sequence[int]) -> int:
        """Brings these players' folds into the index. How many of them changed their rank."""
        index = self._index
        changed = 0
        for at in range(0, len(user_ids), CHUNK):
            async with raw_connection(self._engine) as connection:
                folds = await ledger.named_folds(
                    connection, index.board.key, user_ids[at : at + CHUNK]
                )
            applied = await index.apply(
                [IndexedFold(fold, encode_details(fold, name)) for fold, name in folds]
            )
            moved = sum(each.is_news and each.old != each.new for each in applied.ranks)
            self.checked += len(folds)
            changed += moved
            if moved:
                log.info("swept up", board=index.board.slug, players=moved)
        return changed
