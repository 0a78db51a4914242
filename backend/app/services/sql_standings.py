"""Standings computed by PostgreSQL alone: exact, in the same total order, slower.

They are the answer while the index is away. To find ranks means to count, and a count reads
every entry of the board. So all callers who wait share one pass, a worker has one pass under way
at a time, and it rests after each. Whoever can't be answered soon gets 503.
"""

import asyncio
import time
from bisect import bisect_right
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.coalesce import Coalescer
from app.core.config import Settings
from app.core.database import RawConnection, create_engine, raw_connection
from app.core.errors import Overloaded
from app.services.boards import BoardSeason
from app.services.fold import Fold
from app.services.ledger import to_fold

STATEMENT_SECONDS = 1.5
"""A statement of the fall-back is cancelled after this time."""
PATIENCE_SECONDS = 1.6
"""A caller gets 503 after this time, so that every answer comes within two seconds."""
MAX_REST_SECONDS = 0.5
CALLERS_PER_PASS = 500
MAX_WAITING = 5_000
QUICK_SECONDS = 0.1
"""If a pass takes longer than this, a submission is answered without its rank."""
FORGET_PACE_SECONDS = 60.0
"""After this time without a pass, its duration is no longer known."""

_FOLD = """
f.user_id, f.total_score, f.achieved_id, f.achieved_at, f.version, f.games_played, f.decided,
f.wins, f.is_active
"""

_ASKED = """
SELECT user_id, total_score, achieved_id FROM leaderboard
WHERE board_id = $1 AND season = $2 AND user_id = ANY($3::bigint[]) AND is_active
"""

# One pass for any number of players: entries between each two neighbouring scores in question.
_BUCKETS = """
SELECT width_bucket(total_score, $3::bigint[]) AS bucket, count(*) AS entries
FROM leaderboard WHERE board_id = $1 AND season = $2 AND is_active GROUP BY 1
"""

# The same within each score in question, between the events that reached it. An event reaches one
# player's total alone, so the player's id is not needed to tell two entries apart.
_TIES = """
SELECT tied.total_score, width_bucket(a.achieved_id, tied.events) AS bucket, count(*) AS entries
FROM (
    SELECT total_score, array_agg(achieved_id ORDER BY achieved_id) AS events FROM leaderboard
    WHERE board_id = $1 AND season = $2 AND user_id = ANY($3::bigint[]) AND is_active
    GROUP BY total_score
) AS tied
JOIN leaderboard a ON a.board_id = $1 AND a.season = $2 AND a.is_active
    AND a.total_score = tied.total_score
GROUP BY 1, 2
"""

_TOTAL = """
SELECT count(*) FROM leaderboard WHERE board_id = $1 AND season = $2 AND is_active
"""

_AT_RANKS = """
SELECT rank, total_score FROM (
    SELECT total_score, row_number() OVER (ORDER BY total_score {order}, achieved_id, user_id)
        AS rank
    FROM leaderboard WHERE board_id = $1 AND season = $2 AND is_active
) AS numbered WHERE rank = ANY($3::bigint[])
"""

_PAGE = """
SELECT {fold}, u.username FROM (
    SELECT user_id FROM leaderboard WHERE board_id = $1 AND season = $2 AND is_active
    ORDER BY total_score {order}, achieved_id, user_id LIMIT $3 OFFSET $4
) AS page
JOIN leaderboard f ON f.board_id = $1 AND f.season = $2 AND f.user_id = page.user_id
JOIN users u ON u.id = f.user_id
ORDER BY f.total_score {order}, f.achieved_id, f.user_id
"""

_FOLDS = """
SELECT {fold}, u.username, u.id FROM users u
LEFT JOIN leaderboard f ON f.user_id = u.id AND f.board_id = $1 AND f.season = $2
WHERE u.id = ANY($3::bigint[])
"""

_VERSION = "SELECT last_value FROM event_id_seq"


class NamedFold(NamedTuple):
    """A player's name and fold; the fold is None for a player who never played here."""

    username: str
    fold: Fold | None


@dataclass(frozen=True, slots=True)
class Totals:
    """How many players are ranked, and a version at least as new as what was read with it."""

    players: int
    version: int


class SqlRank(NamedTuple):
    """A player's rank, from 1, and the total that it stands for."""

    rank: int
    total_score: int


