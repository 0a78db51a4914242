"""Erasing a player: what identifies the person goes, the numbers of the games stay.

The player leaves every board, so that no rank of others depends on who somebody was. Scores and
times stay in the ledger under a number that leads to nobody: every total and every old graph is a
fold over them. Metadata is the one column of the ledger that is ever changed. No fold reads it, and
games may say anything in it.
"""

import asyncio
import secrets
from datetime import datetime
from typing import NamedTuple

import asyncpg
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.database import RawConnection, raw_connection
from app.core.errors import UnknownPlayer
from app.core.names import name_key, search_key
from app.services import ledger
from app.services.access import audit
from app.services.access.audit import Act
from app.services.players import Players, Profile, to_profile

log = structlog.get_logger(__name__)

FINISH_SECONDS = 60.0
"""How often the erasures are looked for that a worker began and did not end."""

_FORGET = """
UPDATE users SET username = $2, name_key = $3, search_key = $4, email = NULL,
    guest_secret_hash = NULL, is_active = false
WHERE id = $1 RETURNING id, username, join_date, is_active
"""
_NOTE = """
INSERT INTO erasures (user_id) VALUES ($1) ON CONFLICT DO NOTHING RETURNING user_id
"""
_FORGET_NAMES = "DELETE FROM name_changes WHERE user_id = $1"
_UNFINISHED = "SELECT user_id FROM erasures WHERE finished_at IS NULL ORDER BY user_id LIMIT 100"
_MONTHS = """
SELECT DISTINCT date_trunc('month', timestamp, 'UTC') AS month FROM game_sessions
WHERE user_id = $1::bigint AND metadata IS NOT NULL
"""
# A month, which is a partition, in one statement.
_FORGET_METADATA = """
UPDATE game_sessions SET metadata = NULL
WHERE user_id = $1::bigint AND metadata IS NOT NULL
  AND timestamp >= $2 AND timestamp < $2 + interval '1 month'
"""
_FINISH = """
UPDATE erasures SET finished_at = now() WHERE user_id = $1 AND finished_at IS NULL
"""
_ERASED_AT = "SELECT erased_at FROM erasures WHERE user_id = $1"
_ALL = "SELECT user_id, erased_at, finished_at FROM erasures ORDER BY erased_at, user_id"


class Erased(NamedTuple):
    """A player who was erased; `finished_at` is None while metadata of games is still there."""

    user_id: int
    erased_at: datetime
    finished_at: datetime | None


class Erasures:
    """Erases players, and knows who was erased."""

    def __init__(self, engine: AsyncEngine, players: Players) -> None:
        self._engine = engine
        self._players = players

    async def erase(self, user_id: int, actor: str, reason: str | None = None) -> datetime:
        """Erases a player for good, on every board at once. Again, it changes nothing more.

        Returns when the player was erased, by the database's clock. Raises UnknownPlayer.
        """
        async with raw_connection(self._engine) as connection, connection.transaction():
            before = (await ledger.lock_players(connection, [user_id])).get(user_id)
            if before is None:
                raise UnknownPlayer(f"There is no player {user_id}.")
            is_new = await connection.fetchval(_NOTE, user_id) is not None
            if is_new:
                await connection.execute(_FORGET_NAMES, user_id)
                profile = await _forget(connection, user_id)
                kinds = ["deactivated", "erased"] if before.is_active else ["erased"]
                folds = await self._players.note(connection, profile, kinds)
                act = Act(actor, "player.erase", f"player:{user_id}", {}, reason)
                await audit.append(connection, act, self._players.sealer)
        if is_new:
            await self._players.reindex(profile, folds)
            log.info("player erased", user_id=user_id)
        await self._forget_metadata(user_id)
        return await self._erased_at(user_id)

    async def _erased_at(self, user_id: int) -> datetime:
        async with raw_connection(self._engine) as connection:
            at: datetime = await connection.fetchval(_ERASED_AT, user_id)
        return at

    async def all(self) -> list[Erased]:
        """Everybody who was erased, in the order of time."""
        async with raw_connection(self._engine) as connection:
            return [Erased(*row) for row in await connection.fetch(_ALL)]

    async def keep_finished(self) -> None:
        """Finishes what a worker that died has left, for as long as the service runs."""
        while True:
            await self.finish()
            await asyncio.sleep(FINISH_SECONDS)

    async def finish(self) -> None:
        """Finishes the erasures that were begun."""
        async with raw_connection(self._engine) as connection:
            unfinished = await connection.fetch(_UNFINISHED)
        for row in unfinished:
            await self._forget_metadata(row["user_id"])

    async def _forget_metadata(self, user_id: int) -> None:
        """A month in a transaction: nobody waits for it but games' metadata."""
        async with raw_connection(self._engine) as connection:
            for row in await connection.fetch(_MONTHS, user_id):
                await connection.execute(_FORGET_METADATA, user_id, row["month"])
            await connection.execute(_FINISH, user_id)


async def _forget(connection: RawConnection, user_id: int) -> Profile:
    """The player without what identifies one, under a name that nobody else has."""
    name = f"Erased player {user_id}"
    await connection.execute("UPDATE users SET name_key = NULL WHERE id = $1", user_id)
    while True:
        try:
            async with connection.transaction():
                row = await connection.fetchrow(
                    _FORGET, user_id, name, name_key(name), search_key(name)
                )
        except asyncpg.UniqueViolationError:
            name = f"Erased player {secrets.token_hex(8)}"
        else:
            return to_profile(row)
