"""The queue: submissions that wait together become one transaction, with no delay added.

A lane takes what has gathered, commits it, and hands it to the index; while that is under way
the lane may already be in its next transaction. Nobody is answered before the commit, and
nobody is told a rank that the index doesn't have yet.
"""

import asyncio
import contextvars
from collections import deque
from collections.abc import Coroutine, Sequence
from typing import Any

import asyncpg
import structlog

from app.core.config import Settings
from app.core.errors import AppError, Busy, DatabaseAway, InternalError, Overloaded, ShuttingDown
from app.services.submissions import Receipt, Submission
from app.services.submit.answers import Answers
from app.services.submit.aside import Aside
from app.services.submit.batch import Batch, Item
from app.services.submit.counts import Written
from app.services.submit.outage import Outage
from app.services.submit.transactions import NOT_STORED, RowLockedError, Transactions

log = structlog.get_logger(__name__)

LEAST_SECONDS = 0.5
"""A transaction is begun only for items that have so much of their time left."""

ASIDE_SECONDS = 1.5
"""What a transaction for set-aside items may take: it waits for one player at most."""

_HELD = "Another transaction has locked this player's row. Nothing was stored; try again."


class Writer:
    """One a worker. `submit` answers when the score is durable and, if that can be, ranked."""

    def __init__(self, settings: Settings, transactions: Transactions, answers: Answers) -> None:
        self._transactions = transactions
        self._answers = answers
        self._max_batch = settings.writer_max_batch
        self._max_queue = settings.writer_max_queue
        self._timeout = settings.write_timeout
        self.written = Written()
        self.outage = Outage()
        self._waiting: deque[Item] = deque()
        self._aside = Aside()
        self._free_lanes = settings.writer_lanes
        # While one batch is in the index, the next is in its transaction; no more than that, so
        # that a slow index slows the writers down instead of piling up work.
        self._index_room = asyncio.Semaphore(settings.writer_lanes)
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_writing_aside = False
        self._closed = False

    @property
    def queued(self) -> int:
        """Submissions that wait for a transaction."""
        return len(self._waiting) + self._aside.count

    @property
    def closed(self) -> bool:
        """Whether it takes no more, because the worker is stopping."""
        return self._closed

    def submit(self, submission: Submission) -> "asyncio.Future[Receipt]":
        """The receipt to come. Raises Overloaded or ShuttingDown at once; the future raises
        UnknownPlayer, PlayerInactive, TotalOutOfRange, IdempotencyMismatch, Busy, DatabaseAway."""
        error: AppError
        if self._closed:
            error = ShuttingDown("This worker is stopping. Try again.")
            self.written.refuse(error)
            raise error
        if not self.room_for(1):
            error = Overloaded("Too many scores are waiting to be written. Nothing was stored.")
            self.written.refuse(error)
            raise error
        item = self.item(submission)
        self._waiting.append(item)
        if self._free_lanes:
            self._free_lanes -= 1
            self._start(self._run_lane())
        return item.receipt

    def item(self, submission: Submission) -> Item:
        """A submission with the time that it has."""
        loop = asyncio.get_running_loop()
        return Item(submission, loop.create_future(), loop.time() + self._timeout)

    def room_for(self, count: int) -> bool:
        """Whether a caller may bring so many submissions at once."""
        return self.queued + count <= self._max_queue

    async def close(self) -> None:
        """Takes no more, and returns when all that was taken is answered."""
        self._closed = True
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        # A lane writes for many: it belongs to no request, and not to the one that began it.
        task = asyncio.create_task(work, context=contextvars.Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # Lanes

    async def _run_lane(self) -> None:
        try:
            while self._waiting:
                size = min(len(self._waiting), self._max_batch)
                await self.write([self._waiting.popleft() for _ in range(size)])
        finally:
            self._free_lanes += 1

    async def write(self, items: Sequence[Item]) -> None:
        """Commits the items, past the queue. Whatever happens, each will be answered."""
        try:
            due = self._in_time(items)
            if self._aside:
                held = [item for item in due if item.submission.user_id in self._aside]
                due = [item for item in due if item.submission.user_id not in self._aside]
                self._put_aside(held)
            if due:
                await self._commit(due, min(item.deadline for item in due))
        except Exception:  # a defect of ours: nobody may be left waiting for it
            log.exception("batch failed", size=len(items))
            self._refuse(items, InternalError("The score could not be written."))

    def _in_time(self, items: Sequence[Item]) -> list[Item]:
        """The items for which there is time left; the others are refused."""
        latest = asyncio.get_running_loop().time() + LEAST_SECONDS
        late = [item for item in items if item.deadline < latest]
        if not late:
            return list(items)
        self._refuse(late, DatabaseAway(NOT_STORED))
        return [item for item in items if item.deadline >= latest]

    async def _commit(
        self, items: list[Item], deadline: float, *, skip_locked: bool = False
    ) -> None:
        """Commits the items; if the batch can't be, tries its halves until the culprit is alone.
        Players who stay locked for too long are set aside."""
        started = asyncio.get_running_loop().time()
        try:
            batch = await self._transactions.commit(items, deadline, skip_locked=skip_locked)
        except AppError as error:
            self._refuse(items, error)
        except RowLockedError:
            if not skip_locked:
                await self._commit(items, deadline, skip_locked=True)
            elif len(items) > 1:
                await self._halve(items, deadline)
            else:
                self._refuse(items, Busy(_HELD))
        except asyncpg.PostgresError:
            if len(items) > 1:
                await self._halve(items, deadline)
                return
            log.exception("submission refused by the database")
            self._refuse(items, InternalError("The database refused this submission."))
        else:
            self._put_aside(batch.locked)
            await self._finish(batch, started)

    async def _halve(self, items: list[Item], deadline: float) -> None:
        middle = len(items) // 2
        await self._commit(items[:middle], deadline, skip_locked=True)
        await self._commit(items[middle:], deadline, skip_locked=True)

    async def _finish(self, batch: Batch, started: float) -> None:
        """Answers what a commit has decided; ranks are found while the lane goes on."""
        committed = asyncio.get_running_loop().time()
        if not batch.items:
            return
        if batch.plan.rows:
            self.outage.ended()
        self.written.count(batch, committed - started)
        for item, refusal in batch.refused:
            item.fail(refusal)
        await self._index_room.acquire()
        self._start(self._tell(batch, committed))

    async def _tell(self, batch: Batch, committed: float) -> None:
        try:
            self.written.unranked += await self._answers.tell(batch, committed)
        except Exception:  # a defect of ours: nobody may be left waiting for it
            log.exception("a committed batch could not be answered")
            error = InternalError("The score is stored, but the answer to it failed.")
            for item in batch.items:
                item.fail(error)
        finally:
            self._index_room.release()

    def _refuse(self, items: Sequence[Item], error: AppError) -> None:
        """Answers those of the items that have no answer yet."""
        if isinstance(error, DatabaseAway):
            self.outage.failed(error)
        open_items = [item for item in items if not item.receipt.done()]
        self.written.refuse(error, len(open_items))
        for item in open_items:
            item.fail(error)

    # Locked players

    def _put_aside(self, items: Sequence[Item]) -> None:
        if not items:
            return
        self._aside.put(items)
        if not self._is_writing_aside:
            self._is_writing_aside = True
            self._start(self._write_aside())

    async def _write_aside(self) -> None:
        try:
            while self._aside.count:
                self._refuse(
                    list(self._aside.expired(asyncio.get_running_loop().time())), Busy(_HELD)
                )
                taken = self._aside.take(self._max_batch)
                if taken:
                    await self._try_aside(taken)
        finally:
            self._is_writing_aside = False

    async def _try_aside(self, taken: list[Item]) -> None:
        """Writes what can be written at once; if that is nothing, waits for the first player."""
        started = asyncio.get_running_loop().time()
        deadline = started + ASIDE_SECONDS
        try:
            batch = await self._transactions.commit(taken, deadline, skip_locked=True)
            if not batch.items:
                first = taken[0].submission.user_id
                mine = [item for item in taken if item.submission.user_id == first]
                self._aside.give_back(taken[len(mine) :])
                taken = mine
                batch = await self._transactions.commit(mine, deadline)
        except RowLockedError:
            self._aside.give_back(taken)
        except AppError as error:
            self._refuse(taken, error)
        except asyncpg.PostgresError:
            await self._write_one_by_one(taken, deadline)
        except Exception:  # a defect of ours: nobody may be left waiting for it
            log.exception("set-aside scores failed", size=len(taken))
            self._refuse(taken, InternalError("The score could not be written."))
        else:
            self._aside.give_back(batch.locked)
            self._aside.release(item.submission.user_id for item in batch.items)
            await self._finish(batch, started)

    async def _write_one_by_one(self, items: Sequence[Item], deadline: float) -> None:
        """Finds the one that the database refuses. A defect met at one item leaves the others."""
        for item in items:
            try:
                await self._commit([item], deadline, skip_locked=True)
            except Exception:  # a defect of ours: nobody may be left waiting for it
                log.exception("a set-aside score failed")
                self._refuse([item], InternalError("The score could not be written."))
