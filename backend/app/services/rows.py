"""Rows as they go over the wire, encoded once and reused in pages, snapshots and updates."""

from datetime import datetime

from pydantic_core import to_json

from app.services.fold import Fold


def encode_time(at: datetime) -> str:
    """ISO 8601 in UTC with milliseconds, as browsers parse it."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def encode_details(fold: Fold, username: str, *, total_score: int | None = None) -> bytes:
    """The members of an entry's JSON object after its rank, braces left out."""
    win_rate = fold.win_rate
    return (
        b'"user_id":%d,"username":%b,"total_score":%d,"games_played":%d,"win_rate":%b,'
        b'"achieved_at":"%b"'
    ) % (
        fold.user_id,
        to_json(username),
        fold.total_score if total_score is None else total_score,
        fold.games_played,
        b"null" if win_rate is None else repr(win_rate).encode(),
        encode_time(fold.achieved_at).encode(),
    )


def encode_entry(rank: int, details: bytes) -> bytes:
    """One entry, `rank` counted from 1."""
    return b'{"rank":%d,%b}' % (rank, details)


def encode_list(slug: str, season: int, total_players: int, version: int, entries: bytes) -> bytes:
    """The answer of every read that lists entries."""
    return b'{"board":%b,"season":%d,"total_players":%d,"version":%d,"entries":[%b]}' % (
        to_json(slug),
        season,
        total_players,
        version,
        entries,
    )
