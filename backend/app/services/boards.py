"""Which boards there are, and which of them a game counts for."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from typing import NamedTuple

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.errors import UnknownBoard, UnknownSeason
from app.models import Board, Season
from app.services.access.callers import Caller

DEFAULT_BOARD = "global"


@dataclass(frozen=True, slots=True, eq=False)
class BoardSeason:
    """One board in one season: the unit that is folded, indexed and watched. There is one
    object of each, so it is compared and hashed by identity."""

    board_id: int
    slug: str
    season: int
    descending: bool = True
    game_modes: frozenset[str] | None = None

    @property
    def key(self) -> tuple[int, int]:
        """(board_id, season), the head of every key in SQL and in the index."""
        return (self.board_id, self.season)

    def counts(self, game_mode: str) -> bool:
        """Whether games of this mode count here."""
        return self.game_modes is None or game_mode in self.game_modes


@dataclass(frozen=True, slots=True)
class SeasonPeriod:
    """When a season is; `closed_at` is when its standings became final."""

    number: int
    starts_at: datetime
    ends_at: datetime | None
    closed_at: datetime | None


class BoardRules(NamedTuple):
    """What administrators may change of a board while it is served."""

    slug: str
    name: str
    client_submissions: bool
    is_private: bool


@dataclass(frozen=True, slots=True)
class BoardProfile:
    """What everybody may know of a board: its rules, how scores are shown, its seasons.

    `seasons` are newest first, and the first one is the current one.
    """

    slug: str
    name: str
    game_modes: tuple[str, ...] | None
    operator: str
    sort_order: str
    tie_policy: str
    decimals: int
    unit: str | None
    seasons: tuple[SeasonPeriod, ...]
    client_submissions: bool
    is_private: bool

    @property
    def rules(self) -> BoardRules:
        """What administrators may change."""
        return BoardRules(self.slug, self.name, self.client_submissions, self.is_private)

    @property
    def season(self) -> int:
        """The number of the current season."""
        return self.seasons[0].number


class Boards:
    """The boards and seasons, as loaded at start. In order of `key`, the order of all locks.

    Their rules follow the database, see `access/access.py`.
    """

    def __init__(self, seasons: list[BoardSeason], profiles: Sequence[BoardProfile]) -> None:
        self._profiles = {profile.slug: profile for profile in profiles}
        self._by_name = {(board.slug, board.season): board for board in seasons}
        latest: dict[str, BoardSeason] = {}
        for board in sorted(seasons, key=lambda each: each.key):
            latest[board.slug] = board
        self._current = latest
        self.open = tuple(sorted(latest.values(), key=lambda each: each.key))
        self._matches: dict[str, tuple[BoardSeason, ...]] = {}
        self.apply_rules([profile.rules for profile in profiles])

    @classmethod
    async def load(cls, engine: AsyncEngine) -> "Boards":
        """Reads all boards. Raises LookupError if the default board is missing, or if there is
        one that this version can't fold: better no start than wrong standings."""
        query = (
            select(Board, Season)
            .join(Season, Season.board_id == Board.id)
            .order_by(Board.id, Season.number.desc())
        )
        async with engine.connect() as connection:
            rows = (await connection.execute(query)).all()
        for row in rows:
            if (row.operator, row.tie_policy) != ("sum", "ordinal"):
                raise LookupError(
                    f"board {row.slug!r} wants {row.operator} with {row.tie_policy} ties; "
                    "this version knows sum with ordinal ties"
                )
        boards = [
            BoardSeason(
                row.id,
                row.slug,
                row.number,
                row.sort_order == "desc",
                None if row.game_modes is None else frozenset(row.game_modes),
            )
            for row in rows
        ]
        if not any(board.slug == DEFAULT_BOARD for board in boards):
            raise LookupError(f"the database has no board named {DEFAULT_BOARD!r}")
        profiles = [
            _profile(list(seasons)) for _, seasons in groupby(rows, key=lambda row: row.slug)
        ]
        return cls(boards, profiles)

    def apply_rules(self, rules: Sequence[BoardRules]) -> None:
        """Takes the boards' names and rules as they are now."""
        for each in rules:
            profile = self._profiles.get(each.slug)
            if profile is not None and profile.rules != each:
                self._profiles[each.slug] = replace(
                    profile,
                    name=each.name,
                    client_submissions=each.client_submissions,
                    is_private=each.is_private,
                )
        profiles = self._profiles.values()
        self._private = frozenset(each.slug for each in profiles if each.is_private)
        self._for_clients = frozenset(each.slug for each in profiles if each.client_submissions)

    @property
    def profiles(self) -> list[BoardProfile]:
        """All boards, the oldest one first."""
        return list(self._profiles.values())

    def readable(self, caller: Caller) -> list[BoardProfile]:
        """The boards that the caller may read, the oldest one first."""
        return [
            each for each in self._profiles.values() if not each.is_private or caller.reads_private
        ]

    def profile(self, slug: str, caller: Caller) -> BoardProfile:
        """Raises UnknownBoard, also for a board that the caller may not read."""
        found = self._profiles.get(slug)
        if found is None or slug in self.hidden_from(caller):
            raise _unknown(slug)
        return found

    def is_private(self, slug: str) -> bool:
        """Whether reading the board needs a credential."""
        return slug in self._private

    def hidden_from(self, caller: Caller) -> frozenset[str]:
        """The slugs of the boards that the caller may not read."""
        return frozenset() if caller.reads_private else self._private

    def take_from_clients(self, game_mode: str) -> bool:
        """Whether a player's own client may send games of this mode: every board that they count
        for must allow it."""
        matching = self.matching(game_mode)
        return bool(matching) and all(board.slug in self._for_clients for board in matching)

    def readable_modes(self, caller: Caller) -> list[str] | None:
        """The modes of which the caller may see games, None for all: those that count for a board
        that the caller may read."""
        if caller.reads_private or not self._private:
            return None
        modes = [profile.game_modes for profile in self.readable(caller)]
        if any(each is None for each in modes):
            return None
        return sorted({mode for each in modes for mode in each or ()})

    @property
    def default(self) -> BoardSeason:
        return self._current[DEFAULT_BOARD]

    def matching(self, game_mode: str) -> tuple[BoardSeason, ...]:
        """The open boards that games of this mode count for, in locking order."""
        found = self._matches.get(game_mode)
        if found is None:
            found = tuple(board for board in self.open if board.counts(game_mode))
            if len(self._matches) < 10_000:  # noqa: PLR2004 - modes are the clients' to name
                self._matches[game_mode] = found
        return found

    def find(self, slug: str | None, season: int | None, caller: Caller) -> BoardSeason:
        """The board as a caller named it, with standings to read. Raises UnknownBoard, also for a
        board that the caller may not read; UnknownSeason."""
        found = self.find_stored(slug, season, caller)
        if found is not self._current[found.slug]:
            raise UnknownSeason(f"Board {found.slug!r} has standings of its current season alone.")
        return found

    def find_stored(self, slug: str | None, season: int | None, caller: Caller) -> BoardSeason:
        """The board in any season that the database has. Raises as `find` does."""
        current = self._current.get(slug or DEFAULT_BOARD)
        if current is None or current.slug in self.hidden_from(caller):
            raise _unknown(slug or DEFAULT_BOARD)
        if season is None or season == current.season:
            return current
        found = self._by_name.get((current.slug, season))
        if found is None:
            raise UnknownSeason(f"Board {current.slug!r} has no season {season}.")
        return found


def _unknown(slug: str) -> UnknownBoard:
    """The same answer for a board that is not there and for one that the caller may not read:
    otherwise strangers could find out the names of private boards."""
    return UnknownBoard(
        f"There is no board {slug!r}, or it is private and needs a credential that reads it."
    )


def _profile(seasons: Sequence[Row[Board, Season]]) -> BoardProfile:
    """A board from its rows, one a season."""
    board = seasons[0]
    return BoardProfile(
        board.slug,
        board.name,
        None if board.game_modes is None else tuple(board.game_modes),
        board.operator,
        board.sort_order,
        board.tie_policy,
        board.decimals,
        board.unit,
        tuple(
            SeasonPeriod(each.number, each.starts_at, each.ends_at, each.closed_at)
            for each in seasons
        ),
        board.client_submissions,
        board.is_private,
    )
