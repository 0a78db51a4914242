"""A request id for every request, in the answer's header and in every line of log."""

import itertools
import re
import secrets
import time

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.metered import RequestMeters

log = structlog.get_logger("app.access")

_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
MAX_LOGGED_PATH = 512
"""Characters."""


class RequestIds:
    """Takes a caller's `X-Request-ID` if it is a plain one, else makes one."""

    def __init__(self, *, access_log: bool) -> None:
        self._access_log = access_log
        # Unique a worker by its random head, cheap a request by its count.
        self._head = secrets.token_hex(5)
        self._count = itertools.count(1)

    def of(self, scope: Scope) -> str:
        """The request's id."""
        for name, value in scope["headers"]:
            if name == b"x-request-id" and _ID.fullmatch(value):
                found: str = value.decode()
                return found
        return f"{self._head}-{next(self._count):x}"

    def log(self, scope: Scope, status: int, started: float) -> None:
        """A line of access log, if wanted. `started` is of `time.perf_counter`."""
        if self._access_log:
            caller = scope.get("caller")
            log.info(
                "request",
                request_id=scope["request_id"],
                key=None if caller is None else caller.prefix,
                method="HEAD" if "asked_for_head" in scope else scope["method"],
                path=scope["path"][:MAX_LOGGED_PATH],
                status=status,
                ms=round((time.perf_counter() - started) * 1_000, 2),
            )


class RequestIdMiddleware:
    """Request ids, counts and log lines of all that goes through the framework."""

    def __init__(self, app: ASGIApp, ids: RequestIds, meters: RequestMeters) -> None:
        self._app = app
        self._ids = ids
        self._meters = meters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        # A socket has none yet.
        request_id = scope["request_id"] = scope.get("request_id") or self._ids.of(scope)
        structlog.contextvars.bind_contextvars(request_id=request_id)
        header = (b"x-request-id", request_id.encode())
        started = time.perf_counter()
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), header]
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        finally:
            if scope["type"] == "http":
                self._meters.of(scope).count(status, started)
                self._ids.log(scope, status, started)
