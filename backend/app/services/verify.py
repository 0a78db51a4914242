"""Proves the arrows: folds against the ledger, index against the folds. Changes nothing.

Safe while the service runs: a player's ledger and folds are compared in one snapshot, and what
differs in the index is looked at again, because a score may be on its way. The work is done in
small steps on a connection of its own, with a rest after each, so that scores go on beside it.
"""

import asyncio
import time
from collections.abc import Callable, Sequence

import asyncpg
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.config import Settings
from app.core.database import RawConnection, create_engine, raw_connection
from app.core.names import TWIN
from app.core.redis import create_client
from app.services import ledger
from app.services.access.audit_check import Mark, check_audit
from app.services.access.sealing import Sealer
from app.services.boards import Boards, BoardSeason
from app.services.fold import Fold
from app.services.rank_index.index import IndexAway, RankIndex, Standing
from app.services.rank_index.keys import encode_member

Report = Callable[[str], None]
Progress = Callable[[int, int], None]

PLAYERS = 2_000
"""Players whose ledger is folded again in one query."""
EVENTS = 100_000
"""Event ids that are looked through for repeated ones in one query."""
LAST_ID = 2**63 - 1
CHUNK = 500
"""Players who are looked up in the index in one call."""
MAX_REST_SECONDS = 1.0
LOOKS = 5
LOOK_SECONDS = 1.0
"""An index that is one sweep behind (2 s by default) is late, not wrong."""

# A fold is a pure function of the player's sessions and events; see fold.py for the same in
# words of Python.
_REFOLD = """
WITH again AS (
    SELECT user_id, sum(score)::bigint AS total_score, count(*)::int AS games_played,
           count(won)::int AS decided, (count(*) FILTER (WHERE won))::int AS wins,
           coalesce(max(id) FILTER (WHERE score <> 0), min(id)) AS achieved_id, max(id) AS version
    FROM game_sessions
    WHERE user_id > $3::bigint AND user_id <= $4::bigint
        AND ($5::text[] IS NULL OR game_mode = ANY($5))
    GROUP BY user_id
), folds AS (
    SELECT * FROM leaderboard
    WHERE board_id = $1 AND season = $2 AND user_id > $3 AND user_id <= $4
)
SELECT coalesce(a.user_id, f.user_id) AS user_id,
       CASE WHEN u.id IS NULL THEN 'the player does not exist'
            WHEN f.user_id IS NULL THEN 'the ledger has games, the board has no row'
            WHEN a.user_id IS NULL THEN 'the board has a row, the ledger has no games'
            ELSE format('board says total %s, games %s, decided %s, wins %s, reached at %s, '
                        'version %s, active %s; ledger says %s, %s, %s, %s, %s, %s, %s',
                        f.total_score, f.games_played, f.decided, f.wins, f.achieved_id,
                        f.version, f.is_active, a.total_score, a.games_played, a.decided,
                        a.wins, a.achieved_id, greatest(a.version, e.version), u.is_active)
       END AS difference
FROM again a FULL JOIN folds f USING (user_id)
LEFT JOIN users u ON u.id = coalesce(a.user_id, f.user_id)
LEFT JOIN LATERAL (SELECT max(id) AS version FROM player_events WHERE user_id = f.user_id) e ON true
WHERE u.id IS NULL OR (f.total_score, f.games_played, f.decided, f.wins, f.achieved_id,
       f.is_active, f.version)
    IS DISTINCT FROM (a.total_score, a.games_played, a.decided, a.wins, a.achieved_id,
       u.is_active, CASE WHEN e.version > a.version THEN
           (SELECT max(id) FROM player_events p WHERE p.user_id = f.user_id) ELSE a.version END)
ORDER BY 1
"""

_LAST_PLAYER = """
SELECT greatest((SELECT max(id) FROM users), (SELECT max(user_id) FROM leaderboard),
                (SELECT max(user_id) FROM game_sessions), 0)
"""

