"""What a board says: top, any page, one player, many players. Index first, SQL when it must."""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

from app.core.coalesce import Coalescer
from app.core.config import Settings
from app.core.errors import NotRanked, Overloaded, UnknownPlayer
from app.services.boards import BoardSeason
from app.services.fold import Fold
from app.services.kept_pages import Kept, KeptPages
from app.services.rank_index.follower import Follower
from app.services.rank_index.freshness import Step
from app.services.rank_index.index import (
    Applied,
    IndexAway,
    IndexedFold,
    RankIndex,
    Ranks,
)
from app.services.rank_index.keys import decode_member
from app.services.rank_index.windows import Neighbourhood, RankSpan, Window
from app.services.rows import encode_details, encode_entry, encode_list
from app.services.sql_standings import (
    PATIENCE_SECONDS,
    NamedFold,
    SqlRanks,
    SqlStandings,
    Totals,
    within,
)

RANKS_PER_CALL = 500
WINDOWS_PER_CALL = 64
MAX_LOOKUPS = 20_000
RANK_PATIENCE = 0.4
"""Seconds that a submission's answer waits for a rank from PostgreSQL."""
RANK_PAUSE = 5.0
"""Seconds in which none waits after one waited in vain: there is a queue."""


class Source(StrEnum):
    """Where an answer came from; callers see it in the `Leaderboard-Source` header."""

    INDEX = "index"
    DATABASE = "database"


@dataclass(frozen=True, slots=True)
class Page:
    """An encoded list of entries with its entity tag."""

    body: bytes
    etag: bytes
    source: Source


class PlayerRank(NamedTuple):
    """One player's rank, counted from 1."""

    user_id: int
    rank: int
    score: int
    total_players: int
    version: int
    source: Source

    @property
    def percentile(self) -> float:
        """Share of the players that this one is at or above, in percent, 2 decimals."""
        return percentile(self.rank, self.total_players)


def percentile(rank: int, total_players: int) -> float:
    """100 for rank 1, down to 100 / total for the last."""
    return round(100 * (total_players - rank + 1) / total_players, 2)


class ReadCounts:
    """Reads by where their answers came from, and what pages of the mirror took: nothing, a new
    head, or all rows encoded anew."""

    __slots__ = ("database", "encoded", "headed", "index", "kept")

    def __init__(self) -> None:
        self.kept = self.headed = self.encoded = self.index = self.database = 0


