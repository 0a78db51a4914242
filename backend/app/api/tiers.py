"""What it takes to be in which tier."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from app.api.access import CallerDep
from app.api.hot_route import JsonRoute
from app.api.leaderboard import PREFIX
from app.api.problems import declare
from app.api.state import ServiceDep
from app.core.errors import DatabaseAway, InvalidInput, UnknownBoard, UnknownSeason
from app.schemas.entries import BoardQuery, TierStanding, TierTable
from app.services.access.callers import Rule, allows

router = APIRouter(prefix=PREFIX, tags=["leaderboard"], route_class=JsonRoute)


@router.get("/tiers", responses=declare(UnknownBoard, UnknownSeason, InvalidInput, DatabaseAway))
@allows(Rule.BOARD)
async def tiers(
    query: Annotated[BoardQuery, Query()],
    caller: CallerDep,
    service: ServiceDep,
    response: Response,
) -> TierTable:
    """Down to which rank each tier goes now, and the score that stands there. Looked at about
    once a second, however many ask."""
    board = service.boards.find(query.board, query.season, caller)
    found = await service.tiers.of(board)
    response.headers["Leaderboard-Source"] = found.source
    response.headers["Cache-Control"] = "private, max-age=1"
    return TierTable(
        board=board.slug,
        season=board.season,
        total_players=found.totals.players,
        version=found.totals.version,
        tiers=[
            TierStanding(
                name=each.name,
                percentile=each.percentile,
                rank=each.rank,
                score=each.score,
                players=each.players,
            )
            for each in found.tiers
        ],
    )
