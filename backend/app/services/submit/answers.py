"""From a committed batch to its receipts: the index is told, and says the ranks."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import structlog

from app.core.database import is_away
from app.services.boards import Boards, BoardSeason
from app.services.fold import Fold
from app.services.rank_index.index import IndexAway
from app.services.standings import Standings, StandingsByBoard
from app.services.submissions import BoardReceipt, Receipt
from app.services.submit.batch import Batch
from app.services.submit.plan import Accepted

log = structlog.get_logger(__name__)

RANK_SECONDS = 1.0
"""How long after its commit a batch's ranks may take; then it is answered without them."""
LEAST_SECONDS = 0.25
"""What a batch has for its ranks even if it waited for the batch before."""


class BoardRanks(NamedTuple):
    """(old rank or None, new rank) by player, and the number of players."""

    ranks: dict[int, tuple[int | None, int]]
    players: int


class Answers:
    """One a worker."""

    def __init__(self, boards: Boards, standings: StandingsByBoard) -> None:
        self._boards = boards
        self._standings = standings

    async def tell(self, batch: Batch, committed_at: float) -> int:
        """Brings the batch into the index and answers its items, with or without ranks; how many
        were answered without. `committed_at` is a time of the event loop."""
        return self._answer(batch, await self._find(batch, committed_at))

    async def _find(self, batch: Batch, committed_at: float) -> dict[BoardSeason, BoardRanks]:
        """The ranks that can be told in time. Boards that the batch may not have reached
        are not to be read from the index until a sweep has found it."""
        found: dict[BoardSeason, BoardRanks] = {}
        now = asyncio.get_running_loop().time()
        deadline = max(committed_at + RANK_SECONDS, now + LEAST_SECONDS)
        for board, folds in batch.plan.to_index():
            standings = self._standings.of(board)
            try:
                ranks = await _tell_index(standings, folds, batch.plan.names, deadline)
            except TimeoutError:
                standings.index.distrust("a batch took too long")
            except Exception as error:  # the other boards are to get the batch all the same
                standings.index.distrust(f"a batch met a defect: {error!r}")
                log.exception("the ranks of a committed batch can't be told")
            else:
                if ranks is not None:
                    found[board] = ranks
        return found

    def _answer(self, batch: Batch, found: dict[BoardSeason, BoardRanks]) -> int:
        """The last session of a player in the batch carries the change, the others carry none."""
        main = self._boards.default.slug
        without = 0
        told: set[int] = set()
        for item, outcome in reversed(batch.accepted):
            user_id = item.submission.user_id
            boards = {
                board.slug: _on_board(batch, board, outcome, user_id, found, user_id not in told)
                for board in outcome.totals
            }
            told.add(user_id)
            without += any(each.new_rank is None for each in boards.values())
            item.succeed(Receipt(outcome.session_id, boards, main))
        for item, (session_id,) in batch.replayed:
            submission = item.submission
            boards = {
                board.slug: _on_board_again(batch, board, submission.user_id, found)
                for board in self._boards.matching(submission.game_mode)
            }
            item.succeed(Receipt(session_id, boards, main, replayed=True))
        return without


async def _tell_index(
    standings: Standings, folds: Mapping[int, Fold], names: Mapping[int, str], deadline: float
) -> BoardRanks | None:
    """Brings a board's folds into its index and returns their ranks, from SQL if the index can't
    tell them; None if they can't be told soon. Raises TimeoutError at the deadline."""
    indexed = [standings.to_index(fold, names[user_id]) for user_id, fold in folds.items()]
    try:
        async with asyncio.timeout_at(deadline):
            applied = await standings.apply(indexed)
    except IndexAway:
        return await _ask_database(standings, list(folds), deadline)
    ranked = {
        user_id: (change.old, change.new)
        for user_id, change in zip(folds, applied.ranks, strict=True)
        if change.new is not None
    }
    return BoardRanks(ranked, applied.players)


async def _ask_database(
    standings: Standings, user_ids: Sequence[int], deadline: float
) -> BoardRanks | None:
    """Ranks from SQL, which knows no old ones; None if they can't be told soon."""
    try:
        async with asyncio.timeout_at(deadline):
            found = await standings.ranks_by_sql(user_ids)
    except Exception as error:
        if not is_away(error):
            raise
        return None
    if found is None:
        return None
    return BoardRanks(
        {user_id: (None, each.rank) for user_id, each in found.by_player.items()},
        found.totals.players,
    )


def _on_board(
    batch: Batch,
    board: BoardSeason,
    outcome: Accepted,
    user_id: int,
    found: dict[BoardSeason, BoardRanks],
    is_last: bool,
) -> BoardReceipt:
    total_score, is_new_best = outcome.totals[board]
    ranks = found.get(board)
    known = None if ranks is None else ranks.ranks.get(user_id)
    if ranks is None or known is None:
        return BoardReceipt(total_score=total_score, is_new_best=is_new_best)
    old, new = known
    is_first = is_last and batch.plan.is_first(board, user_id)
    if is_first or not is_last:
        change: int | None = 0
    else:
        change = None if old is None else old - new
    return BoardReceipt(new, change, ranks.players, total_score, is_new_best, is_first)


def _on_board_again(
    batch: Batch, board: BoardSeason, user_id: int, found: dict[BoardSeason, BoardRanks]
) -> BoardReceipt:
    """What a repeat is told: the rank as it is now."""
    changed = batch.plan.folds.get(board, {}).get(user_id)
    fold = changed or batch.plan.repeats.get(board, {}).get(user_id)
    total_score = None if fold is None else fold.total_score
    ranks = found.get(board)
    known = None if ranks is None else ranks.ranks.get(user_id)
    if ranks is None or known is None:
        return BoardReceipt(total_score=total_score)
    return BoardReceipt(known[1], 0, ranks.players, total_score)
