"""What can be taken out as rows: standings, the ledger, the players. One snapshot, streamed."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.database import raw_connection
from app.services.boards import BoardSeason

CHUNK = 2_000
"""Rows in memory at once, however many there are."""

_STANDINGS = """
SELECT f.user_id, u.username, f.total_score, f.games_played, f.win_rate, f.achieved_at
FROM leaderboard f JOIN users u ON u.id = f.user_id
WHERE f.board_id = $1 AND f.season = $2 AND f.is_active
ORDER BY f.total_score {order}, f.achieved_id, f.user_id
"""

# In the order of events, which decides who reached a score first.
_GAMES = """
SELECT g.id AS session_id, g.user_id, u.username, g.score, g.game_mode, g.timestamp AS played_at,
       g.duration_ms, g.won, g.metadata::text AS metadata
FROM game_sessions g JOIN users u ON u.id = g.user_id ORDER BY g.id
"""

_PLAYERS = "SELECT id AS user_id, username, join_date, is_active{more} FROM users ORDER BY id"


@dataclass(frozen=True, slots=True)
class Export:
    """Rows to be taken out: the names of their columns, and where they come from."""

    columns: tuple[str, ...]
    query: str
    count: str
    arguments: tuple[int, ...] = ()
    is_ranked: bool = field(default=False, kw_only=True)
    """Whether a rank, counted from 1, stands in front of each."""


def standings_of(board: BoardSeason) -> Export:
    """A board's season, in the board's own order."""
    columns = ("rank", "user_id", "username", "total_score", "games_played", "win_rate")
    query = _STANDINGS.format(order="DESC" if board.descending else "ASC")
    count = "SELECT count(*) FROM leaderboard WHERE board_id = $1 AND season = $2 AND is_active"
    return Export((*columns, "achieved_at"), query, count, board.key, is_ranked=True)


def games() -> Export:
    """The ledger, oldest event first."""
    columns = (
        "session_id", "user_id", "username", "score", "game_mode", "played_at", "duration_ms",
        "won", "metadata",
    )  # fmt: skip
    return Export(columns, _GAMES, "SELECT count(*) FROM game_sessions")


def players(*, emails: bool) -> Export:
    """All players, in order of ids; with e-mail addresses only if asked for."""
    columns = ("user_id", "username", "join_date", "is_active", *(["email"] if emails else []))
    query = _PLAYERS.format(more=", email" if emails else "")
    return Export(columns, query, "SELECT count(*) FROM users")


@asynccontextmanager
async def open_export(
    engine: AsyncEngine, export: Export
) -> AsyncIterator[tuple[int, AsyncIterator[list[Sequence[Any]]]]]:
    """(how many rows, the rows a chunk at a time), all as they are at one moment."""
    async with (
        raw_connection(engine) as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        total = await connection.fetchval(export.count, *export.arguments)
        cursor = await connection.cursor(export.query, *export.arguments)
        yield total, _chunks(cursor, export)


async def _chunks(
    cursor: "asyncpg.cursor.Cursor[asyncpg.Record]", export: Export
) -> AsyncIterator[list[Sequence[Any]]]:
    done = 0
    while rows := await cursor.fetch(CHUNK):
        yield list(_ranked(rows, done + 1)) if export.is_ranked else [tuple(each) for each in rows]
        done += len(rows)


def _ranked(rows: Sequence[asyncpg.Record], first: int) -> Iterator[Sequence[Any]]:
    return ((rank, *row) for rank, row in enumerate(rows, first))
