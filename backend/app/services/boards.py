"""Which boards there are, and which of them a game counts for."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.errors import UnknownBoard, UnknownSeason
from app.models import Board, Season

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


class Boards:
    """The boards and seasons, as loaded at start. In order of `key`, the order of all locks."""

    def __init__(self, seasons: list[BoardSeason]) -> None:
        self._by_name = {(board.slug, board.season): board for board in seasons}
        latest: dict[str, BoardSeason] = {}
        for board in sorted(seasons, key=lambda each: each.key):
            latest[board.slug] = board
        self._current = latest
        self.open = tuple(sorted(latest.values(), key=lambda each: each.key))
        self._matches: dict[str, tuple[BoardSeason, ...]] = {}

    @classmethod
    async def load(cls, engine: AsyncEngine) -> "Boards":
        """Reads all boards. Raises LookupError if the default board is missing, or if there is
        one that this version can't fold: better no start than wrong standings."""
        query = select(Board, Season.number).join(Season, Season.board_id == Board.id)
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
        return cls(boards)

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

    def find(self, slug: str | None, season: int | None) -> BoardSeason:
        """The board as a caller named it. Raises UnknownBoard, UnknownSeason."""
        current = self._current.get(slug or DEFAULT_BOARD)
        if current is None:
            raise UnknownBoard(f"There is no board {slug!r}.")
        if season is None or season == current.season:
            return current
        found = self._by_name.get((current.slug, season))
        if found is None:
            raise UnknownSeason(f"Board {current.slug!r} has no season {season}.")
        return found
