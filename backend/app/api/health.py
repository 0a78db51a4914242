"""Whether the service is well, part by part."""

from fastapi import APIRouter, Request, Response

from app import __version__
from app.api.access import CallerDep
from app.api.hot_route import JsonRoute
from app.api.leaderboard import PREFIX
from app.api.state import ServiceDep
from app.schemas.health import Health, Part
from app.services.access.callers import Rule, allows
from app.services.probe import Answer, Look
from app.services.service import Service

router = APIRouter(prefix=PREFIX, tags=["leaderboard"], route_class=JsonRoute)


def _server(answer: Answer) -> Part:
    if answer.fault is not None:
        return Part(status="down", detail=answer.fault)
    return Part(status="ok", latency_ms=answer.latency_ms)


def _index(service: Service) -> Part:
    """The index is degraded while reads come from PostgreSQL: exact, only slower."""
    doubted = [each.index for each in service.standings.all if not each.index.available]
    if doubted:
        return Part(status="degraded", detail=doubted[0].reason)
    return Part(status="ok")


def _live(service: Service) -> Part:
    lost = [each for each in service.standings.all if each.follower.mirror is None]
    return Part(status="degraded", detail="resyncing") if lost else Part(status="ok")


def _limits(service: Service) -> Part:
    """Degraded while Redis is away: stricter, because each worker counts its share alone."""
    if not service.limits.on:
        return Part(status="ok", detail="off")
    if service.limits.standing_in:
        return Part(status="degraded", detail="Redis is away: each worker counts its share")
    return Part(status="ok")


def _tasks(service: Service) -> Part:
    """The worker's long-lived tasks. A failed one is started again within seconds."""
    failing = [f"{task.name}: {task.why}" for task in service.supervisor.failing]
    return Part(status="degraded", detail=", ".join(failing)) if failing else Part(status="ok")


def _writer(service: Service, look: Look) -> Part:
    """Down while the database answers and still can't store a score: its disk is full, say. One
    worker's failures are told by all."""
    why = service.writer.outage.why or look.outage
    if why is not None:
        return Part(status="down", detail=f"scores can't be stored: {why}")
    queued = service.writer.queued
    full = queued > service.settings.writer_max_queue * 0.8
    return Part(status="degraded" if full else "ok", detail=f"{queued} queued")


@router.get("/health", responses={503: {"model": Health, "description": "Scores can't be stored."}})
@allows(Rule.PUBLIC)
async def health(
    request: Request, caller: CallerDep, service: ServiceDep, response: Response
) -> Health:
    """The state of the service and of each part. 503 only while scores can't be stored. A key with
    `read` is told details as well."""
    look = await service.probe.look()
    database, redis = _server(look.database), _server(look.redis)
    index, live, writer = _index(service), _live(service), _writer(service, look)
    limits, tasks = _limits(service), _tasks(service)
    parts = (database, redis, index, live, writer, limits, tasks)
    status = "ok" if all(part.status == "ok" for part in parts) else "degraded"
    if "down" in (database.status, writer.status):
        status = "down"
        response.status_code = 503
        response.headers["Retry-After"] = "2"
    default = service.standings.of(service.boards.default)
    found = Health(
        status=status,
        version=__version__,
        auth=service.settings.auth_mode,
        database=database,
        redis=redis,
        index=index,
        live=live,
        writer=writer,
        limits=limits,
        tasks=tasks,
        clients=request.state.hubs.door.clients,
        total_players=None if default.follower.mirror is None else default.follower.players,
    )
    return found if Rule.WATCH in caller.rules else found.without_details()
