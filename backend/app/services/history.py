"""A player's score and rank over time, from the ledger and the samples of the board's order.

The total at a sample's moment is summed up from the player's own games, and where it stood then is
looked up in the sample. So a rank is seen to drift while only others play, and yet nothing is ever
written for a player: a sample now and then serves all of them.
"""

import asyncio
import zlib
from bisect import bisect_right
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import NamedTuple

import asyncpg
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.database import raw_connection
from app.core.kept import Kept
from app.services.boards import BoardSeason
from app.services.fold import Fold
from app.services.rank_index.keys import encode_member
from app.services.samples import Sample, unpack
from app.services.sessions import IN_ORDER
from app.services.standings import PlayerRank, Standings

log = structlog.get_logger(__name__)

KEPT = 256
"""Samples that a worker keeps unpacked: 12 MB, if they are of boards of a million players."""
PAST_SECONDS = 5.0
"""So long a graph is kept, but for its last point and while the player's score is the same."""
PASTS = 64
"""Graphs that a worker keeps: 5 MB, if all have the most points."""
SHORTEST = timedelta(seconds=1)

_BEGAN = """
SELECT timestamp AS began, now() AS now FROM game_sessions
WHERE user_id = $1::bigint AND ($2::text[] IS NULL OR game_mode = ANY($2))
ORDER BY hour_of(timestamp), timestamp LIMIT 1
"""

# With the one before them, which tells how things stood when the time in question began.
_SAMPLES = """
SELECT at, version FROM standings_samples
WHERE board_id = $1 AND season = $2 AND version <= $4 AND at >= coalesce((
    SELECT max(at) FROM standings_samples WHERE board_id = $1 AND season = $2 AND at < $3
), $3) AND at <= now()
ORDER BY at
"""

_MEMBERS = """
SELECT at, players, members FROM standings_samples
WHERE board_id = $1 AND season = $2 AND at = ANY($3::timestamptz[])
"""

# One row for what was played between two samples and in one slot of time: how many samples do not
# have it, the slot (0: before all of them), and what a fold is made of.
_GAMES = """
SELECT width_bucket(id, $4::bigint[]) AS before, width_bucket(timestamp, $5::timestamptz[]) AS slot,
       max(timestamp) AS at, sum(score)::bigint AS score, min(id) AS first,
       max(id) FILTER (WHERE score <> 0) AS changed
FROM game_sessions
WHERE user_id = $1::bigint AND ($2::text[] IS NULL OR game_mode = ANY($2)) AND id <= $3
GROUP BY 1, 2
"""

_COMINGS_AND_GOINGS = """
SELECT id, kind = 'deactivated' AS away FROM player_events
WHERE user_id = $1 AND kind IN ('deactivated', 'reactivated')
"""


class Moment(NamedTuple):
    """A point of a graph. There is no rank at a game between two samples, nor while the player
    was deactivated; `exact` is whether the rank is right to the place."""

    at: datetime
    total_score: int
    rank: int | None = None
    total_players: int | None = None
    exact: bool = False


@dataclass(frozen=True, slots=True)
class History:
    """Moments, oldest first; the last one is the present."""

    moments: list[Moment]
    present: PlayerRank


class Taken(NamedTuple):
    """When a sample was taken, and the newest event that is in it."""

    at: datetime
    version: int


class Games(NamedTuple):
    """A row of `_GAMES`."""

    before: int
    slot: int
    at: datetime
    score: int
    first: int
    changed: int | None


class Player(NamedTuple):
    """Whose history it is, and in order of events when they left (True) or came back (False)."""

    user_id: int
    descending: bool
    events: Sequence[tuple[int, bool]]

    def is_away(self, version: int) -> bool:
        """Whether the player was deactivated when this was the newest event."""
        at = bisect_right(self.events, version, key=lambda event: event[0])
        return at > 0 and self.events[at - 1][1]


