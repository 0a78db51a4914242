"""Building the index anew from the folds, beside the old one and under full writing."""

import secrets
from collections.abc import Callable

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.database import raw_connection
from app.core.redis import AWAY
from app.services import ledger
from app.services.rank_index.index import IndexAway, IndexedFold, RankIndex
from app.services.rank_index.tail import BEGINNING, take_mark, wait_settled

log = structlog.get_logger(__name__)

LOCK_MS = 10_000
CHUNK = 2_000
SETTLE_SECONDS = 5.0
FORGET_CHUNK = 500

_RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end"


async def rebuild(
    index: RankIndex, engine: AsyncEngine, progress: Callable[[int, int], None] | None = None
) -> bool:
    """Builds a new epoch and switches readers to it. False if another worker is at it.

    `progress` is told (players done, players in all). Raises IndexAway if Redis goes away.
    """
    client, lock = index.client, index.prefix + "rebuild"
    token = secrets.token_hex(8)
    try:
        if not await client.set(lock, token, nx=True, px=LOCK_MS):
            return False
        try:
            await _build(index, engine, lock, progress)
        finally:
            await client.eval(_RELEASE, 1, lock, token)
    except AWAY as error:
        index.distrust(f"{type(error).__name__}: {error}")
        raise IndexAway(index.reason) from error
    return True


async def _build(
    index: RankIndex,
    engine: AsyncEngine,
    lock: str,
    progress: Callable[[int, int], None] | None,
) -> None:
    client, epoch = index.client, secrets.token_hex(4)
    doubts = index.doubts
    # From here on the writers fill the new epoch too; what was committed before, the scan sees.
    await client.hset(index.state_key, "building", epoch)
    async with raw_connection(engine) as connection:
        mark = await take_mark(connection)
        watermark = mark.watermark
        if not await wait_settled(connection, mark, SETTLE_SECONDS):
            # Some long transaction writes; the sweeper will then look at everything.
            watermark = BEGINNING
        total = await connection.fetchval(
            "SELECT count(*) FROM leaderboard WHERE board_id = $1 AND season = $2",
            *index.board.key,
        )
    done = last = 0
    while True:
        async with raw_connection(engine) as connection:
            folds = await ledger.next_folds(connection, index.board.key, last, CHUNK)
        if not folds:
            break
        await index.load([IndexedFold(fold, b"") for fold, _ in folds])
        await client.pexpire(lock, LOCK_MS)
        last = folds[-1][0].user_id
        done += len(folds)
        if progress is not None:
            progress(done, total)
    old = await index.promote(epoch, mark.watermark.event_id, watermark.encode())
    if old is None:
        log.info("rebuild superseded", board=index.board.slug)
        return
    log.info("index rebuilt", board=index.board.slug, epoch=epoch, players=done)
    index.trust(doubts)
    await _forget(index)


async def _forget(index: RankIndex) -> None:
    """Removes what is left of epochs that nobody needs any more, a few keys at a time."""
    old: list[bytes] = []
    async for key in index.client.scan_iter(match=f"{index.prefix}*:*", count=1_000):
        old.append(key)
        if len(old) >= FORGET_CHUNK:
            await index.call("forget", *old)
            old.clear()
    if old:
        await index.call("forget", *old)
