"""The audit log: who did what to what, when and why. Append-only, each row chained to the last.

A row's hash is over all its fields and the hash of the row before, and `audit_head` has the
newest number and hash. So a row that was altered, removed or moved is found. A seal (see
`sealing.py`) is over the hash: no one without AUTH_SECRET can write a chain that passes. A log that
was set back to an older state is found by a number and hash that was noted elsewhere. The head's
row is also the lock: acts are numbered one after the other, without a gap.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.database import RawConnection, raw_connection
from app.services.access.sealing import Sealer

GENESIS = bytes(32)
"""What the first row has in the place of the hash of the one before."""

_LOCK_HEAD = "SELECT last_id, hash, clock_timestamp() AS now FROM audit_head FOR UPDATE"

_INSERT = """
INSERT INTO audit_log (id, at, actor, action, subject, detail, reason, prev_hash, hash, seal)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""

_SEAL_OF = "SELECT seal FROM audit_log WHERE id = $1"

_MOVE_HEAD = "UPDATE audit_head SET last_id = $1, hash = $2"

_PAGE = """
SELECT id, at, actor, action, subject, detail, reason, prev_hash, hash FROM audit_log
WHERE id < $1 ORDER BY id DESC LIMIT $2
"""

NEWEST = 2**63 - 1
"""Before all rows of a page."""


@dataclass(frozen=True, slots=True)
class Act:
    """What is done, before it has its place in the log. `detail` holds what JSON can say, and no
    secret."""

    actor: str
    action: str
    subject: str
    detail: Mapping[str, Any]
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the log."""

    id: int
    at: datetime
    actor: str
    action: str
    subject: str
    detail: dict[str, Any]
    reason: str | None
    prev_hash: bytes
    hash: bytes
    seal: bytes | None = None

    def digest(self, number: int | None = None) -> bytes:
        """The hash that the row should have, as itself or as another number."""
        fields = [
            self.id if number is None else number,
            self.at.astimezone(UTC).isoformat(timespec="microseconds"),
            self.actor,
            self.action,
            self.subject,
            self.detail,
            self.reason,
            self.prev_hash.hex(),
        ]
        canonical = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(canonical.encode()).digest()


def to_entry(row: asyncpg.Record) -> Entry:
    """A row as PostgreSQL gives it; its JSON may come as text."""
    detail = row["detail"]
    fields = {**row, "detail": json.loads(detail) if isinstance(detail, str) else detail}
    return Entry(**fields)


async def append(connection: RawConnection, act: Act, sealer: Sealer) -> int:
    """Writes the act in the transaction that does it: both are there, or neither. Its number.

    Taken last of all locks: the head is held until the transaction ends.
    """
    head = await connection.fetchrow(_LOCK_HEAD)
    if head is None:
        raise LookupError("audit_head is empty: run `leaderboard verify`")
    draft = Entry(
        head["last_id"] + 1,
        head["now"],
        act.actor,
        act.action,
        act.subject,
        dict(act.detail),
        act.reason,
        head["hash"],
        b"",
    )
    digest = draft.digest()
    detail = json.dumps(draft.detail)
    await connection.execute(
        _INSERT, draft.id, draft.at, act.actor, act.action, act.subject, detail, act.reason,
        draft.prev_hash, digest, sealer.seal(draft.id, digest),
    )  # fmt: skip
    await connection.execute(_MOVE_HEAD, draft.id, digest)
    return draft.id


async def seal_newest(engine: AsyncEngine, sealer: Sealer) -> None:
    """Has the newest row sealed with today's secret, by a row of its own if need be: after an
    upgrade, and after the secret was rotated."""
    if not sealer.on:
        return
    async with raw_connection(engine) as connection, connection.transaction():
        head = await connection.fetchrow(_LOCK_HEAD)
        if head is None or not head["last_id"]:
            return
        seal = await connection.fetchval(_SEAL_OF, head["last_id"])
        if not sealer.is_current(head["last_id"], head["hash"], seal):
            await append(connection, Act("service", "audit.seal", "audit", {}), sealer)


async def record(engine: AsyncEngine, act: Act, sealer: Sealer) -> None:
    """Writes an act that happens outside of the database, in a transaction of its own."""
    async with raw_connection(engine) as connection, connection.transaction():
        await append(connection, act, sealer)


class AuditLog:
    """The log as administrators read it."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def page(self, limit: int, before: int = NEWEST) -> tuple[list[Entry], int | None]:
        """(entries below the number `before`, newest first; the next page's `before`, if any)."""
        async with raw_connection(self._engine) as connection:
            rows = await connection.fetch(_PAGE, before, limit + 1)
        entries = [to_entry(row) for row in rows[:limit]]
        return entries, entries[-1].id if len(rows) > limit else None
