"""The application as New Relic sees it: every request a web transaction with its route's name."""

from typing import cast

from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.hot_route import HotApp
from app.core.apm import Agent

GROUP = "Hot"


def traced(app: HotApp, agent: Agent) -> ASGIApp:
    """Names the hot routes' transactions, as no framework does it for them."""

    async def named(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            route = app.hot.find(scope)
            if route is not None:
                agent.name_transaction(f"{scope['method']} {route.path}", group=GROUP)
        await app(scope, receive, send)

    return cast("ASGIApp", agent.wrap(named))
