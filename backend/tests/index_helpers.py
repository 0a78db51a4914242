"""One board's index without a running worker: nothing happens in it that a test does not do."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import asyncpg
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.config import Settings
from app.core.database import create_engine
from app.core.redis import create_client
from app.services import sql_standings, standings
from app.services.boards import Boards, BoardSeason
from app.services.rank_index.follower import Follower
from app.services.rank_index.index import IndexedFold, RankIndex
from app.services.rank_index.keeper import Keeper
from app.services.rank_index.keys import decode_member
from app.services.service import Runs
from app.services.sql_standings import SlowLane, SqlStandings
from app.services.standings import Standings


@dataclass(frozen=True)
class Parts:
    """What a worker has for a board, none of it running."""

    settings: Settings
    engine: AsyncEngine
    client: Redis
    lane: SlowLane
    board: BoardSeason
    index: RankIndex
    follower: Follower
    keeper: Keeper
    sql: SqlStandings
    standings: Standings


@asynccontextmanager
async def parts(sandbox, **changes: object) -> AsyncIterator[Parts]:
    # A busy machine is no reason to distrust the index: tests give theirs themselves.
    settings = sandbox.make_settings(**{"redis_timeout": 5.0, **changes})
    async with AsyncExitStack() as stack:
        engine = create_engine(settings)
        stack.push_async_callback(engine.dispose)
        runs = Runs()
        client = create_client(settings, runs.see, timeout=settings.redis_timeout, connections=8)
        stack.push_async_callback(client.aclose)
        lane = SlowLane(settings)
        stack.push_async_callback(lane.close)
        board = (await Boards.load(engine)).default
        index = RankIndex(client, settings, board)
        runs.indexes.append(index)
        follower = Follower(index, client, engine, settings)
        keeper = Keeper(index, follower, engine, settings)
        sql = SqlStandings(engine, lane, board)
        own = Standings(board, index, follower, sql, settings)
        yield Parts(settings, engine, client, lane, board, index, follower, keeper, sql, own)


async def add_players(connection: asyncpg.Connection, count: int) -> list[int]:
    rows = await connection.fetch(
        "INSERT INTO users (username) SELECT 'player-' || n FROM generate_series(1, $1) n "
        "RETURNING id",
        count,
    )
    return [row["id"] for row in rows]


async def play(connection: asyncpg.Connection, user_id: int, score: int) -> int:
    """A game as a writer commits it. Its event's id; the index does not hear of it."""
    async with connection.transaction():
        await connection.execute("SELECT FROM users WHERE id = $1 FOR NO KEY UPDATE", user_id)
        event = await connection.fetchval(
            "INSERT INTO game_sessions (user_id, score, game_mode) VALUES ($1, $2, 'x') "
            "RETURNING id",
            user_id,
            score,
        )
        await connection.execute(
            "INSERT INTO leaderboard AS f (board_id, season, user_id, total_score, achieved_id, "
            "achieved_at, version, games_played, decided, wins) "
            "VALUES (1, 1, $1, $2, $3, now(), $3, 1, 0, 0) "
            "ON CONFLICT (board_id, season, user_id) DO UPDATE SET "
            "total_score = f.total_score + $2, achieved_id = $3, achieved_at = now(), "
            "version = $3, games_played = f.games_played + 1",
            user_id,
            score,
            event,
        )
    return event


async def folds_of(parts: Parts, *user_ids: int) -> list[IndexedFold]:
    """The players' folds as they are now, ready for the index."""
    found = await parts.sql.players(user_ids)
    return [
        parts.standings.to_index(named.fold, named.username)
        for user_id in user_ids
        if (named := found[user_id]).fold is not None
    ]


async def order(parts: Parts) -> list[int]:
    """The players as the index has them, best first."""
    window = await parts.index.window(0, 99, doubted=True)
    return [decode_member(member, descending=True).user_id for member in window.members]


def dump(sandbox, parts: Parts) -> dict[bytes, bytes]:
    """The index as Redis has it now."""
    with sandbox.redis() as client:
        keys = client.keys(f"{parts.index.prefix}*".replace("{", "\\{"))
        return {key: client.dump(key) for key in keys}


def restore(sandbox, kept: dict[bytes, bytes]) -> None:
    """As after a restart that lost the last second; in one step, as nobody answers in between."""
    sandbox.forget_index()
    with sandbox.redis() as client, client.pipeline() as pipe:
        for key, value in kept.items():
            pipe.restore(key, 0, value)
        pipe.execute()


def be_patient(monkeypatch) -> None:
    """The fall-back takes its time, for tests of what it answers on a machine that is busy."""
    monkeypatch.setattr(sql_standings, "STATEMENT_SECONDS", 30.0)
    for module in (sql_standings, standings):
        monkeypatch.setattr(module, "PATIENCE_SECONDS", 30.0)
