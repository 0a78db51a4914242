"""Composition: the only place that wires the parts together."""

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypedDict

from fastapi import FastAPI

from app import __version__
from app.api import (
    admin,
    auth,
    boards,
    docs,
    health,
    leaderboard,
    metrics,
    probes,
    problems,
    tiers,
    users,
)
from app.api.answer_headers import AnswerHeaders
from app.api.hot_route import HotApp, HotRoutes, check_rules
from app.api.metered import RequestMeters
from app.api.middleware import RequestIdMiddleware, RequestIds
from app.api.over_limit import Gates, OverLimit
from app.api.patience import Patience
from app.api.web import serve_web
from app.core.apm import Agent
from app.core.config import Settings
from app.core.logging import configure_logging
from app.core.metrics.published import Metrics, open_metrics
from app.services.metrics import metrics_of
from app.services.service import Service, open_service
from app.websocket import endpoint
from app.websocket.hubs import Hubs, open_hubs
from app.websocket.metrics import live_metrics_of

ROUTERS = (
    leaderboard.router,
    health.router,
    tiers.router,
    users.router,
    boards.router,
    auth.router,
    admin.router,
    probes.router,
    metrics.router,
    docs.router,
    endpoint.router,
)


class State(TypedDict):
    """What the lifespan hands to every connection."""

    service: Service
    hubs: Hubs
    patience: Patience
    metrics: Metrics


def spare_the_collector() -> None:
    """What was made at the start stays: no need to look through it again and again.

    Measured, the garbage collector took a fifth to a quarter of the time of a hot request.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 1_000)


def tell(agent: Agent, service: Service, hubs: Hubs) -> None:
    """Custom events: one a batch of submissions, one a fan-out."""
    service.writer.written.on_batch = lambda seen: agent.record(
        "LeaderboardSubmits", seen._asdict()
    )
    for hub in hubs.all:
        hub.on_round = lambda seen: agent.record("LeaderboardFanOut", seen._asdict())


def create_app(settings: Settings | None = None, agent: Agent | None = None) -> HotApp:
    """The application. Nothing is connected before its lifespan begins. An agent is told of every
    batch and every fan-out."""
    settings = settings or Settings()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[State]:
        configure_logging(settings.log_level)
        async with (
            open_service(settings) as service,
            open_hubs(service) as hubs,
            open_metrics(
                (app.meters.source, metrics_of(service), live_metrics_of(hubs)),
                settings.metrics_dir,
                service.supervisor,
            ) as counted,
        ):
            if agent is not None:
                tell(agent, service, hubs)
            spare_the_collector()
            yield State(
                service=service,
                hubs=hubs,
                patience=Patience.of(
                    settings,
                    hubs.door.refusal,
                    OverLimit(service, Gates(app.router.routes), app.answer_headers).answer,
                ),
                metrics=counted,
            )

    app = HotApp(
        title="Leaderboard",
        version=__version__,
        description="Durable scores, exact live ranks.",
        lifespan=lifespan,
        redirect_slashes=False,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
    )
    app.meters = RequestMeters()
    app.hot, app.request_ids = HotRoutes(), RequestIds(access_log=settings.access_log)
    app.answer_headers = AnswerHeaders(settings)
    leaderboard.add_hot_routes(app)
    for router in ROUTERS:
        app.include_router(router)
    serve_web(app, settings.web_dir)
    check_rules(app.router.routes)
    problems.install(app)
    app.add_middleware(RequestIdMiddleware, ids=app.request_ids, meters=app.meters)
    return app