class Standings:
    """The reads of one board's season."""

    def __init__(
        self,
        board: BoardSeason,
        index: RankIndex,
        follower: Follower,
        sql: SqlStandings,
        settings: Settings,
    ) -> None:
        self.board = board
        self.index = index
        self.follower = follower
        self._sql = sql
        self._tiers = settings.tiers
        self._in_index: Coalescer[int, tuple[Ranks, int]] = Coalescer(
            self._ranks_in_index, max_batch=RANKS_PER_CALL, max_queue=MAX_LOOKUPS
        )
        self._windows: Coalescer[RankSpan | Neighbourhood, Window] = Coalescer(
            self.index.windows, max_batch=WINDOWS_PER_CALL, max_queue=MAX_LOOKUPS
        )
        self._lookups: Coalescer[Sequence[int], dict[int, NamedFold]] = Coalescer(
            self._look_up, max_batch=WINDOWS_PER_CALL, max_queue=MAX_LOOKUPS, lanes=2
        )
        self._no_ranks_until = 0.0
        self.reads = ReadCounts()
        self._pages: KeptPages[Page] = KeptPages()

    # One player

    async def rank(self, user_id: int) -> PlayerRank:
        """Raises UnknownPlayer, NotRanked, DatabaseAway, Overloaded."""
        if self.index.available:
            try:
                ranks, at = await self._in_index.get(user_id)
            except IndexAway:
                pass
            else:
                standing = ranks.standings[at]
                if standing.rank is not None and standing.place is not None:
                    self.reads.index += 1
                    return PlayerRank(
                        user_id,
                        standing.rank,
                        standing.place.total_score,
                        ranks.players,
                        ranks.version,
                        Source.INDEX,
                    )
        return await self._rank_by_sql(user_id)

    async def _rank_by_sql(self, user_id: int) -> PlayerRank:
        """Also for a player whom the index doesn't know: the folds are asked before saying no."""
        self.reads.database += 1
        async with within(PATIENCE_SECONDS):
            return await self._count_rank(user_id)

    async def _count_rank(self, user_id: int) -> PlayerRank:
        fold = await self.known_fold(user_id)
        if fold is not None and not fold.is_active:
            raise NotRanked(
                f"Player {user_id} is deactivated and has no rank. The score is kept: the rank "
                "comes back when the player is reactivated."
            )
        # To count is expensive, so nobody counts for a player who can't have a rank.
        found = None if fold is None else await self._sql.ranks([user_id])
        rank = None if found is None else found.by_player.get(user_id)
        if found is None or rank is None:
            raise NotRanked(f"Player {user_id} has no score on board {self.board.slug!r} yet.")
        totals = found.totals
        return PlayerRank(
            user_id, rank.rank, rank.total_score, totals.players, totals.version, Source.DATABASE
        )

    async def known_fold(self, user_id: int) -> Fold | None:
        """The player's fold. Raises UnknownPlayer."""
        known = (await self.named([user_id])).get(user_id)
        if known is None:
            raise UnknownPlayer(f"There is no player {user_id}.")
        return known.fold

    async def ranks_by_sql(self, user_ids: Sequence[int]) -> SqlRanks | None:
        """Ranks without the index; None if PostgreSQL can't tell them soon.

        Never waits longer than `RANK_PATIENCE`. It does not wait at all where a pass over the board
        is known to take long, nor for a while after it waited in vain. Raises DatabaseAway.
        """
        if not self._sql.is_quick or time.monotonic() < self._no_ranks_until:
            return None
        try:
            return await self._sql.ranks(user_ids, RANK_PATIENCE)
        except Overloaded:
            self._no_ranks_until = time.monotonic() + RANK_PAUSE
            return None

    # Writing

    def to_index(self, fold: Fold, username: str) -> IndexedFold:
        """A fold with its row's details, which are encoded only if the row may be among the best.

        A guess that is wrong costs a mirror some rows, which it reads anew.
        """
        if self.follower.is_beyond(fold):
            return IndexedFold(fold, b"")
        return IndexedFold(fold, encode_details(fold, username))

    async def apply(self, folds: Sequence[IndexedFold]) -> Applied:
        """Brings committed folds into the index. Raises IndexAway, also if the folds are in the
        index by now but its ranks can't be told, because something else may be missing in it.

        While Redis does not answer, nobody waits for it here: what it lacks then, the keeper brings
        in before it trusts the index again.
        """
        if not self.index.is_reachable:
            raise IndexAway(self.index.reason)
        doubts = self.index.doubts
        applied = await self.index.apply(folds)
        if folds:
            self.follower.expect(Step(applied.epoch, applied.position))
        # The call may have met a server that was restarted, which only raised a new doubt.
        if not self.index.available or self.index.doubts != doubts:
            raise IndexAway(self.index.reason)
        return applied

    # For the hub

    async def named(self, user_ids: Sequence[int]) -> dict[int, NamedFold]:
        """Names and folds of these players, unknown ones left out. Who asks at the same time
        shares a query and its answer, so there may be more in it than was asked for."""
        return await self._lookups.get(user_ids) if user_ids else {}

    async def _look_up(self, wanted: Sequence[Sequence[int]]) -> list[dict[int, NamedFold]]:
        unique = sorted({user_id for user_ids in wanted for user_id in user_ids})
        found = await self._sql.players(unique)
        return [found] * len(wanted)

    async def locate(self, user_ids: Sequence[int]) -> Ranks:
        """Ranks, members and the position they hold at, in the order asked. Raises IndexAway."""
        if len(user_ids) > 1:
            return await self.index.ranks(user_ids)
        if not self.index.available:
            raise IndexAway(self.index.reason)
        ranks, at = await self._in_index.get(user_ids[0])
        return replace(ranks, standings=[ranks.standings[at]])

    def score_of(self, member: bytes) -> int:
        """The total that a member of this board's index says."""
        return decode_member(member, descending=self.board.descending).total_score

    async def _ranks_in_index(self, user_ids: Sequence[int]) -> list[tuple[Ranks, int]]:
        ranks = await self.index.ranks(user_ids)
        return [(ranks, at) for at in range(len(user_ids))]

    def tier(self, percent: float) -> str:
        """The first tier whose cut this percentile reaches."""
        return next((name for name, cut in self._tiers if percent >= cut), self._tiers[-1][0])

    # Lists

    async def top(self, limit: int, offset: int) -> Page:
        """The page from rank offset + 1 on."""
        if await self.follower.confirm():
            page = self._page_from_mirror(limit, offset)
            if page is not None:
                return page
        try:
            return await self._page_from_window(RankSpan(offset, offset + limit - 1))
        except IndexAway:
            self.reads.database += 1
            return await self._page_by_sql(limit, offset)

    def _page_from_mirror(self, limit: int, offset: int) -> Page | None:
        """From memory. Rows are encoded again only if one of the best ones changed, the head
        only if the board did."""
        follower, mirror = self.follower, self.follower.mirror
        if mirror is None or not mirror.covers(offset, offset + limit):
            return None
        key = (limit, offset)
        state = (follower.version, follower.position, follower.epoch)
        known = self._pages.get(key)
        if known is not None and known.state == state:
            self.reads.kept += 1
            return known.page
        if known is None or known.revision != mirror.revision:
            self.reads.encoded += 1
            revision, entries = mirror.revision, mirror.encode(offset, offset + limit)
        else:
            self.reads.headed += 1
            _, _, revision, entries = known
        totals = Totals(follower.players, follower.version)
        page = self._make_page(totals, entries, Source.INDEX)
        self._pages.put(key, Kept(state, page, revision, entries))
        return page

    async def around(self, user_id: int, radius: int) -> Page:
        """The player and up to `radius` neighbours on each side. Raises UnknownPlayer,
        NotRanked."""
        try:
            return await self._page_from_window(Neighbourhood(user_id, radius))
        except IndexAway:
            async with within(PATIENCE_SECONDS):
                found = await self._rank_by_sql(user_id)
                offset = max(0, found.rank - 1 - radius)
                return await self._page_by_sql(found.rank + radius - offset, offset)

    async def _page_by_sql(self, limit: int, offset: int) -> Page:
        page = await self._sql.page(limit, offset)
        entries = b",".join(
            encode_entry(rank, encode_details(fold, username))
            for rank, (fold, username) in enumerate(page.folds, offset + 1)
        )
        return self._make_page(page.totals, entries, Source.DATABASE)

    async def _page_from_window(self, wanted: RankSpan | Neighbourhood) -> Page:
        """From the index, in a call shared with whoever waits too. Raises IndexAway, also for
        neighbours of a player whom the index doesn't know."""
        if not self.index.available:
            raise IndexAway(self.index.reason)
        window = await self._windows.get(wanted)
        if window.first is None:
            raise IndexAway("the player is not in the index")
        totals = Totals(window.players, window.version)
        ranked = list(enumerate(window.members, window.first + 1))
        return self._make_page(totals, await self._encode(ranked), Source.INDEX)

    async def among(self, user_ids: Sequence[int]) -> Page:
        """These players with their true ranks, best first; players without one left out."""
        unique = list(dict.fromkeys(user_ids))
        try:
            ranks = await self.index.ranks(unique)
            ranked = sorted(
                (standing.rank, standing.member)
                for standing in ranks.standings
                if standing.rank is not None
            )
            totals = Totals(ranks.players, ranks.version)
            return self._make_page(totals, await self._encode(ranked), Source.INDEX)
        except IndexAway:
            self.reads.database += 1
            return await self._among_by_sql(unique)

    async def _among_by_sql(self, user_ids: Sequence[int]) -> Page:
        async with within(PATIENCE_SECONDS):
            found = await self._sql.ranks(user_ids)
            players = await self._sql.players(user_ids)
        ranked = sorted(
            (found.by_player[user_id], named)
            for user_id, named in players.items()
            if user_id in found.by_player
        )
        entries = b",".join(
            encode_entry(
                rank.rank, encode_details(named.fold, named.username, total_score=rank.total_score)
            )
            for rank, named in ranked
            if named.fold is not None
        )
        return self._make_page(found.totals, entries, Source.DATABASE)

    async def _encode(self, ranked: Sequence[tuple[int, bytes]]) -> bytes:
        """Rows of (rank, member); names and games come from the folds, totals from the index.
        Raises IndexAway if there are players whom the database lacks."""
        places = [
            (rank, decode_member(member, descending=self.board.descending))
            for rank, member in ranked
        ]
        players = await self.named([place.user_id for _, place in places])
        entries = []
        for rank, place in places:
            named = players.get(place.user_id)
            if named is None or named.fold is None:
                self.index.ghosts.add(place.user_id)
                raise IndexAway(f"player {place.user_id} is in the index alone")
            details = encode_details(named.fold, named.username, total_score=place.total_score)
            entries.append(encode_entry(rank, details))
        self.reads.index += 1
        return b",".join(entries)

    def _make_page(self, totals: Totals, entries: bytes, source: Source) -> Page:
        body = encode_list(
            self.board.slug, self.board.season, totals.players, totals.version, entries
        )
        digest = hashlib.blake2b(body, digest_size=12).hexdigest()
        return Page(body, f'"{digest}"'.encode(), source)


class StandingsByBoard:
    """The standings of every board and season that this worker serves."""

    def __init__(self, standings: Sequence[Standings]) -> None:
        self._by_key = {each.board.key: each for each in standings}
        self.all = tuple(standings)

    def of(self, board: BoardSeason) -> Standings:
        return self._by_key[board.key]