@dataclass(frozen=True, slots=True)
class SqlRanks:
    """Ranks by player, all of one snapshot. Players without a rank are left out."""

    totals: Totals
    by_player: dict[int, SqlRank]


@dataclass(frozen=True, slots=True)
class SqlPage:
    """Folds with names, best first, and the totals of the same snapshot."""

    totals: Totals
    folds: list[tuple[Fold, str]]


class PageAt(NamedTuple):
    """The page from rank offset + 1 on."""

    limit: int
    offset: int


class Pass(NamedTuple):
    """What one pass over a board found, all of one snapshot."""

    ranks: SqlRanks
    pages: dict[PageAt, list[tuple[Fold, str]]]


_ALONE = "SET LOCAL jit = off; SET LOCAL max_parallel_workers_per_gather = 0"


class SlowLane:
    """The one connection of a worker for queries that read a whole board.

    After each use the lane rests for half as long as the use took. So the fall-back of one worker
    leaves a third of a core at least to PostgreSQL, which writes, and to a Redis that is loading.
    """

    def __init__(self, settings: Settings) -> None:
        self._engine = create_engine(
            settings.model_copy(
                update={
                    "database_pool_size": 1,
                    "database_timeout": min(STATEMENT_SECONDS, settings.database_timeout),
                }
            ),
            name="leaderboard fall-back",
        )
        self._lock = asyncio.Lock()
        self._rest_until = 0.0

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[RawConnection]:
        """A connection in a transaction that sees one moment."""
        async with self._lock:
            await asyncio.sleep(self._rest_until - time.monotonic())
            began = time.monotonic()
            try:
                async with (
                    raw_connection(self._engine) as connection,
                    connection.transaction(isolation="repeatable_read", readonly=True),
                ):
                    # Not at the start of the connection: a pooler refuses to hand these on.
                    await connection.execute(_ALONE)
                    yield connection
            finally:
                ended = time.monotonic()
                self._rest_until = ended + min((ended - began) / 2, MAX_REST_SECONDS)

    async def close(self) -> None:
        await self._engine.dispose()


