"""The SQL of one batch, over arrays, and of reading folds back."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import asyncpg

from app.core.database import RawConnection
from app.services.fold import Fold

# The player's row is the lock for all that is the player's. Every transaction takes these locks
# first and in order of ids, so no two of them can wait for each other in a circle.
_LOCK_PLAYERS = """
SELECT id, username, is_active FROM users WHERE id = ANY($1::bigint[])
ORDER BY id FOR NO KEY UPDATE
"""

_LOCK_FREE_PLAYERS = f"{_LOCK_PLAYERS} SKIP LOCKED"

# Which of these players somebody else holds: the row that was left out above is there, or a row of
# a board can't be locked.
_HELD_PLAYERS = """
WITH mine AS (
    SELECT f.board_id, f.season, f.user_id FROM unnest($1::int[], $2::int[]) AS b (board_id, season)
    JOIN leaderboard f ON f.board_id = b.board_id AND f.season = b.season
    WHERE f.user_id = ANY($4::bigint[]) FOR NO KEY UPDATE OF f SKIP LOCKED
)
SELECT id FROM users WHERE id = ANY($3::bigint[])
UNION
SELECT f.user_id FROM unnest($1::int[], $2::int[]) AS b (board_id, season)
JOIN leaderboard f ON f.board_id = b.board_id AND f.season = b.season
LEFT JOIN mine ON (mine.board_id, mine.season, mine.user_id) = (f.board_id, f.season, f.user_id)
WHERE f.user_id = ANY($4::bigint[]) AND mine.user_id IS NULL
"""

_DRAW_IDS = """
SELECT now() AS now, array_agg(nextval('event_id_seq')) AS ids FROM generate_series(1, $1::int)
"""

_FOLD_COLUMNS = """
f.user_id, f.total_score, f.achieved_id, f.achieved_at, f.version, f.games_played, f.decided,
f.wins, f.is_active
"""

# With the season: before PostgreSQL 18 no index is entered past a column that is not given.
_READ_FOLDS = f"""
SELECT f.board_id, f.season, {_FOLD_COLUMNS}
FROM unnest($1::int[], $2::int[]) AS b (board_id, season)
JOIN leaderboard f ON f.board_id = b.board_id AND f.season = b.season
WHERE f.user_id = ANY($3::bigint[])
"""  # noqa: S608 - constants alone

_NAMED_FOLDS = f"""
SELECT {_FOLD_COLUMNS}, u.username FROM leaderboard f JOIN users u ON u.id = f.user_id
WHERE f.board_id = $1 AND f.season = $2
"""  # noqa: S608 - constants alone

# Both sides are bounded, so that a merge of the two begins where the last chunk ended.
_NEXT_FOLDS = _NAMED_FOLDS + " AND f.user_id > $3 AND u.id > $3 ORDER BY f.user_id LIMIT $4"

_INSERT_SESSIONS = """
INSERT INTO game_sessions
    (id, user_id, score, game_mode, timestamp, duration_ms, won, metadata)
SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::timestamptz[],
                     $6::int[], $7::boolean[], $8::jsonb[])
"""

_FOLD_ARRAYS = """
unnest($1::int[], $2::int[], $3::bigint[], $4::bigint[], $5::bigint[], $6::timestamptz[],
       $7::bigint[], $8::int[], $9::int[], $10::int[])
"""

# Under the player's lock there is no conflict to expect, and a plain update writes less.
_UPDATE_FOLDS = f"""
UPDATE leaderboard f SET
    total_score = n.total_score, achieved_id = n.achieved_id, achieved_at = n.achieved_at,
    version = n.version, games_played = n.games_played, decided = n.decided, wins = n.wins
FROM {_FOLD_ARRAYS} AS n (board_id, season, user_id, total_score, achieved_id, achieved_at,
                          version, games_played, decided, wins)
WHERE f.board_id = n.board_id AND f.season = n.season AND f.user_id = n.user_id
"""  # noqa: S608 - constants alone

_INSERT_FOLDS = f"""
INSERT INTO leaderboard (board_id, season, user_id, total_score, achieved_id, achieved_at,
                         version, games_played, decided, wins)
SELECT * FROM {_FOLD_ARRAYS}
"""  # noqa: S608 - constants alone

# In order of keys, for the same reason as the locks. A key that another transaction is writing
# makes this wait for it.
_CLAIM_KEYS = """
INSERT INTO submission_keys (key_hash, body_hash, session_id, lineage)
SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::bigint[], $4::int[])
    AS k (key_hash, body_hash, id, lineage)
ORDER BY key_hash
ON CONFLICT (key_hash) DO NOTHING RETURNING key_hash
"""

_READ_KEYS = """
SELECT key_hash, body_hash, session_id, lineage FROM submission_keys
WHERE key_hash = ANY($1::bytea[])
"""

_KEEP_KEYS = """
UPDATE submission_keys SET created_at = now() WHERE key_hash = ANY($1::bytea[]) RETURNING key_hash
"""


class Player(NamedTuple):
    """What a batch needs to know of a player."""

    user_id: int
    username: str
    is_active: bool


class SessionRow(NamedTuple):
    """One row of the ledger, in the order of the insert's columns."""

    id: int
    user_id: int
    score: int
    game_mode: str
    at: datetime
    duration_ms: int | None
    won: bool | None
    metadata: str | None


