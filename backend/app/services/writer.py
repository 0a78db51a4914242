"""The write path: submissions that wait together become one transaction, with no delay added.

A lane takes what has gathered, commits it, and hands it to the index; while that is under way
the lane may already be in its next transaction. Nobody is answered before the commit, and
nobody is told a rank that the index doesn't have yet.
"""

import asyncio
import contextvars
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

import asyncpg
import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.config import Settings
from app.core.database import RawConnection, is_away, raw_connection
from app.core.errors import (
    AppError,
    DatabaseAway,
    IdempotencyMismatch,
    InternalError,
    Overloaded,
    PlayerInactive,
    ShuttingDown,
    UnknownPlayer,
)
from app.core.metrics.tally import SIZES, Histogram
from app.services import ledger
from app.services.boards import Boards, BoardSeason
from app.services.fold import Fold, add_session
from app.services.ledger import Player, SessionRow, UsedKey
from app.services.rank_index.index import IndexAway, IndexedFold
from app.services.standings import Standings, StandingsByBoard
from app.services.submissions import Receipt, Submission, check_played_at

log = structlog.get_logger(__name__)

ATTEMPTS = 4
"""Transactions tried for one batch before its halves are tried apart."""

_TRY_AGAIN = ("40001", "40P01", "55P03")
"""Serialization failure, deadlock, lock timeout: the same batch may well succeed next time."""


class KeyRaceError(Exception):
    """Another transaction wrote one of this batch's keys first; it has ended by now."""


@dataclass(slots=True)
class Item:
    """A submission that waits for its receipt."""

    submission: Submission
    receipt: "asyncio.Future[Receipt]"

    def fail(self, error: BaseException) -> None:
        if not self.receipt.done():
            self.receipt.set_exception(error)

    def succeed(self, receipt: Receipt) -> None:
        if not self.receipt.done():
            self.receipt.set_result(receipt)


@dataclass(slots=True)
class Batch:
    """What one transaction does, decided under the players' locks."""

    accepted: list[tuple[Item, int]] = field(default_factory=list)
    replayed: list[tuple[Item, int]] = field(default_factory=list)
    refused: list[tuple[Item, AppError]] = field(default_factory=list)
    rows: list[SessionRow] = field(default_factory=list)
    folds: dict[BoardSeason, dict[int, Fold]] = field(default_factory=dict)
    keys: dict[bytes, UsedKey] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    known: dict[tuple[int, int, int], Fold] = field(default_factory=dict)


class BatchSeen(NamedTuple):
    """A batch that was committed, for who looks on."""

    accepted: int
    replayed: int
    refused: int
    seconds: float


class Written:
    """What a writer counts: batches that were committed, and what became of submissions."""

    def __init__(self) -> None:
        self.accepted = self.replayed = 0
        self.refused: Counter[str] = Counter()
        """By the code of the error."""
        self.sizes = Histogram(SIZES)
        self.seconds = Histogram()
        self.on_batch: Callable[[BatchSeen], None] | None = None

    def count(self, batch: Batch, seconds: float) -> None:
        """A batch that was committed."""
        accepted, replayed = len(batch.accepted), len(batch.replayed)
        refused = len(batch.refused)
        self.accepted += accepted
        self.replayed += replayed
        for _, error in batch.refused:
            self.refused[error.code] += 1
        self.sizes.observe(accepted + replayed + refused)
        self.seconds.observe(seconds)
        if self.on_batch is not None:
            self.on_batch(BatchSeen(accepted, replayed, refused, seconds))


