"""One batch, one transaction: lock, read, decide, store, commit, and what to do when it fails."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import asyncpg
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.database import RawConnection, is_away, is_busy, raw_connection
from app.core.errors import Busy, DatabaseAway
from app.services import ledger
from app.services.boards import Boards
from app.services.ledger import UsedKey
from app.services.submissions import Submission
from app.services.submit.batch import Batch, Item
from app.services.submit.plan import Known, make_plan

ATTEMPTS = 4
"""Transactions tried for one batch, all within its deadline."""

_LOCKED = "55P03"
_LOST = "08"
"""Class of what is said of a connection that ended: another one may be well."""
_MAY_BE_STORED = (_LOST, "57")
"""Classes of what a server says that stops while it commits: a commit may have happened."""

NOT_STORED = "The score was not stored. Try again."
NOT_KNOWN = (
    "It is not known whether the score was stored. Try again with the same Idempotency-Key: "
    "it counts once."
)


class KeyRaceError(Exception):
    """Another transaction wrote one of this batch's keys first; it has ended by now."""


class RowLockedError(Exception):
    """A row that the batch needs was locked for too long."""


@dataclass(slots=True)
class Progress:
    """How far an attempt got. Before COMMIT is sent nothing can be stored, whatever fails."""

    is_committing: bool = False


class Transactions:
    """How batches are committed."""

    def __init__(self, engine: AsyncEngine, boards: Boards, window: timedelta) -> None:
        self._engine = engine
        self._boards = boards
        self._window = window

    async def commit(
        self, items: Sequence[Item], deadline: float, *, skip_locked: bool = False
    ) -> Batch:
        """Commits the items. Connecting, waiting and all attempts end at the deadline, a time of
        the event loop.

        With `skip_locked` nobody is waited for: items of locked players are left out. Raises
        RowLockedError, DatabaseAway, Busy, and PostgresError for what can't be stored.
        """
        for left in reversed(range(ATTEMPTS)):
            progress = Progress()
            try:
                async with asyncio.timeout_at(deadline):
                    return await self._try(items, progress, skip_locked=skip_locked)
            except KeyRaceError:
                if not left:
                    raise Busy("Too many repeats of one key at once. Nothing was stored.") from None
            except (
                asyncpg.PostgresError,
                asyncpg.InterfaceError,
                asyncpg.InternalClientError,
                SQLAlchemyError,
                OSError,
                TimeoutError,
            ) as error:
                _judge(error, progress, is_last=not left)
        raise AssertionError

    async def _try(self, items: Sequence[Item], progress: Progress, *, skip_locked: bool) -> Batch:
        async with raw_connection(self._engine) as connection:
            transaction = connection.transaction()
            await transaction.start()
            try:
                batch = await self._decide(connection, items, skip_locked=skip_locked)
                await self._store(connection, batch)
            except (OSError, TimeoutError, asyncpg.InterfaceError):
                raise  # the connection is closed, and the server rolls back
            except Exception:  # whatever it was, the connection goes back without a transaction
                await transaction.rollback()
                raise
            progress.is_committing = True
            await transaction.commit()
        return batch

    async def _decide(
        self, connection: RawConnection, items: Sequence[Item], *, skip_locked: bool
    ) -> Batch:
        user_ids = {item.submission.user_id for item in items}
        players = await ledger.lock_players(connection, user_ids, skip_locked=skip_locked)
        free, locked = list(items), []
        if skip_locked:
            held = await ledger.held_players(
                connection, [board.key for board in self._boards.open], user_ids, players
            )
            free = [item for item in items if item.submission.user_id not in held]
            locked = [item for item in items if item.submission.user_id in held]
        if not free:
            return Batch(locked=locked)
        now, ids = await ledger.draw_ids(connection, len(free))
        folds = await ledger.read_folds(
            connection, [board.key for board in self._boards.open], list(players)
        )
        submissions = [item.submission for item in free]
        used = await _read_keys(connection, [each for each in submissions if each.key is not None])
        known = Known(players, now, ids, folds, used)
        return Batch(free, make_plan(submissions, known, self._boards, self._window), locked)

    async def _store(self, connection: RawConnection, batch: Batch) -> None:
        plan = batch.plan
        if not plan.rows:
            return
        if plan.keys:
            if await ledger.claim_keys(connection, plan.keys) < len(plan.keys):
                raise KeyRaceError
            kept = plan.kept_keys
            if kept and await ledger.keep_keys(connection, kept) < len(kept):
                raise KeyRaceError  # forgotten in this moment: the key is free for the next try
        await ledger.insert_sessions(connection, plan.rows)
        # In the order of all locks, whatever the order in which the scores came.
        folds = [
            (board.key, changed[user_id])
            for board, changed in sorted(plan.folds.items(), key=lambda each: each[0].key)
            for user_id in sorted(changed)
        ]
        there = [each for each in folds if (*each[0], each[1].user_id) in plan.known]
        await ledger.store_folds(connection, there, new=False)
        if len(there) < len(folds):
            fresh = [each for each in folds if (*each[0], each[1].user_id) not in plan.known]
            await ledger.store_folds(connection, fresh, new=True)


async def _read_keys(
    connection: RawConnection, submissions: Sequence[Submission]
) -> dict[bytes, UsedKey]:
    """What the submissions' keys were used for. Only where another lineage of API keys was first
    with a key is there more than one query."""
    if not submissions:
        return {}
    used = await ledger.read_keys(connection, [each.key_hash for each in submissions])
    apart = [
        each.own_key_hash
        for each in submissions
        if (use := used.get(each.key_hash)) is not None and not each.owns(use.lineage)
    ]
    return {**used, **await ledger.read_keys(connection, apart)} if apart else used


def _judge(error: Exception, progress: Progress, *, is_last: bool) -> None:
    """Returns if the batch may be tried again, else raises what it comes to."""
    sqlstate = error.sqlstate or "" if isinstance(error, asyncpg.PostgresError) else None
    if sqlstate == _LOCKED:
        raise RowLockedError from error
    if is_busy(error) and not is_last:
        return
    if not is_away(error):
        raise error
    if progress.is_committing and (sqlstate is None or sqlstate.startswith(_MAY_BE_STORED)):
        raise DatabaseAway(NOT_KNOWN) from error
    is_lost = sqlstate is None or sqlstate.startswith(_LOST)
    if is_last or not is_lost or isinstance(error, TimeoutError):
        raise DatabaseAway(NOT_STORED) from error