class Histories:
    """The histories of players, on any board."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._kept: dict[tuple[int, int, datetime], Sample] = {}
        self._pasts: Kept[Hashable, tuple[list[Moment], datetime]] = Kept(PAST_SECONDS, PASTS)

    async def of(
        self, standings: Standings, user_id: int, span: timedelta | None, points: int
    ) -> History:
        """At most so many moments out of this time until now, or since the player's first game.

        Raises UnknownPlayer, NotRanked, DatabaseAway.
        """
        present = await standings.rank(user_id)
        # With the score, so that a player's own new score is there at once.
        key = (standings.board.key, user_id, span, points, present.score)
        moments, now = await self._pasts.get(
            key, lambda: self._past(standings.board, user_id, span, points, present.version)
        )
        last = Moment(now, present.score, present.rank, present.total_players, exact=True)
        return History([*moments, last], present)

    async def _past(
        self, board: BoardSeason, user_id: int, span: timedelta | None, points: int, version: int
    ) -> tuple[list[Moment], datetime]:
        """(the moments up to this version, oldest first; when that was)."""
        modes = None if board.game_modes is None else sorted(board.game_modes)
        async with (
            raw_connection(self._engine) as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            await connection.execute(IN_ORDER)
            first = await connection.fetchrow(_BEGAN, user_id, modes)
            if first is None:
                raise AssertionError  # who has a rank has played
            began, now = first
            start = min(began if span is None else max(began, now - span), now - SHORTEST)
            rows = await connection.fetch(_SAMPLES, *board.key, start, version)
            taken = thin([Taken(*row) for row in rows], start, now, points - 2)
            kept = self._find(board, taken)
            missing = [each.at for each in taken if each.at not in kept]
            packed = await connection.fetch(_MEMBERS, *board.key, missing) if missing else []
            rows = await connection.fetch(
                _GAMES, user_id, modes, version,
                [each.version + 1 for each in taken], slots(start, now, points - 1 - len(taken)),
            )  # fmt: skip
            games = sorted(Games(*row) for row in rows)
            events = await connection.fetch(_COMINGS_AND_GOINGS, user_id)
        player = Player(user_id, board.descending, sorted(tuple(row) for row in events))
        samples = kept | await self._unpack(board, packed)
        return await asyncio.to_thread(draw, player, taken, samples, games, now), now

    def _find(self, board: BoardSeason, taken: Sequence[Taken]) -> dict[datetime, Sample]:
        found = {each.at: self._kept.get((*board.key, each.at)) for each in taken}
        return {at: sample for at, sample in found.items() if sample is not None}

    async def _unpack(
        self, board: BoardSeason, packed: Sequence[asyncpg.Record]
    ) -> dict[datetime, Sample]:
        """The samples by their time; kept, because the next player's graph shows the same ones."""
        found = await asyncio.to_thread(_unpack_all, packed)
        self._kept |= {(*board.key, at): sample for at, sample in found.items()}
        while len(self._kept) > KEPT:
            del self._kept[next(iter(self._kept))]
        return found


def _unpack_all(packed: Sequence[asyncpg.Record]) -> dict[datetime, Sample]:
    found = {}
    for at, players, members in packed:
        try:
            found[at] = unpack(players, members)
        except (ValueError, zlib.error) as error:
            log.warning("a sample can't be read", at=at, error=str(error))
    return found


def slots(start: datetime, end: datetime, count: int) -> list[datetime]:
    """Where each of so many slots of equal length begins; none if there is no room for any."""
    return [start + (end - start) * at / count for at in range(count)]


def thin(taken: Sequence[Taken], start: datetime, end: datetime, count: int) -> list[Taken]:
    """The last one of each of `count` slots of equal length, and the last one before them; all,
    if there are no more than that."""
    if len(taken) <= count:
        return list(taken)
    width = (end - start) / count
    by_slot = {min(max(-1, (each.at - start) // width), count - 1): each for each in taken}
    return list(by_slot.values())


def draw(
    player: Player,
    taken: Sequence[Taken],
    samples: Mapping[datetime, Sample],
    games: Sequence[Games],
    end: datetime,
) -> list[Moment]:
    """The moments before the present: the samples taken since the player's first game, and
    between them what was played last in each slot."""
    moments: list[Moment] = []
    last = {each.slot: each for each in games}
    between = {
        number: list(found) for number, found in groupby(games, key=lambda each: each.before)
    }
    total, first, changed = 0, None, None
    since = datetime.min.replace(tzinfo=UTC)
    for number, sampled in enumerate([*taken, None]):
        until = end if sampled is None else sampled.at
        for each in between.get(number, ()):
            total += each.score
            first = each.first if first is None else min(first, each.first)
            changed = max(filter(None, (changed, each.changed)), default=None)
            if each.slot and each is last[each.slot]:
                moments.append(Moment(min(max(each.at, since), until), total))
        if sampled is not None and first is not None and sampled.at in samples:
            place = (total, changed or first)
            moments.append(_stand(player, sampled, *place, samples[sampled.at]))
        since = until
    return moments


def _stand(
    player: Player, sampled: Taken, total_score: int, achieved_id: int, sample: Sample
) -> Moment:
    """Where the player stood with this total when the sample was taken."""
    if player.is_away(sampled.version):
        return Moment(sampled.at, total_score, None, sample.players)
    fold = Fold(player.user_id, total_score, achieved_id, sampled.at, sampled.version)
    rank, exact = sample.rank_of(encode_member(fold, descending=player.descending))
    return Moment(sampled.at, total_score, rank, sample.players, exact)
