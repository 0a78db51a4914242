"""Players: joining, looking up, renaming, deactivating and coming back."""

from dataclasses import dataclass
from datetime import datetime

import asyncpg
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.database import RawConnection, raw_connection
from app.core.errors import (
    EmailTaken,
    Forbidden,
    PlayerInactive,
    UnknownPlayer,
    UsernameTaken,
)
from app.core.names import name_key, search_key
from app.services import ledger
from app.services.access import audit
from app.services.access.audit import Act
from app.services.access.callers import Caller, Kind
from app.services.boards import Boards
from app.services.fold import Fold
from app.services.player_names import named
from app.services.rank_index.index import IndexAway, IndexedFold
from app.services.rows import encode_details
from app.services.standings import StandingsByBoard

log = structlog.get_logger(__name__)

COLUMNS = "id, username, join_date, is_active"

_CREATE = f"""
INSERT INTO users (username, email, guest_secret_hash, name_key, search_key)
VALUES ($1, $2, $3, $4, $5) RETURNING {COLUMNS}
"""  # noqa: S608 - constants alone

_CHANGE = f"""
UPDATE users SET is_active = coalesce($2, is_active) WHERE id = $1 RETURNING {COLUMNS}
"""  # noqa: S608 - constants alone

# In two steps, because a trigger takes the key for stale that does not change with the name.
_RENAME = (
    "UPDATE users SET name_key = NULL WHERE id = $1",
    "UPDATE users SET username = $2, name_key = $3, search_key = $4 WHERE id = $1",
)

_EVENT = "INSERT INTO player_events (id, user_id, kind) VALUES ($1, $2, $3)"

# The fold takes the event's number as its version, so that the index takes it as news.
_TOUCH_FOLDS = """
UPDATE leaderboard SET version = $2, is_active = $3 WHERE user_id = $1
RETURNING board_id, season, user_id, total_score, achieved_id, achieved_at, version,
          games_played, decided, wins, is_active
"""

_BY_NAME = f"SELECT {COLUMNS} FROM users WHERE {named('$1', '$2')}"  # noqa: S608


@dataclass(frozen=True, slots=True)
class Profile:
    """What everybody may see of a player."""

    user_id: int
    username: str
    join_date: datetime
    is_active: bool


async def _rename(connection: RawConnection, user_id: int, username: str) -> None:
    await connection.execute(_RENAME[0], user_id)
    keys = name_key(username), search_key(username)
    await connection.execute(_RENAME[1], user_id, username, *keys)


def to_profile(row: asyncpg.Record) -> Profile:
    """A profile from a row with `COLUMNS`."""
    return Profile(row["id"], row["username"], row["join_date"], row["is_active"])


def _taken(error: asyncpg.UniqueViolationError, username: str | None) -> Exception:
    if error.constraint_name == "uq_users_email":
        return EmailTaken("This e-mail address belongs to another player.")
    return UsernameTaken(f"The name {username!r} belongs to another player.")


class Players:
    """The players' directory."""

    def __init__(self, engine: AsyncEngine, boards: Boards, standings: StandingsByBoard) -> None:
        self._engine = engine
        self._boards = boards
        self._standings = standings

    async def create(
        self, username: str, email: str | None, *, guest_secret_hash: bytes | None = None
    ) -> Profile:
        """Raises UsernameTaken, EmailTaken."""
        async with raw_connection(self._engine) as connection:
            try:
                row = await connection.fetchrow(
                    _CREATE, username, email, guest_secret_hash, name_key(username),
                    search_key(username),
                )  # fmt: skip
            except asyncpg.UniqueViolationError as error:
                raise _taken(error, username) from error
        if row is None:
            raise AssertionError
        return to_profile(row)

    async def get(self, user_id: int) -> Profile:
        """Raises UnknownPlayer."""
        query = f"SELECT {COLUMNS} FROM users WHERE id = $1"  # noqa: S608
        async with raw_connection(self._engine) as connection:
            row = await connection.fetchrow(query, user_id)
        if row is None:
            raise UnknownPlayer(f"There is no player {user_id}.")
        return to_profile(row)

    async def find(self, username: str) -> Profile:
        """By name, in any spelling that counts as the same. Raises UnknownPlayer."""
        async with raw_connection(self._engine) as connection:
            row = await connection.fetchrow(_BY_NAME, username, name_key(username))
        if row is None:
            raise UnknownPlayer(f"There is no player named {username!r}.")
        return to_profile(row)

    async def change(
        self,
        user_id: int,
        caller: Caller,
        *,
        username: str | None = None,
        is_active: bool | None = None,
        reason: str | None = None,
    ) -> Profile:
        """Renames, deactivates or brings back; every board shows it at once.

        A player who is deactivated keeps every score and loses every rank until reactivated.
        What an administrator changes is in the audit log; a player may change the own name.
        Raises UnknownPlayer, UsernameTaken, Forbidden, PlayerInactive.
        """
        own = caller.kind is Kind.PLAYER
        if own and (caller.user_id != user_id or is_active is not None):
            raise Forbidden("A player's token changes that player's own name.")
        async with raw_connection(self._engine) as connection, connection.transaction():
            before = (await ledger.lock_players(connection, [user_id])).get(user_id)
            if before is None:
                raise UnknownPlayer(f"There is no player {user_id}.")
            if own and not before.is_active:
                raise PlayerInactive(f"Player {user_id} is deactivated.")
            try:
                if username not in (None, before.username):
                    await _rename(connection, user_id, username)
                row = await connection.fetchrow(_CHANGE, user_id, is_active)
            except asyncpg.UniqueViolationError as error:
                raise _taken(error, username) from error
            if row is None:
                raise AssertionError
            profile = to_profile(row)
            kinds = _kinds(before, profile)
            if not kinds:
                return profile
            _, ids = await ledger.draw_ids(connection, len(kinds))
            for event_id, kind in zip(ids, kinds, strict=True):
                await connection.execute(_EVENT, event_id, user_id, kind)
            rows = await connection.fetch(_TOUCH_FOLDS, user_id, ids[-1], profile.is_active)
            if not own:
                detail = {"kinds": kinds, "username": [before.username, profile.username]}
                act = Act(caller.actor, "player.change", f"player:{user_id}", detail, reason)
                await audit.append(connection, act)
        await self._reindex(
            profile, {(r["board_id"], r["season"]): ledger.to_fold(r) for r in rows}
        )
        log.info("player changed", user_id=user_id, kinds=kinds)
        return profile

    async def _reindex(self, profile: Profile, folds: dict[tuple[int, int], Fold]) -> None:
        for standings in self._standings.all:
            fold = folds.get(standings.board.key)
            if fold is not None:
                details = encode_details(fold, profile.username)
                try:
                    await standings.apply([IndexedFold(fold, details)])
                except IndexAway:
                    # The keeper finds the event in the tail when the index is back.
                    continue


def _kinds(before: ledger.Player, after: Profile) -> list[str]:
    kinds = []
    if before.username != after.username:
        kinds.append("renamed")
    if before.is_active and not after.is_active:
        kinds.append("deactivated")
    if after.is_active and not before.is_active:
        kinds.append("reactivated")
    return kinds