_NTH_PLAYER = "SELECT id FROM users WHERE id > $1 ORDER BY id OFFSET $2 LIMIT 1"

_HAS_EVENTS = "SELECT EXISTS (SELECT FROM game_sessions WHERE id > $1 AND id <= $2)"

_REPEATED_IDS = """
SELECT id, count(*) AS times FROM game_sessions WHERE id > $1 AND id <= $2
GROUP BY id HAVING count(*) > 1 LIMIT 100
"""

_TWINS = """
SELECT t.id AS twin, t.username, f.id AS first FROM users t
JOIN users f ON f.name_key = split_part(t.name_key, $1, 1)
WHERE strpos(t.name_key, $1) > 0 AND f.id <> t.id ORDER BY t.id LIMIT 100
"""

# A parallel query would take the cores that scores need, and compiling costs more than it saves.
_MODEST = "SET jit = off; SET max_parallel_workers_per_gather = 0"


class Pace:
    """Rests after each step for as long as the step took: half of the time is for others."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    async def rest(self) -> None:
        took = time.monotonic() - self._began
        await asyncio.sleep(min(took, MAX_REST_SECONDS))
        self._began = time.monotonic()


async def verify(
    settings: Settings,
    report: Report,
    progress: Progress | None = None,
    *,
    marks: Sequence[Mark] = (),
    tell_newest: Callable[[Mark], None] | None = None,
) -> int:
    """Checks every board and the audit log; each difference is told to `report`. How many there
    are.

    `progress` is told (players done, players in all) of the two passes together. `marks` are rows
    of the audit log that must be there, and `tell_newest` is told the newest one.
    """
    engine = create_engine(settings)
    client = create_client(
        settings, lambda _: None, timeout=max(5.0, settings.redis_timeout), connections=2
    )
    try:
        boards = await Boards.load(engine)
        audit = await check_audit(engine, report, Sealer.of(settings), marks)
        found = audit.faults
        if tell_newest is not None:
            tell_newest(audit.newest)
        found += await _check_ids(engine, report)
        await _tell_twins(engine, report)
        for board in boards.open:
            found += await _check_folds(engine, board, report, progress)
            found += await _check_index(engine, client, settings, board, report, progress)
    finally:
        await client.aclose()
        await engine.dispose()
    return found


async def _check_ids(engine: AsyncEngine, report: Report) -> int:
    found, pace = 0, Pace()
    async with raw_connection(engine) as connection:
        await connection.execute(_MODEST)
        after, width = 0, EVENTS
        while after < LAST_ID:
            upto = min(after + width, LAST_ID)
            if not await connection.fetchval(_HAS_EVENTS, after, upto, timeout=600):
                # A sequence may jump by billions: the step doubles where there is nothing.
                after, width = upto, width * 2
            elif width > EVENTS:
                width = max(EVENTS, width // 2)
            else:
                repeated = await connection.fetch(_REPEATED_IDS, after, upto, timeout=600)
                for row in repeated:
                    report(f"ledger: session {row['id']} is there {row['times']} times")
                found += len(repeated)
                after = upto
            await pace.rest()
    return found


async def _tell_twins(engine: AsyncEngine, report: Report) -> None:
    """Players whose name another one had first, from before the two counted as the same. They are
    found by the exact name alone. Nothing differs because of them, so they are not counted."""
    async with raw_connection(engine) as connection:
        await connection.execute(_MODEST)
        for row in await connection.fetch(_TWINS, TWIN, timeout=600):
            report(
                f"names: player {row['twin']} ({row['username']}) has the name of player "
                f"{row['first']}; rename one of them (this is no difference)"
            )


async def _check_folds(
    engine: AsyncEngine, board: BoardSeason, report: Report, progress: Progress | None
) -> int:
    found, pace = 0, Pace()
    modes = None if board.game_modes is None else sorted(board.game_modes)
    async with raw_connection(engine) as connection:
        await connection.execute(_MODEST)
        last = await connection.fetchval(_LAST_PLAYER)
        after = 0
        while after < last:
            # A step is a number of players, because ids may have large gaps.
            upto = await connection.fetchval(_NTH_PLAYER, after, PLAYERS - 1) or last
            rows: list[asyncpg.Record] = await connection.fetch(
                _REFOLD, *board.key, after, upto, modes, timeout=600
            )
            for row in rows:
                report(f"folds: {board.slug}, player {row['user_id']}: {row['difference']}")
            found += len(rows)
            if progress is not None:
                progress(upto, 2 * last)
            after = upto
            await pace.rest()
    return found


async def _check_index(
    engine: AsyncEngine,
    client: Redis,
    settings: Settings,
    board: BoardSeason,
    report: Report,
    progress: Progress | None,
) -> int:
    index = RankIndex(client, settings, board)
    found, after, pace = 0, 0, Pace()
    try:
        async with raw_connection(engine) as connection:
            last = await connection.fetchval(_LAST_PLAYER)
            while True:
                folds = await ledger.next_folds(connection, board.key, after, CHUNK)
                if not folds:
                    break
                after = folds[-1][0].user_id
                differing = await _differing(connection, index, [fold for fold, _ in folds])
                for fold, standing in differing:
                    report(f"index: {board.slug}, player {fold.user_id}: {_say(fold, standing)}")
                found += len(differing)
                if progress is not None:
                    progress(last + after, 2 * last)
                await pace.rest()
            found += await _check_count(connection, index, report)
    except IndexAway as error:
        report(f"index: {board.slug}: {error}")
        return found + 1
    return found


def _matches(index: RankIndex, fold: Fold, standing: Standing) -> bool:
    if not fold.is_active:
        return standing.rank is None
    member = encode_member(fold, descending=index.board.descending)
    return standing.rank is not None and standing.member == member


async def _differing(
    connection: RawConnection, index: RankIndex, folds: Sequence[Fold]
) -> list[tuple[Fold, Standing]]:
    """The folds that the index doesn't have as they are, also after some looks."""
    differing: list[tuple[Fold, Standing]] = []
    for look in range(LOOKS):
        if look:
            await asyncio.sleep(LOOK_SECONDS)
            # Right before the index: somebody may be playing all the time.
            again = [fold.user_id for fold, _ in differing]
            named = await ledger.named_folds(connection, index.board.key, again)
            folds = [fold for fold, _ in named]
        ranks = await index.ranks([fold.user_id for fold in folds], doubted=True)
        differing = [
            (fold, standing)
            for fold, standing in zip(folds, ranks.standings, strict=True)
            if not _matches(index, fold, standing)
        ]
        if not differing:
            break
    return differing


async def _check_count(connection: RawConnection, index: RankIndex, report: Report) -> int:
    """Members that no fold stands behind would show in the count."""
    query = "SELECT count(*) FROM leaderboard WHERE board_id = $1 AND season = $2 AND is_active"
    ranked = members = 0
    for look in range(LOOKS):
        if look:
            await asyncio.sleep(LOOK_SECONDS)
        before = (await index.window(0, 0, doubted=True)).players
        ranked = await connection.fetchval(query, *index.board.key)
        members = (await index.window(0, 0, doubted=True)).players
        # Players may join while they are counted.
        if min(before, members) <= ranked <= max(before, members):
            return 0
    report(f"index: {index.board.slug}: {members} members, the board has {ranked} players")
    return 1


def _say(fold: Fold, standing: Standing) -> str:
    if standing.rank is None or standing.place is None:
        return f"has {fold.total_score} on the board and no rank in the index"
    if not fold.is_active:
        return f"is deactivated and has rank {standing.rank} in the index"
    place = standing.place
    return (
        f"board says {fold.total_score} reached at {fold.achieved_id} (version {fold.version}), "
        f"index says {place.total_score} at {place.achieved_id} (version {standing.version})"
    )