class UsedKey(NamedTuple):
    """What an idempotency key was used for, and by which lineage of API keys: 0 by players' own
    clients, None in the open mode and by the version before lineages."""

    body_hash: bytes
    session_id: int
    lineage: int | None = None


async def lock_players(
    connection: RawConnection, user_ids: Iterable[int], *, skip_locked: bool = False
) -> dict[int, Player]:
    """Locks the players' rows until the transaction ends. Unknown ids are left out; with
    `skip_locked`, so are those that somebody else has locked."""
    query = _LOCK_FREE_PLAYERS if skip_locked else _LOCK_PLAYERS
    rows = await connection.fetch(query, sorted(user_ids))
    return {row["id"]: Player(row["id"], row["username"], row["is_active"]) for row in rows}


async def held_players(
    connection: RawConnection,
    boards: Sequence[tuple[int, int]],
    user_ids: Iterable[int],
    locked: Collection[int],
) -> set[int]:
    """Which of the players another transaction holds; `locked` are those that this one locked."""
    board_ids, seasons = zip(*boards, strict=True)
    missing = [user_id for user_id in user_ids if user_id not in locked]
    rows = await connection.fetch(_HELD_PLAYERS, board_ids, seasons, missing, list(locked))
    return {row["id"] for row in rows}


async def draw_ids(connection: RawConnection, count: int) -> tuple[datetime, list[int]]:
    """The transaction's time and `count` event ids. Draw after locking: see `event_ids`."""
    row = await connection.fetchrow(_DRAW_IDS, count)
    if row is None:
        raise AssertionError
    return row["now"], sorted(row["ids"])


def to_fold(row: asyncpg.Record) -> Fold:
    """A fold from a row with the columns of `leaderboard`."""
    return Fold(
        row["user_id"],
        row["total_score"],
        row["achieved_id"],
        row["achieved_at"],
        row["version"],
        row["games_played"],
        row["decided"],
        row["wins"],
        row["is_active"],
    )


async def read_folds(
    connection: RawConnection, boards: Sequence[tuple[int, int]], user_ids: Sequence[int]
) -> dict[tuple[int, int, int], Fold]:
    """The players' folds by (board_id, season, user_id), on boards that are (board_id, season)."""
    board_ids, seasons = zip(*boards, strict=True)
    rows = await connection.fetch(_READ_FOLDS, board_ids, seasons, user_ids)
    # By place: a thousand of these are made for every big batch.
    return {(row[0], row[1], row[2]): Fold._make(row[2:]) for row in rows}


async def named_folds(
    connection: RawConnection, board: tuple[int, int], user_ids: Sequence[int]
) -> list[tuple[Fold, str]]:
    """These players' folds on one board, with their names; players without a fold left out."""
    query = _NAMED_FOLDS + " AND f.user_id = ANY($3::bigint[])"
    rows = await connection.fetch(query, *board, user_ids)
    return [(to_fold(row), row["username"]) for row in rows]


async def next_folds(
    connection: RawConnection, board: tuple[int, int], after: int, limit: int
) -> list[tuple[Fold, str]]:
    """A board's folds in order of player ids, from the first after `after`, with names."""
    query = _NEXT_FOLDS
    rows = await connection.fetch(query, *board, after, limit)
    return [(to_fold(row), row["username"]) for row in rows]


async def read_keys(connection: RawConnection, key_hashes: Sequence[bytes]) -> dict[bytes, UsedKey]:
    """What these idempotency keys were used for; unused ones left out."""
    rows = await connection.fetch(_READ_KEYS, key_hashes)
    return {row[0]: UsedKey._make(row[1:]) for row in rows}


async def claim_keys(connection: RawConnection, keys: Mapping[bytes, UsedKey]) -> int:
    """Records keys by their hashes. How many of them were still free."""
    rows = await connection.fetch(
        _CLAIM_KEYS, list(keys), *map(list, zip(*keys.values(), strict=True))
    )
    return len(rows)


async def keep_keys(connection: RawConnection, key_hashes: Collection[bytes]) -> int:
    """Has keys remembered from now on, as if they were new. How many of them there are."""
    return len(await connection.fetch(_KEEP_KEYS, sorted(key_hashes)))


async def insert_sessions(connection: RawConnection, rows: Sequence[SessionRow]) -> None:
    """Appends to the ledger."""
    await connection.execute(_INSERT_SESSIONS, *zip(*rows, strict=True))


async def store_folds(
    connection: RawConnection, folds: Sequence[tuple[tuple[int, int], Fold]], *, new: bool
) -> None:
    """Writes ((board_id, season), fold) pairs, computed under the players' locks. `new` ones
    have no row yet."""
    if folds:
        await connection.execute(
            _INSERT_FOLDS if new else _UPDATE_FOLDS,
            [board_id for (board_id, _), _ in folds],
            [season for (_, season), _ in folds],
            *(
                [fold[column] for _, fold in folds]
                for column in range(len(Fold._fields) - 1)  # all but is_active
            ),
        )
