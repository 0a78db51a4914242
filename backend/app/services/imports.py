"""Games of another system on their way in: through the writer, with what is special about them.

They may be dated at any time in the past, and their players may not be there yet. What came in is
known by its row in the file, so an import that broke off is run again and nothing counts twice.
"""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.config import Settings
from app.core.database import RawConnection, raw_connection
from app.core.errors import AppError, Busy, DatabaseAway
from app.core.names import name_key, search_key
from app.services import imported
from app.services.player_names import named
from app.services.schema import ensure_partitions_of
from app.services.service import Service
from app.services.submissions import Receipt, Submission
from app.services.submit.answers import Answers
from app.services.submit.batch import Batch, Item
from app.services.submit.plan import Replayed
from app.services.submit.transactions import Transactions
from app.services.submit.writer import Writer

BATCH = 1_000
"""Games in one transaction."""
TRIES = 5

_ANY_TIME = 10_000_000_000.0
"""Seconds, some 300 years: what may be imported is bounded elsewhere."""

_KNOWN_NAMES = f"""
SELECT n.name, u.id FROM unnest($1::text[], $2::text[]) AS n (name, key),
LATERAL (SELECT id FROM users WHERE {named("n.name", "n.key")}) u
"""  # noqa: S608 - constants alone

_KNOWN_IDS = "SELECT id FROM users WHERE id = ANY($1::bigint[])"

# In one order, so that two imports never wait for each other's names in a circle.
_MAKE_PLAYERS = """
INSERT INTO users (username, name_key, search_key)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[]) AS n (name, key, search) ORDER BY key
ON CONFLICT DO NOTHING RETURNING id
"""


class Game(NamedTuple):
    """A game to bring in: its row in the file, from 1; the name says whose it is,
    `submission.user_id` where there is none."""

    row: int
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
        by_name = await connection.fetch(_KNOWN_NAMES, names, [name_key(name) for name in names])
        by_id = await connection.fetch(_KNOWN_IDS, sorted(ids))
    return Known({row["name"]: row["id"] for row in by_name}, {row["id"] for row in by_id})


def settings_for_import(settings: Settings) -> Settings:
    """For `open_service`: nobody calls it from outside, and games may be old."""
    return settings.model_copy(update={"auth_mode": "open", "played_at_window": _ANY_TIME})


class ImportTransactions(Transactions):
    """Says in the games' transaction which rows of the file are in, and how old its games are.

    The index's tail looks for games by time, and would miss old ones that were committed and not
    indexed, if the import's row did not say how far back they go.
    """

    def __init__(self, service: Service, import_ids: Sequence[int]) -> None:
        window = timedelta(seconds=service.settings.played_at_window)
        super().__init__(service.engine, service.boards, window)
        self._import_ids = import_ids
        self.rows: dict[asyncio.Future[Receipt], int] = {}
        """Which row of the file an item is."""

    async def _decide(
        self, connection: RawConnection, items: Sequence[Item], *, skip_locked: bool
    ) -> Batch:
        there = await imported.lock_rows(
            connection, self._import_ids, [self.rows[item.receipt] for item in items]
        )
        fresh = [item for item in items if self.rows[item.receipt] not in there]
        batch = Batch()
        if fresh:
            batch = await super()._decide(connection, fresh, skip_locked=skip_locked)
        # An import doesn't ask which sessions those are.
        before = [item for item in items if self.rows[item.receipt] in there]
        batch.items += before
        batch.plan.outcomes += [Replayed(0)] * len(before)
        return batch

    async def _store(self, connection: RawConnection, batch: Batch) -> None:
        await super()._store(connection, batch)
        # Rows that were in before have no session here.
        done = [item for item, (session_id, *_) in (*batch.accepted, *batch.replayed) if session_id]
        rows = [self.rows[item.receipt] for item in done]
        await imported.add_rows(connection, self._import_ids[0], rows)
        games = batch.plan.rows
        if games:
            newest, oldest_at = max(game.id for game in games), min(game.at for game in games)
            await imported.note_games(connection, self._import_ids[0], newest, oldest_at)


class ImportWriter:
    """Writes a file's games a batch at a time, past the queue."""

    def __init__(self, service: Service, import_ids: Sequence[int]) -> None:
        self._transactions = ImportTransactions(service, import_ids)
        answers = Answers(service.boards, service.standings)
        self._writer = Writer(service.settings, self._transactions, answers)

    async def write(self, games: Sequence[Game]) -> list[Receipt | BaseException]:
        """What became of each, in order."""
        items = [self._writer.item(game.submission) for game in games]
        self._transactions.rows = {
            item.receipt: game.row for item, game in zip(items, games, strict=True)
        }
        await self._writer.write(items)
        return await asyncio.gather(*(item.receipt for item in items), return_exceptions=True)

    async def close(self) -> None:
        """Waits until every row that was taken is written."""
        await self._writer.close()


class Importer:
    """Brings games in, in the order in which they come: it decides who reached a score first."""

    def __init__(self, service: Service, import_ids: Sequence[int]) -> None:
        self._service = service
        self._writer = ImportWriter(service, import_ids)
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
        made. Raises DatabaseAway: what was stored by then is found again."""
        if not games:
            return []
        await self._make_partitions(game.submission.played_at for game in games)
        named = await self._name(games)
        outcomes: dict[int, Receipt | AppError] = {}
        left = list(range(len(games)))
        for last in (False,) * (TRIES - 1) + (True,):
            results = await self._writer.write([named[at] for at in left])
            again = []
            for at, result in zip(left, results, strict=True):
                if isinstance(result, DatabaseAway | Busy):
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
        """Waits until every row that was taken is written."""
        await self._writer.close()

    async def _make_partitions(self, moments: Iterable[datetime | None]) -> None:
        wanted = {(at.year, at.month): at for at in moments if at is not None}
        missing = wanted.keys() - self._months
        if missing:
            await ensure_partitions_of(self._service.engine, [wanted[month] for month in missing])
            self._months |= missing

    async def _name(self, games: Sequence[Game]) -> list[Game]:
        """The games with their players' ids."""
        known = await look_up(self._service.engine, games)
        # Of the spellings of one name the file's first one is kept.
        new = {
            name_key(each.username): each.username
            for each in reversed(games)
            if each.username and each.username not in known.names
        }
        if new:
            names, searched = list(new.values()), [search_key(name) for name in new.values()]
            async with raw_connection(self._service.engine) as connection:
                made = await connection.fetch(_MAKE_PLAYERS, names, list(new), searched)
            self.players_made += len(made)
            known = await look_up(self._service.engine, games)
        return [
            each
            if each.username is None
            else each._replace(
                submission=each.submission._replace(user_id=known.names[each.username])
            )
            for each in games
        ]
