"""Games of another system on their way in: through the writer, with what is special about them.

They may be dated at any time in the past, and their players may not be there yet. Every game has
an idempotency key, so an import that broke off is run again and nothing counts twice.
"""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.config import Settings
from app.core.database import RawConnection, raw_connection
from app.core.errors import AppError, DatabaseAway, Overloaded
from app.services import ledger
from app.services.schema import ensure_partitions_of
from app.services.service import Service
from app.services.submissions import Receipt, Submission
from app.services.writer import Batch, Item, Writer

BATCH = 1_000
"""Games in one transaction."""
TRIES = 5

_ANY_TIME = 10_000_000_000.0
"""Seconds, some 300 years: what may be imported is bounded elsewhere."""

_KNOWN_NAMES = """
SELECT n.name, u.id FROM unnest($1::text[]) AS n (name) JOIN users u
ON lower(u.username) = lower(n.name)
"""

_KNOWN_IDS = "SELECT id FROM users WHERE id = ANY($1::bigint[])"

# In one order, so that two imports never wait for each other's names in a circle.
_MAKE_PLAYERS = """
INSERT INTO users (username)
SELECT DISTINCT ON (lower(name)) name FROM unnest($1::text[]) WITH ORDINALITY AS n (name, at)
ORDER BY lower(name), at
ON CONFLICT DO NOTHING RETURNING id
"""

_ADD_EVENTS = """
INSERT INTO player_events (id, user_id, kind)
SELECT id, user_id, 'imported' FROM unnest($1::bigint[], $2::bigint[]) AS e (id, user_id)
"""

# A player's newest one says all that the others say.
_FORGET_EVENTS = """
DELETE FROM player_events e WHERE kind = 'imported' AND EXISTS (
    SELECT FROM player_events n WHERE n.user_id = e.user_id AND n.id > e.id AND n.kind = 'imported'
)
"""


class Game(NamedTuple):
    """A game to bring in. The name says whose it is; `submission.user_id` where there is none."""

    username: str | None
    submission: Submission


class Known(NamedTuple):
    """Which of the players that games name are there."""

    names: dict[str, int]
    ids: set[int]


async def look_up(engine: AsyncEngine, games: Sequence[Game]) -> Known:
    """The players of these games, as far as they are there."""
    names = sorted({game.username for game in games if game.username is not None})
    ids = {game.submission.user_id for game in games if game.username is None}
    async with raw_connection(engine) as connection:
        by_name = await connection.fetch(_KNOWN_NAMES, names)
        by_id = await connection.fetch(_KNOWN_IDS, sorted(ids))
    return Known({row["name"]: row["id"] for row in by_name}, {row["id"] for row in by_id})


def settings_for_import(settings: Settings) -> Settings:
    """For `open_service`: nobody calls it from outside, and games may be old."""
    changes = {
        "auth_mode": "open",
        "played_at_window": _ANY_TIME,
        "writer_lanes": 1,
        "writer_max_batch": BATCH,
        "writer_max_queue": 2 * BATCH,
    }
    return settings.model_copy(update=changes)


class ImportWriter(Writer):
    """Writes each player of a batch an event `imported` beside the games.

    The index's tail looks for games by time as well, and would miss old ones that were committed
    and not indexed; events it finds whatever their time. An event's number is drawn before those
    of the games, so that folds keep a game as their version.
    """

    _events: dict[int, int]

    async def _decide(self, connection: RawConnection, items: Sequence[Item]) -> Batch:
        user_ids = {item.submission.user_id for item in items}
        players = await ledger.lock_players(connection, user_ids)
        self._events = {}
        if players:
            _, ids = await ledger.draw_ids(connection, len(players))
            self._events = dict(zip(players, ids, strict=True))
        return await super()._decide(connection, items)

    async def _store(self, connection: RawConnection, batch: Batch) -> None:
        await super()._store(connection, batch)
        user_ids = sorted({row.user_id for row in batch.rows})
        events = [self._events[user_id] for user_id in user_ids]
        await connection.execute(_ADD_EVENTS, events, user_ids)


class Importer:
    """Brings games in, in the order in which they come: it decides who reached a score first."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._writer = ImportWriter(
            service.engine, service.settings, service.boards, service.standings
        )
        self._months: set[tuple[int, int]] = set()
        self.players_made = 0

    async def wait_ready(self, seconds: float) -> bool:
        """Whether the index can be used, within so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                for standings in self._service.standings.all:
                    await standings.index.wait_trusted()
        except TimeoutError:
            return False
        return True

    async def store(self, games: Sequence[Game]) -> list[Receipt | AppError]:
        """What became of each, up to `BATCH` of them, in order; players who are not there are
        made. Raises DatabaseAway, Overloaded: what was stored by then is found again."""
        await self._make_partitions(game.submission.played_at for game in games)
        submissions = await self._name(games)
        outcomes: dict[int, Receipt | AppError] = {}
        left = list(range(len(games)))
        for last in (False,) * (TRIES - 1) + (True,):
            futures = [self._writer.submit(submissions[at]) for at in left]
            results = await asyncio.gather(*futures, return_exceptions=True)
            again = []
            for at, result in zip(left, results, strict=True):
                if isinstance(result, DatabaseAway | Overloaded):
                    if last:
                        raise result
                    again.append(at)
                elif isinstance(result, AppError | Receipt):
                    outcomes[at] = result
                else:
                    raise result
            left = again
            if not left:
                break
            await asyncio.sleep(1)
        return [outcomes[at] for at in range(len(games))]

    async def close(self) -> None:
        """Returns when all that was taken is written."""
        await self._writer.close()

    async def tidy(self) -> None:
        """Forgets the events that later ones made superfluous, of imports that broke off too."""
        async with raw_connection(self._service.engine) as connection:
            await connection.execute(_FORGET_EVENTS)

    async def _make_partitions(self, moments: Iterable[datetime | None]) -> None:
        wanted = {(at.year, at.month): at for at in moments if at is not None}
        missing = wanted.keys() - self._months
        if missing:
            await ensure_partitions_of(self._service.engine, [wanted[month] for month in missing])
            self._months |= missing

    async def _name(self, games: Sequence[Game]) -> list[Submission]:
        """The submissions with their players' ids."""
        known = await look_up(self._service.engine, games)
        new = [
            each.username for each in games if each.username and each.username not in known.names
        ]
        if new:
            async with raw_connection(self._service.engine) as connection:
                self.players_made += len(await connection.fetch(_MAKE_PLAYERS, new))
            known = await look_up(self._service.engine, games)
        return [
            each.submission
            if each.username is None
            else each.submission._replace(user_id=known.names[each.username])
            for each in games
        ]
