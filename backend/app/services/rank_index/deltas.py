"""Deltas: what one step of the index changed, as every worker hears it."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.services.rank_index.index import UNRANKED
from app.services.rank_index.keys import MEMBER

RECORD = np.dtype(
    [
        ("version_high", ">u2"),
        ("version_low", ">u4"),
        ("user_high", ">u2"),
        ("user_low", ">u4"),
        ("old", f"S{MEMBER}"),
        ("new", f"S{MEMBER}"),
        ("before", ">u4"),
        ("after", ">u4"),
    ]
)
"""One player's step as `apply.lua` packs it. Empty members mean unranked; ranks are from 0.

NumPy drops zero bytes at the end of a member and compares as if they were there, so comparing
is exact; `pad` brings them back where the bytes themselves are wanted.
"""


def pad(member: bytes) -> bytes | None:
    """A member as the index knows it; None for unranked."""
    return member.ljust(MEMBER, b"\0") if member else None


@dataclass(frozen=True)
class Delta:
    """One step of the index: the players who moved, in order of application.

    `position` counts the steps of an epoch; `players` is how many were ranked after it.
    """

    position: int
    version: int
    players: int
    records: NDArray[np.void]
    window: int
    packed_details: bytes

    @classmethod
    def parse(cls, entry_id: bytes, fields: dict[bytes, bytes]) -> "Delta":
        """From an entry of the delta stream."""
        return cls(
            int(entry_id.partition(b"-")[0]),
            int(fields[b"v"]),
            int(fields[b"n"]),
            np.frombuffer(fields[b"r"], RECORD),
            int(fields[b"w"]),
            fields[b"d"],
        )

    @cached_property
    def user_ids(self) -> NDArray[np.int64]:
        high, low = self.records["user_high"], self.records["user_low"]
        return np.asarray((high.astype(np.int64) << 32) | low, np.int64)

    @cached_property
    def versions(self) -> NDArray[np.int64]:
        high, low = self.records["version_high"], self.records["version_low"]
        return np.asarray((high.astype(np.int64) << 32) | low, np.int64)

    def steps(self, rows: int) -> Iterator[tuple[bytes | None, bytes | None, int, bytes]]:
        """(old member, new member, new rank from 0, details) of each player whose step touches
        the best `rows` or the total. Details are empty beyond the writer's window."""
        at = 0
        packed = self.packed_details
        wanted = self._touching(rows) | (self.records["after"] < self.window)
        records: list[Any] = self.records[wanted].tolist()
        for _, _, _, _, old, new, _, after in records:
            details = b""
            if after < self.window:
                (size,) = struct.unpack_from(">I", packed, at)
                details = packed[at + 4 : at + 4 + size]
                at += 4 + size
            yield pad(old), pad(new), after, details

    def touches(self, rows: int) -> bool:
        """Whether any step began or ended among the best `rows`, or changed the total."""
        return bool(self._touching(rows).any())

    def _touching(self, rows: int) -> NDArray[np.bool_]:
        before, after = self.records["before"], self.records["after"]
        joined_or_left = (before == UNRANKED) | (after == UNRANKED)
        return np.asarray((before < rows) | (after < rows) | joined_or_left)
