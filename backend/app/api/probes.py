"""What an orchestrator asks: whether to restart a process, and whether to send it traffic."""

from http import HTTPStatus

from fastapi import APIRouter, Request, Response

from app.api.hot_route import JsonRoute
from app.api.state import ServiceDep
from app.schemas.health import Live, Ready
from app.services.access.callers import Rule, allows
from app.services.service import Service

router = APIRouter(prefix="/api", tags=["operations"], route_class=JsonRoute)


@router.get("/live")
@allows(Rule.PUBLIC)
async def live() -> Live:
    """The process answers. It asks nobody: a database that is away is no reason to restart this."""
    return Live()


@router.get("/ready", responses={503: {"model": Ready, "description": "Send no traffic here."}})
@allows(Rule.PUBLIC)
async def ready(request: Request, service: ServiceDep, response: Response) -> Ready:
    """Whether this worker should get traffic: it is not stopping, its database answers and has a
    schema. Without Redis it still is: reads come from PostgreSQL."""
    draining = request.state.hubs.door.draining
    reason = "draining" if draining else await _hindrance(service)
    if reason is not None:
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
        response.headers["Retry-After"] = "2"
    return Ready(ready=reason is None, reason=reason)


async def _hindrance(service: Service) -> str | None:
    """Why not."""
    if service.writer.closed:
        return "stopping"
    look = await service.probe.look()
    if look.database.fault is not None:
        return "the database is away"
    return None if look.migrated else "the database is not migrated"