class Writer:
    """One a worker. `submit` and `submit_all` answer when the score is durable and ranked."""

    def __init__(
        self, engine: AsyncEngine, settings: Settings, boards: Boards, standings: StandingsByBoard
    ) -> None:
        self._engine = engine
        self._boards = boards
        self._standings = standings
        self._max_batch = settings.writer_max_batch
        self._max_queue = settings.writer_max_queue
        self._window = timedelta(seconds=settings.played_at_window)
        self.written = Written()
        self._waiting: deque[Item] = deque()
        self._free_lanes = settings.writer_lanes
        self._in_index: set[asyncio.Task[None]] = set()
        # While one batch is in the index, the next is in its transaction; no more than that, so
        # that a slow index slows the writers down instead of piling up work.
        self._index_room = asyncio.Semaphore(settings.writer_lanes)
        self._lanes: set[asyncio.Task[None]] = set()
        self._closed = False

    @property
    def queued(self) -> int:
        """Submissions that wait for a transaction."""
        return len(self._waiting)

    @property
    def closed(self) -> bool:
        """Whether it takes no more, because the worker is stopping."""
        return self._closed

    def submit(self, submission: Submission) -> "asyncio.Future[Receipt]":
        """The receipt to come. Raises Overloaded or ShuttingDown at once; the future raises
        UnknownPlayer, PlayerInactive, TotalOutOfRange, IdempotencyMismatch, DatabaseAway."""
        if self._closed:
            self.written.refused[ShuttingDown.code] += 1
            raise ShuttingDown("This worker is stopping. Try again.")
        if len(self._waiting) >= self._max_queue:
            self.written.refused[Overloaded.code] += 1
            raise Overloaded("Too many scores are waiting to be written. Nothing was stored.")
        item = Item(submission, asyncio.get_running_loop().create_future())
        self._waiting.append(item)
        if self._free_lanes:
            self._free_lanes -= 1
            # A lane writes for many: it belongs to no request, and not to the one that began it.
            lane = asyncio.create_task(self._run_lane(), context=contextvars.Context())
            self._lanes.add(lane)
            lane.add_done_callback(self._lanes.discard)
        return item.receipt

    def room_for(self, count: int) -> bool:
        """Whether a caller may bring so many submissions at once."""
        return len(self._waiting) + count <= self._max_queue

    async def close(self) -> None:
        """Takes no more, and returns when all that was taken is answered."""
        self._closed = True
        while self._lanes or self._in_index:
            await asyncio.wait({*self._lanes, *self._in_index})

    async def _run_lane(self) -> None:
        try:
            while self._waiting:
                size = min(len(self._waiting), self._max_batch)
                items = [self._waiting.popleft() for _ in range(size)]
                try:
                    await self._write(items)
                except Exception:  # a defect of ours: nobody may be left waiting for it
                    log.exception("batch failed", size=size)
                    self.written.refused[InternalError.code] += size
                    for item in items:
                        item.fail(InternalError("The score could not be written."))
        finally:
            self._free_lanes += 1

    async def _write(self, items: Sequence[Item]) -> None:
        """Commits the items; if the batch can't be, tries its halves until the culprit is alone."""
        started = time.perf_counter()
        try:
            batch = await self._commit(items)
        except DatabaseAway as error:
            self.written.refused[error.code] += len(items)
            for item in items:
                item.fail(error)
        except asyncpg.PostgresError:
            if len(items) == 1:
                log.exception("submission refused by the database")
                self.written.refused[InternalError.code] += 1
                items[0].fail(InternalError("The database refused this submission."))
                return
            middle = len(items) // 2
            await self._write(items[:middle])
            await self._write(items[middle:])
        else:
            self.written.count(batch, time.perf_counter() - started)
            for item, refusal in batch.refused:
                item.fail(refusal)
            await self._index_room.acquire()
            task = asyncio.create_task(self._index(batch))
            self._in_index.add(task)
            task.add_done_callback(self._in_index.discard)

    async def _commit(self, items: Sequence[Item]) -> Batch:
        for attempt in range(ATTEMPTS):
            last = attempt == ATTEMPTS - 1
            began = False
            try:
                async with raw_connection(self._engine) as connection:
                    async with connection.transaction():
                        began = True
                        batch = await self._decide(connection, items)
                        await self._store(connection, batch)
                    return batch
            except KeyRaceError:
                if last:
                    raise DatabaseAway("Too many repeats of one key at once.") from None
            except asyncpg.PostgresError as error:
                if is_away(error):
                    raise DatabaseAway("The score was not stored. Try again.") from error
                if last or error.sqlstate not in _TRY_AGAIN:
                    raise
            except (
                OSError,
                TimeoutError,
                SQLAlchemyError,
                asyncpg.InterfaceError,
                asyncpg.InternalClientError,
            ) as error:
                # A connection that died in the pool has done nothing yet: take another one.
                if last or began or not is_away(error):
                    raise DatabaseAway(
                        "It is not known whether the score was stored. Try again with the same "
                        "Idempotency-Key: it counts once."
                    ) from error
        raise AssertionError

    async def _decide(self, connection: RawConnection, items: Sequence[Item]) -> Batch:
        submissions = [item.submission for item in items]
        user_ids = {submission.user_id for submission in submissions}
        players = await ledger.lock_players(connection, user_ids)
        now, ids = await ledger.draw_ids(connection, len(items))
        folds = await ledger.read_folds(
            connection, [board.key for board in self._boards.open], list(players)
        )
        key_hashes = [each.key_hash for each in submissions if each.key is not None]
        used = await ledger.read_keys(connection, key_hashes) if key_hashes else {}
        return self._plan(items, players, now, ids, folds, used)

    def _plan(
        self,
        items: Sequence[Item],
        players: dict[int, Player],
        now: datetime,
        ids: Sequence[int],
        known: dict[tuple[int, int, int], Fold],
        used: dict[bytes, UsedKey],
    ) -> Batch:
        """Decides on every item alone, in the order in which they came."""
        batch = Batch(known=known)
        for item, session_id in zip(items, ids, strict=True):
            submission = item.submission
            try:
                player = self._admit(submission, players, now)
                use = self._earlier(submission, used, batch)
                if use is not None:
                    batch.replayed.append((item, use.session_id))
                    continue
                at = submission.played_at or now
                changed = self._fold(batch, known, submission, session_id, at)
            except AppError as error:
                batch.refused.append((item, error))
                continue
            except Exception:  # one item's defect is not its neighbours'
                log.exception("submission could not be decided on", user_id=submission.user_id)
                batch.refused.append((item, InternalError("The score could not be counted.")))
                continue
            for board, fold in changed:
                batch.folds.setdefault(board, {})[player.user_id] = fold
            batch.names[player.user_id] = player.username
            if submission.key is not None:
                batch.keys[submission.key_hash] = UsedKey(submission.body_hash, session_id)
            batch.accepted.append((item, session_id))
            batch.rows.append(
                SessionRow(
                    session_id,
                    submission.user_id,
                    submission.score,
                    submission.game_mode,
                    at,
                    submission.duration_ms,
                    submission.won,
                    submission.metadata,
                )
            )
        return batch

    @staticmethod
    def _earlier(
        submission: Submission, used: dict[bytes, UsedKey], batch: Batch
    ) -> UsedKey | None:
        """What the submission's key was used for before. Raises IdempotencyMismatch."""
        if submission.key is None:
            return None
        key_hash = submission.key_hash
        use = used.get(key_hash) or batch.keys.get(key_hash)
        if use is not None and use.body_hash != submission.body_hash:
            raise IdempotencyMismatch("This key was used before, with another body.")
        return use

    def _fold(
        self,
        batch: Batch,
        known: dict[tuple[int, int, int], Fold],
        submission: Submission,
        session_id: int,
        at: datetime,
    ) -> list[tuple[BoardSeason, Fold]]:
        """What every board that the game counts for will say. Raises TotalOutOfRange, and then
        none of them has changed."""
        user_id = submission.user_id
        changed = []
        for board in self._boards.matching(submission.game_mode):
            folds = batch.folds.get(board)
            fold = folds.get(user_id) if folds else None
            fold = add_session(
                fold or known.get((board.board_id, board.season, user_id)),
                user_id=user_id,
                session_id=session_id,
                at=at,
                score=submission.score,
                won=submission.won,
            )
            changed.append((board, fold))
        return changed

    def _admit(self, submission: Submission, players: dict[int, Player], now: datetime) -> Player:
        player = players.get(submission.user_id)
        if player is None:
            raise UnknownPlayer(f"There is no player {submission.user_id}.")
        if not player.is_active:
            raise PlayerInactive(f"Player {submission.user_id} is deactivated.")
        if submission.played_at is not None:
            check_played_at(submission.played_at, now, self._window)
        return player

    async def _store(self, connection: RawConnection, batch: Batch) -> None:
        if not batch.rows:
            return
        if batch.keys:
            keys = [(key, use.body_hash, use.session_id) for key, use in batch.keys.items()]
            if await ledger.claim_keys(connection, keys) < len(keys):
                raise KeyRaceError
        await ledger.insert_sessions(connection, batch.rows)
        # In the order of all locks, whatever the order in which the scores came.
        folds = [
            (board.key, changed[user_id])
            for board, changed in sorted(batch.folds.items(), key=lambda each: each[0].key)
            for user_id in sorted(changed)
        ]
        known = batch.known
        there = [each for each in folds if (*each[0], each[1].user_id) in known]
        await ledger.store_folds(connection, there, new=False)
        if len(there) < len(folds):
            fresh = [each for each in folds if (*each[0], each[1].user_id) not in known]
            await ledger.store_folds(connection, fresh, new=True)

    async def _index(self, batch: Batch) -> None:
        """Brings a committed batch into the index and answers its items."""
        try:
            ranks: dict[int, tuple[int | None, int]] = {}
            players = 0
            default = self._standings.of(self._boards.default)
            for board, changed in batch.folds.items():
                standings = self._standings.of(board)
                folds = [
                    standings.to_index(fold, batch.names[user_id])
                    for user_id, fold in changed.items()
                ]
                found, total = await self._rank(standings, folds)
                if board is self._boards.default:
                    ranks, players = found, total
            self._answer(batch, ranks, players)
            for item, session_id in batch.replayed:
                await self._answer_replay(default, item, session_id)
        except AppError as error:
            self._fail_open(batch, error)
        except Exception:  # the scores are stored: whatever it was, say that a retry is safe
            log.exception("a committed batch could not be answered")
            self._fail_open(
                batch,
                DatabaseAway("The score is stored but its rank can't be told now. Retry safely."),
            )
        finally:
            self._index_room.release()

    @staticmethod
    def _fail_open(batch: Batch, error: BaseException) -> None:
        for item, _ in (*batch.accepted, *batch.replayed):
            item.fail(error)

    @staticmethod
    async def _rank(
        standings: Standings, folds: Sequence[IndexedFold]
    ) -> tuple[dict[int, tuple[int | None, int]], int]:
        """({player: (old rank or None, new rank)}, players): from the index, else from SQL."""
        try:
            applied = await standings.apply(folds)
        except IndexAway:
            found = await standings.ranks_by_sql([each.fold.user_id for each in folds])
            if found is None:
                raise DatabaseAway("The score is stored but its rank can't be told now.") from None
            players = found.totals.players
            return {
                user_id: (None, each.rank) for user_id, each in found.by_player.items()
            }, players
        return {
            each.fold.user_id: (old, new)
            for each, (old, new) in zip(folds, applied.ranks, strict=True)
            if new is not None
        }, applied.players

    @staticmethod
    def _answer(batch: Batch, ranks: dict[int, tuple[int | None, int]], players: int) -> None:
        """The last session of a player in the batch carries the change, the others carry none."""
        told: set[int] = set()
        for item, session_id in reversed(batch.accepted):
            user_id = item.submission.user_id
            found = ranks.get(user_id)
            if found is None:
                # Deactivated between the commit and here: stored, and unranked by now.
                item.fail(PlayerInactive(f"Player {user_id} was deactivated meanwhile."))
                continue
            old, new = found
            change = 0 if old is None or user_id in told else old - new
            first = old is None and user_id not in told
            told.add(user_id)
            item.succeed(Receipt(session_id, new, change, players, first))

    @staticmethod
    async def _answer_replay(standings: Standings, item: Item, session_id: int) -> None:
        try:
            found = await standings.rank(item.submission.user_id)
        except AppError as error:
            item.fail(error)
        else:
            item.succeed(Receipt(session_id, found.rank, 0, found.total_players, replayed=True))
