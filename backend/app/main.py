"""Composition: the only place that wires the parts together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypedDict

from fastapi import FastAPI

from app import __version__
from app.api import health, leaderboard, problems, users
from app.api.middleware import RequestIdMiddleware
from app.core.config import Settings
from app.core.logging import configure_logging
from app.services.service import Service, open_service
from app.websocket import endpoint
from app.websocket.hubs import Hubs, open_hubs


class State(TypedDict):
    """What the lifespan hands to every connection."""

    service: Service
    hubs: Hubs


def create_app(settings: Settings | None = None) -> FastAPI:
    """The application. Nothing is connected before its lifespan begins."""
    settings = settings or Settings()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[State]:
        configure_logging(settings.log_level)
        async with (
            open_service(settings) as service,
            open_hubs(service.standings, settings) as hubs,
        ):
            yield State(service=service, hubs=hubs)

    app = FastAPI(
        title="Leaderboard",
        version=__version__,
        description="Durable scores, exact live ranks.",
        lifespan=lifespan,
    )
    leaderboard.add_hot_routes(app)
    app.include_router(leaderboard.router)
    app.include_router(health.router)
    app.include_router(users.router)
    app.include_router(endpoint.router)
    problems.install(app)
    app.add_middleware(RequestIdMiddleware, access_log=settings.access_log)
    return app
