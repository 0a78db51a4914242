"""The bytes that order players, and the names of the index's keys.

A member is 20 bytes, and their order as bytes is the order of the board: 8 bytes of the score,
best first; 6 of the event that reached it, earliest first; 6 of the player's id. The sorted set
gives all members the same score, so nothing is ever rounded to a double.
"""

from typing import NamedTuple

from app.services.boards import BoardSeason
from app.services.fold import Fold

MEMBER = 20
BUCKET_BITS = 7
"""128 players a hash: the servers' default bound for the compact encoding (listpack)."""

_BIAS = 1 << 63
_LAST = (1 << 64) - 1


def encode_member(fold: Fold, *, descending: bool) -> bytes:
    """The member of a player's fold: smaller bytes are the better place."""
    biased = fold.total_score + _BIAS
    head = _LAST - biased if descending else biased
    return (
        head.to_bytes(8, "big")
        + fold.achieved_id.to_bytes(6, "big")
        + fold.user_id.to_bytes(6, "big")
    )


class Place(NamedTuple):
    """What a member says: a total, the event that reached it and the player."""

    total_score: int
    achieved_id: int
    user_id: int


def decode_member(member: bytes, *, descending: bool) -> Place:
    """The inverse of `encode_member`."""
    head = int.from_bytes(member[:8], "big")
    return Place(
        (_LAST - head if descending else head) - _BIAS,
        int.from_bytes(member[8:14], "big"),
        int.from_bytes(member[14:20], "big"),
    )


def split(blob: bytes) -> list[bytes]:
    """A string of members, as the scripts answer them, one by one."""
    return [blob[at : at + MEMBER] for at in range(0, len(blob), MEMBER)]


def locate(user_id: int) -> tuple[int, int]:
    """(bucket, slot) of a player in the player map."""
    return user_id >> BUCKET_BITS, user_id & ((1 << BUCKET_BITS) - 1)


def key_prefix(redis_prefix: str, board: BoardSeason) -> str:
    """All keys of a board's season share a hash tag, so a cluster keeps them on one slot."""
    return f"{redis_prefix}{{{board.board_id}.{board.season}}}:"
