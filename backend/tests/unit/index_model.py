"""The rank index as a plain sorted list: what `apply.lua` must do, written a second time."""

import struct
from bisect import bisect_left, insort
from collections.abc import Sequence

from app.services.rank_index.deltas import Delta
from app.services.rank_index.index import UNRANKED, IndexedFold
from app.services.rank_index.keys import MEMBER, encode_member

NO_MEMBER = bytes(MEMBER)


class IndexModel:
    """One epoch of a board. `order` has all members, best first."""

    def __init__(self, window: int, *, descending: bool = True) -> None:
        self.window = window
        self.descending = descending
        self.order: list[bytes] = []
        self.known: dict[int, tuple[int, bytes | None]] = {}
        self.position = self.version = 0

    def member(self, user_id: int) -> bytes | None:
        """A player's member; None while unranked."""
        return self.known.get(user_id, (0, None))[1]

    def rank(self, user_id: int) -> int | None:
        """From 1; None while unranked."""
        member = self.member(user_id)
        return None if member is None else bisect_left(self.order, member) + 1

    def apply(self, folds: Sequence[IndexedFold]) -> dict[bytes, bytes] | None:
        """One script call: the fields of the stream's entry; None if nothing was news."""
        records, details = [], []
        for fold, text in folds:
            version, old = self.known.get(fold.user_id, (-1, None))
            if fold.version <= version:
                continue
            new = encode_member(fold, descending=self.descending) if fold.is_active else None
            self.version = max(self.version, fold.version)
            self.known[fold.user_id] = (fold.version, new)
            before = self._place(old)
            if old != new:
                if old is not None:
                    del self.order[before]
                if new is not None:
                    insort(self.order, new)
            after = self._place(new)
            records.append(
                fold.version.to_bytes(6, "big") + fold.user_id.to_bytes(6, "big")
                + (old or NO_MEMBER) + (new or NO_MEMBER) + struct.pack(">II", before, after)
            )  # fmt: skip
            if after < self.window:
                details.append(struct.pack(">I", len(text)) + text)
        if not records:
            return None
        self.position += 1
        return {
            b"r": b"".join(records),
            b"d": b"".join(details),
            b"w": b"%d" % self.window,
            b"n": b"%d" % len(self.order),
            b"v": b"%d" % self.version,
        }

    def step(self, folds: Sequence[IndexedFold]) -> Delta | None:
        """The same, as workers read it from the stream."""
        fields = self.apply(folds)
        return fields and Delta.parse(b"%d-0" % self.position, fields)

    def _place(self, member: bytes | None) -> int:
        return UNRANKED if member is None else bisect_left(self.order, member)
