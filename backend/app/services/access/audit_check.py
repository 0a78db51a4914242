"""Whether the audit log is whole: nothing altered, removed or moved. Changes nothing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.database import raw_connection
from app.services.access.audit import GENESIS, Entry, to_entry
from app.services.access.sealing import UNSEALED, Sealer, Verdict

_ALL = "SELECT * FROM audit_log ORDER BY id"
_HEAD = "SELECT last_id, hash FROM audit_head"

MAX_DIGITS = 18

NEARBY = 1_000
"""How far from its place a row is looked for among the numbers that it may have had."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A row's number and hash, as they were noted somewhere else: `17:9f86...`."""

    number: int
    digest: bytes

    @classmethod
    def parse(cls, text: str) -> "Mark":
        """Raises ValueError."""
        number, _, digest = text.strip().partition(":")
        if not number.isascii() or not number.isdigit() or len(number) > MAX_DIGITS:
            raise ValueError(f"{text!r} is no entry of the audit log: write NUMBER:HASH")
        try:
            mark = cls(int(number), bytes.fromhex(digest))
        except ValueError:
            mark = cls(0, b"")
        if len(mark.digest) != len(GENESIS):
            raise ValueError(f"{text!r} has no hash of 64 hexadecimal digits: write NUMBER:HASH")
        return mark

    def __str__(self) -> str:
        return f"{self.number}:{self.digest.hex()}"


@dataclass(frozen=True, slots=True)
class AuditState:
    """How many faults the log has, and its newest row, to be noted somewhere else."""

    faults: int
    newest: Mark


async def check_audit(
    engine: AsyncEngine,
    report: Callable[[str], None],
    sealer: Sealer = UNSEALED,
    marks: Sequence[Mark] = (),
) -> AuditState:
    """Tells `report` of each fault, by number. Seals are checked if there is a secret to check
    them with. `marks` are rows that must be there."""
    chain = _Chain(report, sealer, marks)
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
    chain.end_seals()
    return AuditState(chain.faults, chain.newest)


class _Chain:
    """The rows so far, and what was wrong with them."""

    def __init__(
        self, report: Callable[[str], None], sealer: Sealer, marks: Sequence[Mark]
    ) -> None:
        self._report = report
        self._sealer = sealer
        self._marks = {mark.number: mark for mark in marks}
        self._last_id, self._last_hash = 0, GENESIS
        self._sealed = 0
        self.faults = 0

    @property
    def newest(self) -> Mark:
        return Mark(self._last_id, self._last_hash)

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
        self._check_seal(entry)
        mark = self._marks.pop(entry.id, None)
        if mark is not None and mark.digest != entry.hash:
            self.tell(f"row {entry.id} is not the one that was noted: its hash is another")
        self._last_id, self._last_hash = entry.id, entry.hash

    def _check_seal(self, entry: Entry) -> None:
        verdict = self._sealer.judge(entry.id, entry.hash, entry.seal)
        if verdict is Verdict.GOOD:
            self._sealed = entry.id
        elif verdict is Verdict.FALSE:
            self.tell(f"row {entry.id} has a false seal")

    def end(self, last_id: int, last_hash: bytes) -> None:
        """What the head says of the newest row."""
        if last_id > self._last_id:
            self.tell(f"{_rows(self._last_id + 1, last_id)} removed, the newest")
        elif last_id < self._last_id:
            self.tell(f"{_rows(last_id + 1, self._last_id)} added past the head")
        elif last_hash != self._last_hash:
            self.tell(f"row {last_id} is not the one that the head knows")

    def end_seals(self) -> None:
        """Rows after the last good seal could be anybody's. Before it the chain vouches for all."""
        if self._sealer.on and self._sealed < self._last_id:
            first = self._sealed + 1
            self.tell(f"{_rows(first, self._last_id)} not sealed with this AUTH_SECRET")
        for number in sorted(self._marks):
            self.tell(f"row {number}, which was noted, is not there")


def _rows(first: int, last: int) -> str:
    return f"row {first} was" if first == last else f"rows {first} to {last} were"


def _number_before(entry: Entry) -> int | None:
    """The number under which the row was written, if that alone was changed."""
    nearby = range(max(1, entry.id - NEARBY), entry.id + NEARBY)
    return next((number for number in nearby if entry.digest(number) == entry.hash), None)
