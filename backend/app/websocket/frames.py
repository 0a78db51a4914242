"""What goes over a socket: frames as bytes, and close codes that say whether to come back."""

from collections.abc import Sequence
from enum import IntEnum

from pydantic_core import to_json


class Close(IntEnum):
    """Codes from 4000 are ours. Come back later after 1012, 1013 and 4408; not after others."""

    TOO_BIG = 1009
    RESTARTING = 1012
    TRY_AGAIN = 1013
    BAD_REQUEST = 4400
    UNAUTHENTICATED = 4401
    FORBIDDEN = 4403
    UNKNOWN_PLAYER = 4404
    TOO_SLOW = 4408
    TOO_MANY_MESSAGES = 4429


def wire(payload: bytes) -> bytes:
    """A text frame from the server, ready for the transport (RFC 6455, section 5.2)."""
    size = len(payload)
    if size < 126:  # noqa: PLR2004 - from the RFC
        return b"\x81" + size.to_bytes(1, "big") + payload
    if size < 65_536:  # noqa: PLR2004
        return b"\x81\x7e" + size.to_bytes(2, "big") + payload
    return b"\x81\x7f" + size.to_bytes(8, "big") + payload


def snapshot(
    *,
    seq: int,
    epoch: str,
    live: bool,
    listing: bytes,
    me: bytes | None,
) -> bytes:
    """All that a client needs to start from. `listing` is an encoded list of entries."""
    return b'{"type":"snapshot","seq":%d,"epoch":%b,"live":%b,%b,"me":%b}' % (
        seq,
        to_json(epoch),
        b"true" if live else b"false",
        listing[1:-1],
        me or b"null",
    )


def update(
    *,
    seq: int,
    prev: int,
    total_players: int,
    version: int,
    entries: bytes,
    moved: Sequence[tuple[int, int]],
    left: Sequence[int],
) -> bytes:
    """What changed among the visible top after `prev` and up to `seq`.

    `entries`: new or changed rows in full; `moved`: [user_id, rank] of rows of which only the
    rank changed; `left`: ids that are no longer visible.
    """
    return (
        b'{"type":"update","seq":%d,"prev":%d,"total_players":%d,"version":%d,"entries":[%b],'
        b'"moved":%b,"left":%b}'
    ) % (seq, prev, total_players, version, entries, to_json(moved), to_json(left))


def rank(*, seq: int, rank: int | None, change: int, total_players: int, score: int) -> bytes:
    """The connected player's own rank and score; null while unranked."""
    if rank is None:
        return (
            b'{"type":"rank","seq":%d,"rank":null,"rank_change":0,"total_players":%d,"score":null}'
            % (seq, total_players)
        )
    return b'{"type":"rank","seq":%d,"rank":%d,"rank_change":%d,"total_players":%d,"score":%d}' % (
        seq,
        rank,
        change,
        total_players,
        score,
    )


def status(*, seq: int, live: bool) -> bytes:
    """Whether updates are flowing; after a pause a snapshot follows."""
    return b'{"type":"status","seq":%d,"live":%b}' % (seq, b"true" if live else b"false")


PONG = b'{"type":"pong","seq":%d}'
"""The answer to `{"type": "ping"}`, for clients that can't send control frames."""
