"""Making, listing, rotating and revoking API keys; each act is in the audit log."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.database import RawConnection, raw_connection
from app.core.errors import KeyNotActive, UnknownKey
from app.services.access import audit
from app.services.access.audit import Act
from app.services.access.callers import Scope
from app.services.access.keys import NewKey, hash_secret
from app.services.access.sealing import UNSEALED, Sealer

_COLUMNS = """
id, name, prefix, scopes, created_at, expires_at, revoked_at, rotated_from, last_used_at,
CASE WHEN revoked_at IS NOT NULL THEN 'revoked' WHEN expires_at <= now() THEN 'expired'
     ELSE 'active' END AS status
"""

_INSERT = f"""
INSERT INTO api_keys (name, prefix, secret_hash, scopes, expires_at, rotated_from)
VALUES ($1, $2, $3, $4, now() + make_interval(secs => $5::float8), $6) RETURNING {_COLUMNS}
"""  # noqa: S608 - constants alone

_ALL = f"SELECT {_COLUMNS} FROM api_keys ORDER BY id DESC"  # noqa: S608

_LOCK = f"SELECT {_COLUMNS} FROM api_keys WHERE id = $1 FOR UPDATE"  # noqa: S608

_END = f"""
UPDATE api_keys SET expires_at = least(expires_at, now() + make_interval(secs => $2::float8))
WHERE id = $1 RETURNING {_COLUMNS}
"""  # noqa: S608

_REVOKE = f"UPDATE api_keys SET revoked_at = now() WHERE id = $1 RETURNING {_COLUMNS}"  # noqa: S608

_HAS_ADMIN = """
SELECT EXISTS (SELECT FROM api_keys WHERE 'admin' = ANY(scopes) AND revoked_at IS NULL
               AND (expires_at IS NULL OR expires_at > now()))
"""

_IS_ACTIVE = """
SELECT EXISTS (SELECT FROM api_keys WHERE secret_hash = $1 AND revoked_at IS NULL
               AND (expires_at IS NULL OR expires_at > now()))
"""


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """All that is ever shown of a key. `status` is active, expired or revoked."""

    id: int
    name: str
    prefix: str
    scopes: tuple[Scope, ...]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    rotated_from: int | None
    last_used_at: datetime | None
    status: str


@dataclass(frozen=True, slots=True)
class MadeKey:
    """A new key with its text, which is told this once."""

    info: KeyInfo
    text: str


def _info(row: asyncpg.Record | None) -> KeyInfo:
    if row is None:
        raise AssertionError
    return KeyInfo(**{**row, "scopes": tuple(map(Scope, row["scopes"]))})


class KeyAdmin:
    """The keys as administrators handle them. `actor` is who does it, for the log."""

    def __init__(self, engine: AsyncEngine, sealer: Sealer = UNSEALED) -> None:
        self._engine = engine
        self._sealer = sealer

    async def create(
        self,
        name: str,
        scopes: Collection[Scope],
        actor: str,
        *,
        expires_in: float | None = None,
        reason: str | None = None,
    ) -> MadeKey:
        """A new key, which ends after `expires_in` seconds or never."""
        async with raw_connection(self._engine) as connection, connection.transaction():
            made = await _insert(connection, name, scopes, expires_in, None)
            detail = {**_said(made.info), "name": name, "scopes": sorted(scopes)}
            act = Act(actor, "key.create", f"key:{made.info.prefix}", detail, reason)
            await audit.append(connection, act, self._sealer)
        return made

    async def all(self) -> list[KeyInfo]:
        """All keys that there ever were, newest first."""
        async with raw_connection(self._engine) as connection:
            return [_info(row) for row in await connection.fetch(_ALL)]

    async def has_admin(self) -> bool:
        """Whether somebody can administrate by key."""
        async with raw_connection(self._engine) as connection:
            return bool(await connection.fetchval(_HAS_ADMIN))

    async def is_active(self, text: str) -> bool:
        """Whether this is the text of a key that lives."""
        async with raw_connection(self._engine) as connection:
            return bool(await connection.fetchval(_IS_ACTIVE, hash_secret(text)))

    async def rotate(
        self, key_id: int, actor: str, *, overlap: float, reason: str | None = None
    ) -> MadeKey:
        """A new key for the old one's purpose; the old one ends after `overlap` seconds at last.

        The new one lasts as long as the old one was made for. Raises UnknownKey, KeyNotActive.
        """
        async with raw_connection(self._engine) as connection, connection.transaction():
            old = await _lock(connection, key_id)
            if old.status != "active":
                raise KeyNotActive(f"Key {old.prefix} is {old.status}. Make a new one.")
            lasts = None
            if old.expires_at is not None:
                lasts = (old.expires_at - old.created_at).total_seconds()
            made = await _insert(connection, old.name, old.scopes, lasts, old.id)
            ended = _info(await connection.fetchrow(_END, old.id, overlap))
            detail = {"new_key": made.info.prefix, **_said(ended)}
            act = Act(actor, "key.rotate", f"key:{old.prefix}", detail, reason)
            await audit.append(connection, act, self._sealer)
        return made

    async def revoke(self, key_id: int, actor: str, *, reason: str | None = None) -> KeyInfo:
        """Ends a key for good, now. Revoked again, it stays as it is. Raises UnknownKey."""
        async with raw_connection(self._engine) as connection, connection.transaction():
            key = await _lock(connection, key_id)
            if key.status == "revoked":
                return key
            revoked = _info(await connection.fetchrow(_REVOKE, key_id))
            act = Act(actor, "key.revoke", f"key:{key.prefix}", {"name": key.name}, reason)
            await audit.append(connection, act, self._sealer)
        return revoked

    async def find(self, prefix: str) -> KeyInfo:
        """A key by its visible part. Raises UnknownKey."""
        for key in await self.all():
            if key.prefix == prefix:
                return key
        raise UnknownKey(f"There is no key {prefix!r}.")


async def _insert(
    connection: RawConnection,
    name: str,
    scopes: Collection[Scope],
    expires_in: float | None,
    rotated_from: int | None,
) -> MadeKey:
    new = NewKey.make()
    row = await connection.fetchrow(
        _INSERT, name, new.prefix, hash_secret(new.text), sorted(scopes), expires_in, rotated_from
    )
    return MadeKey(_info(row), new.text)


async def _lock(connection: RawConnection, key_id: int) -> KeyInfo:
    row = await connection.fetchrow(_LOCK, key_id)
    if row is None:
        raise UnknownKey(f"There is no key {key_id}.")
    return _info(row)


def _said(key: KeyInfo) -> dict[str, str | None]:
    ends = key.expires_at
    return {"expires_at": None if ends is None else ends.isoformat(timespec="seconds")}
