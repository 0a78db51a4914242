"""Keeps the index complete: earns its trust back, sweeps the ledger's tail, rebuilds it."""

import asyncio
import secrets

import structlog
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.config import Settings
from app.core.database import is_away, raw_connection
from app.services import ledger
from app.services.rank_index.follower import Follower
from app.services.rank_index.index import IndexAway, IndexedFold, RankIndex
from app.services.rank_index.rebuild import rebuild
from app.services.rank_index.tail import Watermark, read_tail, take_mark, wait_settled
from app.services.rows import encode_details

log = structlog.get_logger(__name__)

CHUNK = 1_000
RETRY_SECONDS = 0.1
SETTLE_SECONDS = 0.2
"""A writer's transaction takes milliseconds; for a long one the next sweep looks again."""


class Keeper:
    """One a board and worker. Sweeping is one worker's job at a time, trust is each one's own."""

    def __init__(
        self, index: RankIndex, follower: Follower, engine: AsyncEngine, settings: Settings
    ) -> None:
        self._index = index
        self._follower = follower
        self._engine = engine
        self._interval = settings.sweep_interval
        self._token = secrets.token_hex(8)
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
        while True:
            self._doubt.clear()
            try:
                if not self._index.available:
                    self.lag = None
                    await self.recover()
                else:
                    await self._sweep_in_turn()
            except IndexAway:
                await asyncio.sleep(RETRY_SECONDS)
                continue
            except (RedisError, SQLAlchemyError, OSError) as error:
                log.warning("keeper", board=self._index.board.slug, error=repr(error))
                await asyncio.sleep(RETRY_SECONDS)
                continue
            except Exception as error:
                if not is_away(error):
                    log.exception("keeper")
                await asyncio.sleep(RETRY_SECONDS)
                continue
            if self._index.available:
                await self._wait()

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(self._interval):
                await self._doubt.wait()
        except TimeoutError:
            pass

    async def recover(self) -> None:
        """Earns trust: whatever was committed before now is in the index when this returns.

        Raises IndexAway while Redis is away; returns without trust while another rebuilds.
        """
        index = self._index
        doubts = index.doubts
        state = await index.state()
        if state is None or await self._is_from_the_future(state.version):
            if await rebuild(index, self._engine):
                self.rebuilt += 1
            else:
                await asyncio.sleep(RETRY_SECONDS)
            return
        since = Watermark.decode(state.watermark)
        async with raw_connection(self._engine) as connection:
            tail = await read_tail(connection, since)
        await self._apply(list(tail))
        index.trust(doubts)

    async def _is_from_the_future(self, version: int) -> bool:
        """Whether the index knows events that the database doesn't: another database's index."""
        async with raw_connection(self._engine) as connection:
            mark = await take_mark(connection)
        if version > mark.watermark.event_id:
            log.warning("the index belongs to another database", board=self._index.board.slug)
        return version > mark.watermark.event_id

    async def _sweep_in_turn(self) -> None:
        index = self._index
        lock = index.prefix + "sweeper"
        mine = await index.client.set(lock, self._token, nx=True, px=int(self._interval * 5_000))
        if not mine:
            holder = await index.client.get(lock)
            if holder != self._token.encode():
                self.lag = None
                return
            await index.client.pexpire(lock, int(self._interval * 5_000))
        await self.sweep()

    async def sweep(self) -> None:
        """Brings in what a writer committed and could not index, and moves the watermark on."""
        index = self._index
        state = await index.state()
        if state is None:
            index.distrust("the index is missing")
            raise IndexAway(index.reason)
        since = Watermark.decode(state.watermark)
        heard = self._follower.recent
        async with raw_connection(self._engine) as connection:
            mark = await take_mark(connection)
            if mark.watermark.event_id <= since.event_id:
                self.lag = 0
                return
            # What was read before everybody up to the mark had ended would have to be read again.
            is_settled = await wait_settled(connection, mark, SETTLE_SECONDS)
            tail = await read_tail(connection, since)
        epoch, position = state.epoch, state.position
        newest = state.version
        if self._follower.epoch == epoch:
            position = max(position, self._follower.position)
            newest = max(newest, self._follower.version)
        self.lag = max(0, max(tail.values(), default=0) - newest)
        missing = [user_id for user_id, event in tail.items() if heard.get(user_id, 0) < event]
        await self._apply(missing)
        if is_settled:
            await index.call("settle", epoch, position, mark.watermark.encode())
            settled = mark.watermark.event_id
            for user_id in [each for each, seen in heard.items() if seen <= settled]:
                del heard[user_id]

    async def _apply(self, user_ids: list[int]) -> None:
        index = self._index
        for at in range(0, len(user_ids), CHUNK):
            async with raw_connection(self._engine) as connection:
                folds = await ledger.named_folds(
                    connection, index.board.key, user_ids[at : at + CHUNK]
                )
            applied = await index.apply(
                [IndexedFold(fold, encode_details(fold, name)) for fold, name in folds]
            )
            moved = sum(old != new for old, new in applied.ranks)
            self.checked += len(folds)
            self.repaired += moved
            if moved:
                log.info("swept up", board=index.board.slug, players=moved)
