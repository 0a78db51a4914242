"""Takes samples of a board's order and thins them out as they age."""

import asyncio
import struct

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.config import Settings
from app.core.database import is_away, raw_connection
from app.core.redis import AWAY
from app.services.rank_index.index import IndexAway, RankIndex
from app.services.samples import BEST, FURTHER, pack

log = structlog.get_logger(__name__)

_RANKS = struct.pack(f">{len(FURTHER)}I", *(rank - 1 for rank in FURTHER))

_NEWEST = """
SELECT version FROM standings_samples WHERE board_id = $1 AND season = $2 ORDER BY at DESC LIMIT 1
"""

_STORE = """
INSERT INTO standings_samples (board_id, season, at, version, players, members)
VALUES ($1, $2, now(), $3, $4, $5) ON CONFLICT DO NOTHING
"""

# As fine as the graph of an hour, of a day, of a week and of years can show: 200 samples and one
# more a day. The first one of each slot stays, so a sample that was kept once is kept for as long
# as its slots are (each length is a multiple of the one before).
_THIN = """
DELETE FROM standings_samples s
WHERE s.board_id = $1 AND s.season = $2 AND s.at <= now() - interval '15 minutes' AND EXISTS (
    SELECT FROM standings_samples e
    WHERE e.board_id = $1 AND e.season = $2 AND e.at < s.at AND e.at >= date_bin(
        CASE WHEN s.at > now() - interval '3 hours' THEN interval '2 minutes'
             WHEN s.at > now() - interval '3 days' THEN interval '1 hour'
             ELSE interval '1 day' END,
        s.at, timestamptz 'epoch')
)
"""


class Sampler:
    """One a board and worker; each interval's sample is taken by whoever comes first."""

    def __init__(self, index: RankIndex, engine: AsyncEngine, settings: Settings) -> None:
        self._index = index
        self._engine = engine
        self._interval = settings.sample_interval
        self.board = index.board
        self.taken = self.failed = 0

    async def run(self) -> None:
        """Keeps at it for as long as the worker lives. Without the index there are no samples."""
        while True:
            await self._index.wait_trusted()
            try:
                await self._sample_in_turn()
            except (IndexAway, *AWAY) as error:
                self.failed += 1
                log.info("no sample", board=self._index.board.slug, why=repr(error))
            except Exception as error:
                self.failed += 1
                if not is_away(error):
                    log.exception("sampler")
            await asyncio.sleep(self._interval)

    async def _sample_in_turn(self) -> None:
        index = self._index
        turn = await index.client.set(
            index.prefix + "sampler", 1, nx=True, px=int(self._interval * 1_000)
        )
        if turn:
            await self.sample()

    async def sample(self) -> bool:
        """Takes a sample, if the board changed since the last one. Raises IndexAway."""
        index = self._index
        async with raw_connection(self._engine) as connection:
            newest = await connection.fetchval(_NEWEST, *index.board.key)
        state = await index.state()
        if state is None or state.version == newest:
            return False
        version, players, members = await index.places(BEST, _RANKS)
        if not players:
            return False
        async with raw_connection(self._engine) as connection:
            await connection.execute(_STORE, *index.board.key, version, players, pack(members))
            await connection.execute(_THIN, *index.board.key)
        self.taken += 1
        return True
