"""The same answers from PostgreSQL alone: exact, in the same total order, slower.

Used while the index is away, and to be sure about a player whom the index doesn't know.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.database import raw_connection
from app.services.boards import BoardSeason
from app.services.fold import Fold
from app.services.ledger import to_fold

FEW = 8
"""Up to so many ranks are counted one by one; more are read off one pass over the board."""

_FOLD = """
f.user_id, f.total_score, f.achieved_id, f.achieved_at, f.version, f.games_played, f.decided,
f.wins, f.is_active
"""

_TOTAL = """
SELECT count(*) FROM leaderboard WHERE board_id = $1 AND season = $2 AND is_active
"""

_COUNTED = """
SELECT f.user_id, (
    SELECT count(*) FROM leaderboard a WHERE a.board_id = $1 AND a.season = $2 AND a.is_active
    AND a.total_score {better} f.total_score
) + (
    SELECT count(*) FROM leaderboard a WHERE a.board_id = $1 AND a.season = $2 AND a.is_active
    AND a.total_score = f.total_score
    AND (a.achieved_id, a.user_id) < (f.achieved_id, f.user_id)
) + 1 AS rank
FROM leaderboard f
WHERE f.board_id = $1 AND f.season = $2 AND f.user_id = ANY($3::bigint[]) AND f.is_active
"""

_NUMBERED = """
SELECT user_id, rank FROM (
    SELECT user_id, row_number() OVER (ORDER BY total_score {order}, achieved_id, user_id) AS rank
    FROM leaderboard WHERE board_id = $1 AND season = $2 AND is_active
) AS numbered WHERE user_id = ANY($3::bigint[])
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


class SqlStandings:
    """Standings of one board's season, computed by PostgreSQL."""

    def __init__(self, engine: AsyncEngine, board: BoardSeason) -> None:
        self._engine = engine
        self._board = board
        words = {
            "fold": _FOLD,
            "better": ">" if board.descending else "<",
            "order": "DESC" if board.descending else "ASC",
        }
        self._counted = _COUNTED.format(**words)
        self._numbered = _NUMBERED.format(**words)
        self._at_ranks = _AT_RANKS.format(**words)
        self._page = _PAGE.format(**words)
        self._folds = _FOLDS.format(**words)

    async def ranks(self, user_ids: Sequence[int]) -> tuple[Totals, dict[int, int]]:
        """(totals, {player: rank from 1}); players without a rank are left out."""
        query = self._counted if len(user_ids) <= FEW else self._numbered
        # One snapshot, so that a rank is never beyond the total that it comes with.
        async with (
            raw_connection(self._engine) as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            version = await connection.fetchval(_VERSION)
            players = await connection.fetchval(_TOTAL, *self._board.key)
            rows = await connection.fetch(query, *self._board.key, list(user_ids))
        return Totals(players, version), {row["user_id"]: row["rank"] for row in rows}

    async def scores_at(
        self, ranks: Callable[[int], Sequence[int]]
    ) -> tuple[Totals, dict[int, int]]:
        """(totals, {rank from 1: the total there}) at the ranks wanted among so many players."""
        async with (
            raw_connection(self._engine) as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            version = await connection.fetchval(_VERSION)
            players = await connection.fetchval(_TOTAL, *self._board.key)
            rows = await connection.fetch(self._at_ranks, *self._board.key, ranks(players))
        return Totals(players, version), {row["rank"]: row["total_score"] for row in rows}

    async def page(self, limit: int, offset: int) -> tuple[Totals, list[tuple[Fold, str]]]:
        """(totals, folds with names) from rank offset + 1 on, best first."""
        async with (
            raw_connection(self._engine) as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            version = await connection.fetchval(_VERSION)
            players = await connection.fetchval(_TOTAL, *self._board.key)
            rows = await connection.fetch(self._page, *self._board.key, limit, offset)
        return Totals(players, version), [(to_fold(row), row["username"]) for row in rows]

    async def players(self, user_ids: Sequence[int]) -> dict[int, NamedFold]:
        """The players there are among these ids, each with the fold on this board."""
        async with raw_connection(self._engine) as connection:
            rows = await connection.fetch(self._folds, *self._board.key, list(user_ids))
        # By place: hundreds of rows are read for every few pages.
        return {
            row[10]: NamedFold(row[9], None if row[0] is None else Fold._make(row[:9]))
            for row in rows
        }
