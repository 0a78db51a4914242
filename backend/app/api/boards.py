"""Boards: what ranks whom, within which bounds, since when."""

from typing import Annotated

from fastapi import APIRouter, Path

from app.api.problems import declare
from app.api.state import ServiceDep
from app.core.config import MAX_SCORE, Settings
from app.core.errors import InvalidInput, UnknownBoard
from app.schemas.boards import Board, BoardList, Limits, Season, SeasonList, Tier
from app.schemas.common import GAME_MODE, Slug
from app.services.boards import BoardProfile

router = APIRouter(prefix="/api/boards", tags=["boards"])

ERRORS = declare(UnknownBoard, InvalidInput)


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
async def list_boards(service: ServiceDep) -> BoardList:
    """All boards with their rules, bounds and tiers."""
    return BoardList(
        boards=[_to_answer(each, service.settings) for each in service.boards.profiles]
    )


@router.get("/{slug}", responses=ERRORS)
async def get_board(slug: Annotated[Slug, Path()], service: ServiceDep) -> Board:
    """A board's rules, bounds and tiers."""
    return _to_answer(service.boards.profile(slug), service.settings)


@router.get("/{slug}/seasons", responses=ERRORS)
async def list_seasons(slug: Annotated[Slug, Path()], service: ServiceDep) -> SeasonList:
    """A board's seasons, newest first."""
    board = service.boards.profile(slug)
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
