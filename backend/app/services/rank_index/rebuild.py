"""Building the index anew from the folds, beside the old one and under full writing."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.database import raw_connection
from app.services import ledger
from app.services.rank_index.index import IndexAway, IndexedFold, RankIndex
from app.services.rank_index.past import Past, add_mark, has_mark, newest_mark, read_lineage
from app.services.rank_index.tail import Mark, take_mark, wait_settled

log = structlog.get_logger(__name__)

LOCK_MS = 10_000
CHUNK = 1_000
LOAD_ATTEMPTS = 8
LOAD_PAUSE = 0.3
SETTLE_SECONDS = 1.0
FIRST_SETTLES = 30
"""How often a first index waits so long: without a mark from before, all of the ledger would have
to be looked through after the build."""
FORGET_CHUNK = 500

_RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end"
_EXTEND = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""

Progress = Callable[[int, int], None]
"""Is told (players done, players in all)."""


class Outcome(Enum):
    """What became of a rebuild."""

    BUILT = "built"
    NOT_NEEDED = "not needed"
    BUSY = "another worker is at it"
    SUPERSEDED = "another worker began anew, or Redis was restarted"


class Lock:
    """A key in Redis that one worker holds, and that ends by itself when the worker dies.

    All calls raise IndexAway.
    """

    def __init__(self, index: RankIndex, name: str, milliseconds: int) -> None:
        self._index = index
        self._key = index.prefix + name
        self._milliseconds = milliseconds
        self.token = secrets.token_hex(8)

    async def take(self) -> bool:
        """Whether the lock is ours now, or has been and is for another while."""
        with self._index.asking():
            taken = await self._index.client.set(
                self._key, self.token, nx=True, px=self._milliseconds
            )
        return bool(taken) or await self.extend()

    async def extend(self) -> bool:
        """False if the lock is not ours any more."""
        return bool(await self._run(_EXTEND, self._milliseconds))

    async def release(self) -> None:
        await self._run(_RELEASE)

    async def _run(self, script: str, *args: int) -> object:
        with self._index.asking():
            return await self._index.client.eval(script, 1, self._key, self.token, *args)


async def rebuild(
    index: RankIndex,
    engine: AsyncEngine,
    progress: Progress | None = None,
    *,
    is_needed: Callable[[], Awaitable[bool]] | None = None,
) -> Outcome:
    """Builds a new epoch and switches readers to it. One worker at a time does.

    `is_needed` is asked once the lock is held, so that of several workers that see the same
    reason one builds and the others find the result. Raises IndexAway if Redis goes away.
    """
    lock = Lock(index, "rebuild", LOCK_MS)
    if not await lock.take():
        return Outcome.BUSY
    try:
        if is_needed is not None and not await is_needed():
            return Outcome.NOT_NEEDED
        return await _build(index, engine, lock, progress)
    finally:
        await lock.release()


@dataclass(frozen=True, slots=True)
class _Begun:
    """What was true when a build began, before it read any fold."""

    epoch: str
    run_id: str
    lineage: str
    mark: Mark
    is_settled: bool


async def _build(
    index: RankIndex, engine: AsyncEngine, lock: Lock, progress: Progress | None
) -> Outcome:
    await forget_old_epochs(index)  # of builds that broke off
    epoch = secrets.token_hex(4)
    doubts = index.doubts
    try:
        begun = await _begin(index, engine, lock, epoch)
        players = await _load_all(index, engine, lock, progress)
        if players is None or not await _promote(index, engine, begun):
            log.info("rebuild superseded", board=index.board.slug)
            await index.abandon(epoch, lock.token)
            return Outcome.SUPERSEDED
    except BaseException:  # a cancelled build is removed too
        with suppress(IndexAway):
            await index.abandon(epoch, lock.token)
        raise
    log.info("index rebuilt", board=index.board.slug, epoch=epoch, players=players)
    index.trust(doubts)
    await forget_old_epochs(index)
    return Outcome.BUILT


async def _begin(index: RankIndex, engine: AsyncEngine, lock: Lock, epoch: str) -> _Begun:
    # From here on the writers fill the new epoch too; what was committed before, the scan sees.
    with index.asking():
        run_id = (await index.client.info("server"))["run_id"]
        await index.client.hset(index.state_key, "building", epoch)
    async with raw_connection(engine) as connection:
        lineage = await read_lineage(connection)
        mark = await take_mark(connection)
        waits = 1 if await has_mark(connection, index.board) else FIRST_SETTLES
    return _Begun(epoch, run_id, lineage, mark, await _wait_settled(engine, lock, mark, waits))


async def _wait_settled(engine: AsyncEngine, lock: Lock, mark: Mark, waits: int) -> bool:
    """Waits for the transactions from before the mark. False if one is still open. No connection
    is held meanwhile: the keepers of all boards share a few."""
    for _ in range(waits):
        if await wait_settled(engine, mark, SETTLE_SECONDS):
            return True
        await lock.extend()
    return False


async def _load_all(
    index: RankIndex, engine: AsyncEngine, lock: Lock, progress: Progress | None
) -> int | None:
    """Brings all folds into the epoch that is being built. How many; None if it is superseded."""
    async with raw_connection(engine) as connection:
        total = await connection.fetchval(
            "SELECT count(*) FROM leaderboard WHERE board_id = $1 AND season = $2",
            *index.board.key,
        )
    done = last = 0
    while True:
        async with raw_connection(engine) as connection:
            folds = await ledger.next_folds(connection, index.board.key, last, CHUNK)
        if not folds:
            return done
        if not await _load(index, lock, [IndexedFold(fold, b"") for fold, _ in folds]):
            return None
        last = folds[-1][0].user_id
        done += len(folds)
        if progress is not None:
            progress(done, total)


async def _load(index: RankIndex, lock: Lock, folds: Sequence[IndexedFold]) -> bool:
    """Loads a chunk, again if Redis did not answer in time: a busy server must not cost the whole
    build. Loading twice does no harm. False if the build is superseded. Raises IndexAway."""
    for attempt in range(LOAD_ATTEMPTS):
        try:
            return await index.load(folds) and await lock.extend()
        except IndexAway:
            if attempt == LOAD_ATTEMPTS - 1:
                raise
            await asyncio.sleep(LOAD_PAUSE)
    raise AssertionError


async def _promote(index: RankIndex, engine: AsyncEngine, begun: _Begun) -> bool:
    async with raw_connection(engine) as connection:
        if begun.is_settled:
            watermark = begun.mark.watermark
            own = await add_mark(connection, index.board, watermark)
        else:
            # Some long transaction writes: the sweeps have to look at more than that.
            watermark, own = await newest_mark(connection, index.board)
    old = await index.promote(
        begun.epoch,
        begun.mark.watermark.event_id,
        watermark.encode(),
        Past(own, begun.lineage),
        begun.run_id,
    )
    return old is not None


async def forget_old_epochs(index: RankIndex) -> None:
    """Removes what is left of epochs that nobody needs any more, a few keys at a time."""
    old: list[bytes] = []
    with index.asking():
        async for key in index.client.scan_iter(match=f"{index.prefix}*:*", count=1_000):
            old.append(key)
            if len(old) >= FORGET_CHUNK:
                await index.call("forget", *old)
                old.clear()
    if old:
        await index.call("forget", *old)
