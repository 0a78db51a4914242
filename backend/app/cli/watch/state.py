"""What a watcher knows, and how a frame changes it: pure, so that any client can follow it.

The order of frames is the connection's. `seq` is the position of the last snapshot or update; an
update that continues from a later one (`prev > seq`) tells of frames that were missed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

Frame: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """A visible row."""

    rank: int
    user_id: int
    username: str
    total_score: int
    games_played: int
    win_rate: float | None

    @classmethod
    def read(cls, row: Frame) -> "Entry":
        return cls(*(row[name] for name in cls.__slots__))


@dataclass(frozen=True, slots=True)
class Own:
    """The connected player's place; `rank` is None while unranked."""

    rank: int | None
    username: str = ""
    total_score: int | None = None
    change: int = 0
    """By how much the last frame moved it; positive is up."""


@dataclass(frozen=True, slots=True)
class State:
    """The visible top by player, and what is known beside it. `own` is None for spectators and
    players who are not on the board.
    """

    seq: int = -1
    epoch: str = ""
    live: bool = False
    board: str = ""
    season: int = 0
    total_players: int = 0
    version: int = 0
    entries: Mapping[int, Entry] = field(default_factory=dict)
    own: Own | None = None
    missed: bool = False
    """An update was lost: connect again."""

    @property
    def rows(self) -> Sequence[Entry]:
        """The visible top, best first."""
        return sorted(self.entries.values(), key=lambda entry: (entry.rank, entry.user_id))


def advance(state: State, frame: Frame) -> State:
    """The state after a frame. Frames of types that are not known change nothing."""
    match frame["type"]:
        case "snapshot":
            return _start(frame)
        case "update":
            return _update(state, frame)
        case "rank":
            return _move(state, frame)
        case "status":
            return replace(state, live=frame["live"])
        case _:
            return state


def _start(frame: Frame) -> State:
    me = frame.get("me")
    return State(
        seq=frame["seq"],
        epoch=frame["epoch"],
        live=frame["live"],
        board=frame["board"],
        season=frame["season"],
        total_players=frame["total_players"],
        version=frame["version"],
        entries={row["user_id"]: Entry.read(row) for row in frame["entries"]},
        own=me and Own(me["rank"], me["username"], me["total_score"]),
    )


def _update(state: State, frame: Frame) -> State:
    if frame["seq"] < state.seq:
        return state  # older than the snapshot that it crossed on its way
    if frame["prev"] > state.seq:
        return replace(state, missed=True)
    left = set(frame["left"])
    entries = {user_id: entry for user_id, entry in state.entries.items() if user_id not in left}
    for user_id, rank in frame["moved"]:
        if user_id in entries:
            entries[user_id] = replace(entries[user_id], rank=rank)
    for row in frame["entries"]:
        entries[row["user_id"]] = Entry.read(row)
    return replace(
        state,
        seq=frame["seq"],
        live=True,
        total_players=frame["total_players"],
        version=frame["version"],
        entries=entries,
    )


def _move(state: State, frame: Frame) -> State:
    own = replace(
        state.own or Own(None),
        rank=frame["rank"],
        total_score=frame["score"],
        change=frame["rank_change"],
    )
    return replace(state, own=own, total_players=frame["total_players"])