class SqlStandings:
    """Standings of one board's season, computed by PostgreSQL."""

    def __init__(self, engine: AsyncEngine, lane: SlowLane, board: BoardSeason) -> None:
        self._engine = engine
        self._lane = lane
        self._board = board
        words = {"fold": _FOLD, "order": "DESC" if board.descending else "ASC"}
        self._at_ranks = _AT_RANKS.format(**words)
        self._page = _PAGE.format(**words)
        self._folds = _FOLDS.format(**words)
        self._passes: Coalescer[Sequence[int] | PageAt, Pass] = Coalescer(
            self._run_pass, max_batch=CALLERS_PER_PASS, max_queue=MAX_WAITING
        )
        self._pass_seconds = 0.0
        self._passed_at = float("-inf")

    @property
    def is_quick(self) -> bool:
        """Whether a rank is likely to be found soon enough for a submission's answer."""
        forgotten = time.monotonic() - self._passed_at > FORGET_PACE_SECONDS
        return forgotten or self._pass_seconds <= QUICK_SECONDS

    async def ranks(self, user_ids: Sequence[int], patience: float = PATIENCE_SECONDS) -> SqlRanks:
        """Ranks of these players, and perhaps of others. Raises Overloaded after `patience`
        seconds."""
        async with within(patience):
            return (await self._passes.get(user_ids)).ranks

    async def page(self, limit: int, offset: int) -> SqlPage:
        """The page from rank offset + 1 on. Raises Overloaded."""
        async with within(PATIENCE_SECONDS):
            found = await self._passes.get(PageAt(limit, offset))
        folds = found.pages.get(PageAt(limit, offset))
        if folds is None:
            raise _too_slow()
        return SqlPage(found.ranks.totals, folds)

    async def scores_at(
        self, ranks: Callable[[int], Sequence[int]]
    ) -> tuple[Totals, dict[int, int]]:
        """(totals, {rank from 1: the total there}) at the ranks wanted among so many players.
        Raises Overloaded."""
        async with within(PATIENCE_SECONDS):
            return await self._find_scores(ranks)

    async def _run_pass(self, wanted: Sequence[Sequence[int] | PageAt]) -> list[Pass]:
        """Answers all who wait from one snapshot."""
        pages = {each for each in wanted if isinstance(each, PageAt)}
        user_ids = {user_id for each in wanted if not isinstance(each, PageAt) for user_id in each}
        async with self._lane.snapshot() as connection:
            began = time.monotonic()
            try:
                ranks = await self._count(connection, sorted(user_ids))
            finally:
                self._passed_at = time.monotonic()
                self._pass_seconds = self._passed_at - began
            found = Pass(ranks, await self._read_pages(connection, pages))
        return [found] * len(wanted)

    async def _count(self, connection: RawConnection, user_ids: Sequence[int]) -> SqlRanks:
        key = self._board.key
        version = await connection.fetchval(_VERSION)
        asked = await connection.fetch(_ASKED, *key, user_ids)
        scores = sorted({row["total_score"] for row in asked})
        if self._board.descending:
            # An entry is better than a score if it reaches the next whole number.
            scores = [score + 1 for score in scores]
        above = _Cumulated(scores, await connection.fetch(_BUCKETS, *key, scores))
        events, ties = defaultdict(list), defaultdict(list)
        for row in asked:
            events[row["total_score"]].append(row["achieved_id"])
        for row in await connection.fetch(_TIES, *key, user_ids) if asked else ():
            ties[row["total_score"]].append(row)
        tied = {score: _Cumulated(sorted(events[score]), ties[score]) for score in events}
        ranks = {}
        for user_id, score, event in asked:
            if self._board.descending:
                better = above.total - above.below(score + 1)
            else:
                better = above.below(score)
            ranks[user_id] = SqlRank(1 + better + tied[score].below(event), score)
        return SqlRanks(Totals(above.total, version), ranks)

    async def _read_pages(
        self, connection: RawConnection, pages: Iterable[PageAt]
    ) -> dict[PageAt, list[tuple[Fold, str]]]:
        """Nearest pages first; those that would take too long are left out."""
        found: dict[PageAt, list[tuple[Fold, str]]] = {}
        began = time.monotonic()
        for page in sorted(pages, key=sum):
            left = STATEMENT_SECONDS - (time.monotonic() - began)
            if left <= 0:
                break
            try:
                rows = await connection.fetch(self._page, *self._board.key, *page, timeout=left)
            except TimeoutError:
                break
            found[page] = [(to_fold(row), row["username"]) for row in rows]
        return found

    async def _find_scores(
        self, ranks: Callable[[int], Sequence[int]]
    ) -> tuple[Totals, dict[int, int]]:
        async with self._lane.snapshot() as connection:
            version = await connection.fetchval(_VERSION)
            players = await connection.fetchval(_TOTAL, *self._board.key)
            rows = await connection.fetch(self._at_ranks, *self._board.key, ranks(players))
        return Totals(players, version), {row["rank"]: row["total_score"] for row in rows}

    async def players(self, user_ids: Sequence[int]) -> dict[int, NamedFold]:
        """The players there are among these ids, each with the fold on this board."""
        async with raw_connection(self._engine) as connection:
            rows = await connection.fetch(self._folds, *self._board.key, list(user_ids))
        # By place: hundreds of rows are read for every few pages.
        return {
            row[10]: NamedFold(row[9], None if row[0] is None else Fold._make(row[:9]))
            for row in rows
        }


class _Cumulated:
    """How many entries lie below each of some thresholds, from the buckets between them."""

    def __init__(self, thresholds: Sequence[int], rows: Iterable[asyncpg.Record]) -> None:
        counts = [0] * (len(thresholds) + 1)
        for row in rows:
            counts[row["bucket"]] += row["entries"]
        self._thresholds = thresholds
        self._sums = list(accumulate(counts))
        self.total = self._sums[-1]

    def below(self, threshold: int) -> int:
        """Entries below one of the thresholds."""
        return self._sums[bisect_right(self._thresholds, threshold) - 1]


def _too_slow() -> Overloaded:
    return Overloaded("The rank index is away, and PostgreSQL is too busy to rank. Try again.")


@asynccontextmanager
async def within(seconds: float) -> AsyncIterator[None]:
    """Ends the block after this time. Raises Overloaded."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise _too_slow() from error
