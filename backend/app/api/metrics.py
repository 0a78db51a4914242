"""What Prometheus scrapes."""

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from app.api.hot_route import JsonRoute
from app.core.metrics.published import Metrics
from app.services.access.callers import Rule, allows

_EXAMPLE = """\
# HELP leaderboard_sockets Sockets that watch a board.
# TYPE leaderboard_sockets gauge
leaderboard_sockets{board="global",worker="4711"} 12.0
"""

router = APIRouter(tags=["operations"], route_class=JsonRoute)


@router.get(
    "/metrics",
    response_class=Response,
    responses={
        200: {
            "description": "Prometheus' text format.",
            "content": {"text/plain": {"schema": {"type": "string", "examples": [_EXAMPLE]}}},
        }
    },
)
@allows(Rule.WATCH)
async def metrics(request: Request) -> Response:
    """What all workers of this host have counted, each under its own `worker`."""
    counted: Metrics = request.state.metrics
    return Response(await counted.text(), media_type=CONTENT_TYPE_PLAIN_0_0_4)
