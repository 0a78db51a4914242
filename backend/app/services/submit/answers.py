"""From a committed batch to its receipts: the index is told, and says the ranks."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

import structlog

from app.core.database import is_away
from app.services.boards import Boards, BoardSeason
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
        found: dict[BoardSeason, BoardRanks] = {}
        try:
            await self._find(batch, committed_at, found)
        except Exception:  # the scores are stored, and that is what is answered
            log.exception("the ranks of a committed batch can't be told")
        return self._answer(batch, found)

    async def _find(
        self, batch: Batch, committed_at: float, found: dict[BoardSeason, BoardRanks]
    ) -> None:
        """Puts into `found` what can be told in time. Boards that the time did not suffice for
        are not to be read from the index until a sweep has found the batch."""
        now = asyncio.get_running_loop().time()
        deadline = max(committed_at + RANK_SECONDS, now + LEAST_SECONDS)
        for board, folds in batch.plan.to_index():
            standings = self._standings.of(board)
            user_ids = list(folds)
            indexed = [
                standings.to_index(fold, batch.plan.names[user_id])
                for user_id, fold in folds.items()
            ]
            try:
                async with asyncio.timeout_at(deadline):
                    applied = await standings.apply(indexed)
            except TimeoutError:
                standings.index.distrust("a batch took too long")
                continue
            except IndexAway:
                ranks = await _ask_database(standings, user_ids, deadline)
                if ranks is not None:
                    found[board] = ranks
                continue
            ranked = {
                user_id: (old, new)
                for user_id, (old, new) in zip(user_ids, applied.ranks, strict=True)
                if new is not None
            }
            found[board] = BoardRanks(ranked, applied.players)

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
