"""Tiers as a board has them now: down to which rank each one goes, and what it takes to be in."""

import asyncio
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from app.services.boards import BoardSeason
from app.services.rank_index.follower import Follower
from app.services.rank_index.index import IndexAway, RankIndex
from app.services.rank_index.keys import decode_member
from app.services.rank_index.windows import RankSpan
from app.services.sql_standings import SqlStandings, Totals
from app.services.standings import Source, percentile

MAX_AGE = 1.0
"""Seconds for which a worker gives the same answer, however many ask."""
DEAR = 10
"""And for at least so many times the seconds that finding it took: without the index that is
one pass over the board."""
ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class TierStanding:
    """A tier from the cut `percentile` on. `rank` is the last one that is still in it; an empty
    tier ends where the one above it does, and has no score."""

    name: str
    percentile: float
    rank: int
    score: int | None
    players: int


@dataclass(frozen=True, slots=True)
class TierTable:
    """All tiers of a board, best first."""

    totals: Totals
    tiers: tuple[TierStanding, ...]
    source: Source


def last_ranks(cuts: Sequence[float], total_players: int) -> list[int]:
    """The last rank of each tier: the last one whose percentile reaches a cut, or one before it.

    The last tier takes everybody who is left, as it does when a player's tier is told.
    """
    ranks = range(1, total_players + 1)
    reached = [
        bisect_right(ranks, -cut, key=lambda rank: -percentile(rank, total_players))
        for cut in cuts[:-1]
    ]
    return list(accumulate([*reached, total_players], max))


class TierLadder:
    """The tiers of one board's season."""

    def __init__(
        self,
        index: RankIndex,
        follower: Follower,
        sql: SqlStandings,
        tiers: Sequence[tuple[str, float]],
    ) -> None:
        self.board = index.board
        self._index = index
        self._follower = follower
        self._sql = sql
        self._names = [name for name, _ in tiers]
        self._cuts = [cut for _, cut in tiers]
        self._found: TierTable | None = None
        self._until = float("-inf")
        self._looking: asyncio.Task[TierTable] | None = None

    async def get(self) -> TierTable:
        """As of about a second ago at most. Who asks at the same time shares one look."""
        if self._found is not None and asyncio.get_running_loop().time() < self._until:
            return self._found
        if self._looking is None:
            self._looking = asyncio.create_task(self._look())
            self._looking.add_done_callback(self._looked)
        return await asyncio.shield(self._looking)

    def _looked(self, looking: "asyncio.Task[TierTable]") -> None:
        self._looking = None
        if not looking.cancelled():
            looking.exception()  # whoever asked may be gone by now

    async def _look(self) -> TierTable:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            found = await self._from_index()
        except IndexAway:
            found = await self._from_sql()
        ended = loop.time()
        self._found, self._until = found, ended + max(MAX_AGE, DEAR * (ended - began))
        return found

    async def _from_index(self) -> TierTable:
        """Ranks depend on the number of players, which comes with the answer: if it is not the
        one that was reckoned with, ask again."""
        total = self._follower.players
        for _ in range(ATTEMPTS):
            ranks = last_ranks(self._cuts, total)
            wanted = sorted({max(1, rank) for rank in ranks})
            windows = await self._index.windows([RankSpan(rank - 1, rank - 1) for rank in wanted])
            if windows[0].players == total:
                scores = {
                    rank: self._score(window.members[0])
                    for rank, window in zip(wanted, windows, strict=True)
                    if window.members
                }
                totals = Totals(total, windows[0].version)
                return self._table(totals, ranks, scores, Source.INDEX)
            total = windows[0].players
        raise IndexAway("players join faster than they can be counted")

    async def _from_sql(self) -> TierTable:
        """Raises DatabaseAway."""
        totals, scores = await self._sql.scores_at(lambda total: last_ranks(self._cuts, total))
        ranks = last_ranks(self._cuts, totals.players)
        return self._table(totals, ranks, scores, Source.DATABASE)

    def _score(self, member: bytes) -> int:
        return decode_member(member, descending=self.board.descending).total_score

    def _table(
        self, totals: Totals, ranks: Sequence[int], scores: dict[int, int], source: Source
    ) -> TierTable:
        tiers = []
        above = 0
        for name, cut, rank in zip(self._names, self._cuts, ranks, strict=True):
            score = scores[rank] if rank > above else None
            tiers.append(TierStanding(name, cut, rank, score, rank - above))
            above = rank
        return TierTable(totals, tuple(tiers), source)


class Tiers:
    """The tiers of every board and season that this worker serves."""

    def __init__(self, ladders: Sequence[TierLadder]) -> None:
        self._by_key = {each.board.key: each for each in ladders}

    async def of(self, board: BoardSeason) -> TierTable:
        """Raises DatabaseAway."""
        return await self._by_key[board.key].get()
