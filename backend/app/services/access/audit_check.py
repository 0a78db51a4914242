"""Whether the audit log is whole: nothing altered, removed or moved. Changes nothing."""

from collections.abc import Callable

from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.database import raw_connection
from app.services.access.audit import GENESIS, Entry, to_entry

_ALL = "SELECT * FROM audit_log ORDER BY id"
_HEAD = "SELECT last_id, hash FROM audit_head"

NEARBY = 1_000
"""How far from its place a row is looked for among the numbers that it may have had."""


async def check_audit(engine: AsyncEngine, report: Callable[[str], None]) -> int:
    """Tells `report` of each fault, by number. How many there are."""
    chain = _Chain(report)
    async with (
        raw_connection(engine) as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        async for row in connection.cursor(_ALL, prefetch=500):
            chain.take(to_entry(row))
        head = await connection.fetchrow(_HEAD)
    if head is None:
        chain.tell("the head, which knows the newest row, was removed")
    else:
        chain.end(head["last_id"], head["hash"])
    return chain.faults


class _Chain:
    """The rows so far, and what was wrong with them."""

    def __init__(self, report: Callable[[str], None]) -> None:
        self._report = report
        self._last_id, self._last_hash = 0, GENESIS
        self.faults = 0

    def tell(self, fault: str) -> None:
        self.faults += 1
        self._report(f"audit: {fault}")

    def take(self, entry: Entry) -> None:
        """The next row, in order of numbers."""
        missing = entry.id - self._last_id - 1
        if missing:
            self.tell(f"{_rows(self._last_id + 1, entry.id - 1)} removed")
        if entry.digest() != entry.hash:
            came_from = _number_before(entry)
            if came_from is None:
                self.tell(f"row {entry.id} was altered")
            else:
                self.tell(f"row {entry.id} was moved: it was number {came_from}")
        elif not missing and entry.prev_hash != self._last_hash:
            self.tell(f"row {entry.id} does not follow on row {self._last_id} as it is now")
        self._last_id, self._last_hash = entry.id, entry.hash

    def end(self, last_id: int, last_hash: bytes) -> None:
        """What the head says of the newest row."""
        if last_id > self._last_id:
            self.tell(f"{_rows(self._last_id + 1, last_id)} removed, the newest")
        elif last_id < self._last_id:
            self.tell(f"{_rows(last_id + 1, self._last_id)} added past the head")
        elif last_hash != self._last_hash:
            self.tell(f"row {last_id} is not the one that the head knows")


def _rows(first: int, last: int) -> str:
    return f"row {first} was" if first == last else f"rows {first} to {last} were"


def _number_before(entry: Entry) -> int | None:
    """The number under which the row was written, if that alone was changed."""
    nearby = range(max(1, entry.id - NEARBY), entry.id + NEARBY)
    return next((number for number in nearby if entry.digest(number) == entry.hash), None)
