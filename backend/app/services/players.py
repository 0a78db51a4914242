"""Players: joining, looking up, renaming, deactivating and coming back."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime

import asyncpg
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.database import RawConnection, raw_connection
from app.core.errors import (
    EmailTaken,
    Forbidden,
    PlayerErased,
    PlayerInactive,
    UnknownPlayer,
    UsernameTaken,
)
from app.core.names import name_key, search_key
from app.services import ledger
from app.services.access import audit
from app.services.access.audit import Act
from app.services.access.callers import Caller, Kind
from app.services.access.sealing import UNSEALED, Sealer
from app.services.boards import Boards
from app.services.fold import Fold
from app.services.player_names import named
from app.services.rank_index.index import IndexAway, IndexedFold
from app.services.rows import encode_details
from app.services.standings import StandingsByBoard

log = structlog.get_logger(__name__)

KEEP = ""
"""In the place of an e-mail address: it stays. No address is empty."""

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

_GET = f"""
SELECT {COLUMNS}, EXISTS (SELECT FROM erasures WHERE user_id = users.id) AS is_erased
FROM users WHERE id = $1
"""  # noqa: S608 - constants alone

_IS_ERASED = "SELECT EXISTS (SELECT FROM erasures WHERE user_id = $1)"

_CHANGE_EMAIL = "UPDATE users SET email = $2 WHERE id = $1 AND email IS DISTINCT FROM $2"

_NOTE_NAMES = """
INSERT INTO name_changes (audit_id, user_id, salt, name_before, name_after)
VALUES ($1, $2, $3, $4, $5)
"""

_BY_NAME = f"""
SELECT {COLUMNS}, EXISTS (SELECT FROM erasures WHERE user_id = users.id) AS is_erased
FROM users WHERE {named("$1", "$2")}
"""  # noqa: S608 - constants alone


@dataclass(frozen=True, slots=True)
class Profile:
    """What everybody may see of a player."""

    user_id: int
    username: str
    join_date: datetime
    is_active: bool


async def _seal(
    connection: RawConnection,
    sealer: Sealer,
    caller: Caller,
    before: ledger.Player,
    after: Profile,
    kinds: list[str],
    reason: str | None,
) -> None:
    """Notes the act in the audit log. Names stand beside the log, which can't be changed; in it are
    salted hashes, so that an erasure takes the names away and the log stays whole."""
    detail: dict[str, object] = {"kinds": kinds}
    names = before.username, after.username
    salt = secrets.token_bytes(16)
    if "renamed" in kinds:
        detail["username_hashes"] = [_hash_name(name, salt) for name in names]
    act = Act(caller.actor, "player.change", f"player:{after.user_id}", detail, reason)
    number = await audit.append(connection, act, sealer)
    if "renamed" in kinds:
        await connection.execute(_NOTE_NAMES, number, after.user_id, salt, *names)


def _hash_name(name: str, salt: bytes) -> str:
    return hmac.new(salt, name.encode(), hashlib.sha256).hexdigest()[:32]


async def _change_email(connection: RawConnection, user_id: int, email: str | None) -> list[str]:
    """What was done, for the audit log: which address it is does not stand there."""
    if email == KEEP:
        return []
    done = await connection.execute(_CHANGE_EMAIL, user_id, email)
    return [] if done == "UPDATE 0" else ["e-mail"]


async def _rename(connection: RawConnection, user_id: int, username: str) -> None:
    await connection.execute(_RENAME[0], user_id)
    keys = name_key(username), search_key(username)
    await connection.execute(_RENAME[1], user_id, username, *keys)


def to_profile(row: asyncpg.Record | None) -> Profile:
    """A profile from a row with `COLUMNS`."""
    if row is None:
        raise AssertionError
    return Profile(row["id"], row["username"], row["join_date"], row["is_active"])


def _taken(error: asyncpg.UniqueViolationError, username: str | None) -> Exception:
    if error.constraint_name == "uq_users_email":
        return EmailTaken("This e-mail address belongs to another player.")
    return UsernameTaken(f"The name {username!r} belongs to another player.")


class Players:
    """The players' directory."""

    def __init__(
        self,
        engine: AsyncEngine,
        boards: Boards,
        standings: StandingsByBoard,
        sealer: Sealer = UNSEALED,
    ) -> None:
        self._engine = engine
        self.sealer = sealer
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
        return to_profile(row)

    async def get(self, user_id: int) -> Profile:
        """Raises UnknownPlayer, PlayerErased."""
        async with raw_connection(self._engine) as connection:
            row = await connection.fetchrow(_GET, user_id)
        if row is None:
            raise UnknownPlayer(f"There is no player {user_id}.")
        if row["is_erased"]:
            raise PlayerErased(f"Player {user_id} was erased.")
        return to_profile(row)

    async def find(self, username: str) -> Profile:
        """By name, in any spelling that counts as the same. Raises UnknownPlayer."""
        async with raw_connection(self._engine) as connection:
            row = await connection.fetchrow(_BY_NAME, username, name_key(username))
        if row is None or row["is_erased"]:
            raise UnknownPlayer(f"There is no player named {username!r}.")
        return to_profile(row)

    async def change(
        self,
        user_id: int,
        caller: Caller,
        *,
        username: str | None = None,
        is_active: bool | None = None,
        email: str | None = KEEP,
        reason: str | None = None,
    ) -> Profile:
        """Renames, deactivates or brings back; every board shows it at once. An e-mail address is
        changed, or removed with None.

        A player who is deactivated keeps every score and loses every rank until reactivated.
        Each change is in the audit log. A player may change the own name and address.
        Raises UnknownPlayer, PlayerErased, UsernameTaken, EmailTaken, Forbidden, PlayerInactive.
        """
        own = caller.kind is Kind.PLAYER
        if own and (caller.user_id != user_id or is_active is not None):
            raise Forbidden("A player's token changes that player's own name and e-mail.")
        async with raw_connection(self._engine) as connection, connection.transaction():
            before = (await ledger.lock_players(connection, [user_id])).get(user_id)
            if before is None:
                raise UnknownPlayer(f"There is no player {user_id}.")
            if await connection.fetchval(_IS_ERASED, user_id):
                raise PlayerErased(f"Player {user_id} was erased.")
            if own and not before.is_active:
                raise PlayerInactive(f"Player {user_id} is deactivated.")
            try:
                if username is not None and username != before.username:
                    await _rename(connection, user_id, username)
                told = await _change_email(connection, user_id, email)
                profile = to_profile(await connection.fetchrow(_CHANGE, user_id, is_active))
            except asyncpg.UniqueViolationError as error:
                raise _taken(error, username) from error
            kinds = _kinds(before, profile)
            folds = await self.note(connection, profile, kinds) if kinds else {}
            if kinds or told:
                await _seal(connection, self.sealer, caller, before, profile, kinds + told, reason)
        if kinds:
            await self.reindex(profile, folds)
            log.info("player changed", user_id=user_id, kinds=kinds)
        return profile

    async def note(
        self, connection: RawConnection, profile: Profile, kinds: list[str]
    ) -> dict[tuple[int, int], Fold]:
        """Writes the player's events, under the player's lock, and makes them the version of the
        player's folds. The folds by (board_id, season), for `reindex` after the commit."""
        _, ids = await ledger.draw_ids(connection, len(kinds))
        for event_id, kind in zip(ids, kinds, strict=True):
            await connection.execute(_EVENT, event_id, profile.user_id, kind)
        rows = await connection.fetch(_TOUCH_FOLDS, profile.user_id, ids[-1], profile.is_active)
        return {(row["board_id"], row["season"]): ledger.to_fold(row) for row in rows}

    async def reindex(self, profile: Profile, folds: dict[tuple[int, int], Fold]) -> None:
        """Shows a change on every board, after its commit."""
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
