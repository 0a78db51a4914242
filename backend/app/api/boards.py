"""Boards: what ranks whom, within which bounds, since when."""

from typing import Annotated

from fastapi import APIRouter, Path

from app.api.access import CallerDep
from app.api.entrance import takes
from app.api.hot_route import JsonRoute
from app.api.leaderboard import BODY_ERRORS
from app.api.problems import declare
from app.api.state import ServiceDep
from app.core.config import MAX_SCORE, Settings
from app.core.errors import InvalidInput, UnknownBoard
from app.schemas.boards import (
    Board,
    BoardChange,
    BoardList,
    Limits,
    Season,
    SeasonList,
    Tier,
)
from app.schemas.common import GAME_MODE, Slug
from app.services.access.callers import Rule, allows
from app.services.boards import BoardProfile

router = APIRouter(prefix="/api/boards", tags=["boards"], route_class=JsonRoute)

ERRORS = declare(UnknownBoard, InvalidInput)

SlugPath = Annotated[Slug, Path()]


def _to_answer(board: BoardProfile, settings: Settings) -> Board:
    return Board(
        slug=board.slug,
        name=board.name,
        game_modes=None if board.game_modes is None else list(board.game_modes),
        operator=board.operator,
        sort_order=board.sort_order,
        tie_policy=board.tie_policy,
        decimals=board.decimals,
        unit=board.unit,
        season=board.season,
        client_submissions=board.client_submissions,
        is_private=board.is_private,
        limits=Limits(
            min_score=-MAX_SCORE,
            max_score=MAX_SCORE,
            max_duration_ms=settings.max_duration_ms,
            max_metadata_bytes=settings.max_metadata_bytes,
            game_mode_pattern=GAME_MODE,
        ),
        tiers=[Tier(name=name, percentile=cut) for name, cut in settings.tiers],
    )


@router.get("")
@allows(Rule.BOARD)
async def list_boards(caller: CallerDep, service: ServiceDep) -> BoardList:
    """All boards that the caller may read, with their rules, bounds and tiers."""
    return BoardList(
        boards=[_to_answer(each, service.settings) for each in service.boards.readable(caller)]
    )


@router.get("/{slug}", responses=ERRORS)
@allows(Rule.BOARD)
async def get_board(slug: SlugPath, caller: CallerDep, service: ServiceDep) -> Board:
    """A board's rules, bounds and tiers."""
    return _to_answer(service.boards.profile(slug, caller), service.settings)


@router.patch("/{slug}", responses={**BODY_ERRORS, **declare(UnknownBoard)})
@allows(Rule.ADMIN)
@takes(8_192)
async def change_board(
    slug: SlugPath, body: BoardChange, caller: CallerDep, service: ServiceDep
) -> Board:
    """Renames a board, or changes who may read it and whose clients may send scores to it. In
    force on this worker at once, on every other within a second."""
    await service.board_admin.change(
        slug,
        caller.actor,
        name=body.name,
        client_submissions=body.client_submissions,
        is_private=body.is_private,
        reason=body.reason,
    )
    await service.access.refresh()
    return _to_answer(service.boards.profile(slug, caller), service.settings)


@router.get("/{slug}/seasons", responses=ERRORS)
@allows(Rule.BOARD)
async def list_seasons(slug: SlugPath, caller: CallerDep, service: ServiceDep) -> SeasonList:
    """A board's seasons, newest first."""
    board = service.boards.profile(slug, caller)
    seasons = [
        Season(
            number=each.number,
            starts_at=each.starts_at,
            ends_at=each.ends_at,
            closed_at=each.closed_at,
            current=each.number == board.season,
        )
        for each in board.seasons
    ]
    return SeasonList(board=board.slug, seasons=seasons)
