"""Routes: plain ones, served by the framework, and hot ones, served in front of it.

A hot route is one that is asked thousands of times a second. It stands in the OpenAPI document
like all others, with its models and errors, but its handler is plain ASGI: it reads the scope and
a body of bytes, and answers bytes. Measured, the framework's own work a request (dependencies,
response model, several awaits) costs more than the answer itself.
"""

import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from http import HTTPStatus
from typing import Any, cast

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.routing import APIRoute, APIWebSocketRoute
from pydantic import TypeAdapter
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api import problems
from app.api.access import SCHEMES, declared
from app.api.answer_headers import AnswerHeaders, Headers
from app.api.bodies import refuse_repeated, validated
from app.api.entrance import enter, gate_of
from app.api.head import read_head, without_slash
from app.api.limiting import charge_light, kind_of
from app.api.metered import RequestMeter, RequestMeters
from app.api.middleware import RequestIds
from app.core.errors import AppError, RateLimited
from app.services.access.callers import rule_of

Handler = Callable[[Scope, bytes], Awaitable[tuple[int, Headers, bytes]]]
OnRefusal = Callable[[Scope, AppError], None]
"""Takes the scope and the body; returns status, headers and the answer's body."""

JSON = (b"content-type", b"application/json")


class HotRoutes:
    """Which handler serves which request, and by which rule; asked before anything else is."""

    def __init__(self) -> None:
        self._whole: dict[tuple[str, str], HotRoute] = {}
        self._with_id: dict[tuple[str, str], HotRoute] = {}

    def add(self, method: str, path: str, route: "HotRoute") -> None:
        """`path` may end with one `{parameter}`."""
        if path.endswith("}"):
            self._with_id[method, path[: path.rindex("/") + 1]] = route
        else:
            self._whole[method, path] = route

    def find(self, scope: Scope) -> "HotRoute | None":
        """What there is; the last part of the path is then in the scope as `hot_parameter`."""
        method, path = scope["method"], scope["path"]
        found = self._whole.get((method, path))
        at = path.rfind("/") + 1
        if found is None and at < len(path):
            found = self._with_id.get((method, path[:at]))
            scope["hot_parameter"] = path[at:]
        return found


class HotApp(FastAPI):
    """FastAPI, with a way in front of its middleware, routers and dependencies for hot routes.

    What those layers do for all others (request id, errors as problems, access log) is done for
    hot routes here, with the same functions.
    """

    hot: HotRoutes
    meters: RequestMeters
    request_ids: RequestIds
    answer_headers: AnswerHeaders

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                scope["path"] = without_slash(scope["path"])
            await super().__call__(scope, receive, send)
            return
        if scope["method"] == "HEAD":
            # A copy: the server's own scope still says that no body is to be sent.
            scope, send = {**scope, "method": "GET", "asked_for_head": True}, _without_body(send)
        request_id = scope["request_id"] = self.request_ids.of(scope)
        started = time.perf_counter()
        found, meter = None, self.meters.others
        try:
            try:
                read_head(scope)
            except AppError:
                await charge_light(scope)
                raise
            found = self.hot.find(scope)
            if found is not None:
                meter = found.meter
                body = await enter(scope, receive, found.gate)
                status, headers, answer = await found.handler(scope, body)
                # On a 304 the length would be that of the page which isn't sent.
                if status != HTTPStatus.NOT_MODIFIED:
                    headers.append((b"content-length", b"%d" % len(answer)))
        except Exception as error:  # noqa: BLE001 - all of them become problem documents
            structlog.contextvars.bind_contextvars(request_id=request_id)
            status, headers, answer = _refuse(error, found, scope)
        else:
            if found is None:
                await self._serve_plain(scope, receive, send)
                return
        headers.append((b"x-request-id", request_id.encode()))
        headers += self.answer_headers.hot(scope)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": answer})
        meter.count(status, started)
        self.request_ids.log(scope, status, started)

    async def _serve_plain(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves what is no hot route: a preflight, or a request for the framework."""
        preflight = self.answer_headers.preflight(scope)
        if preflight is not None:
            try:
                await charge_light(scope)
            except RateLimited:
                preflight = None  # the framework answers, and counts it too
        if preflight is None:
            await super().__call__(scope, receive, self.answer_headers.wrap(scope, send))
            return
        await send({"type": "http.response.start", "status": 204, "headers": preflight})
        await send({"type": "http.response.body"})

    def openapi(self) -> dict[str, Any]:
        """The document, with the ways to show a credential, and HEAD wherever there is GET."""
        document = super().openapi()
        document["components"]["securitySchemes"] = SCHEMES
        for operations in document["paths"].values():
            if "get" in operations:
                operations["head"] = _as_head(operations["get"])
        return document


def _as_head(get: dict[str, Any]) -> dict[str, Any]:
    """The HEAD operation beside a GET operation: the same, without bodies."""
    responses = {
        status: {name: said for name, said in response.items() if name != "content"}
        for status, response in get["responses"].items()
    }
    return {
        **get,
        "summary": f"{get['summary']}: headers alone",
        "operationId": f"{get['operationId']}_head",
        "responses": responses,
    }


def _without_body(send: Send) -> Send:
    """`send` for the answer to a HEAD request: the headers of GET, and no body."""

    async def send_headers(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return send_headers


class RuledRoute(APIRoute):
    """A route with an access rule, through which every request goes by `enter`."""

    def __init__(
        self,
        path: str,
        endpoint: Callable[..., Any],
        *,
        responses: dict[int | str, dict[str, Any]] | None = None,
        **options: Any,  # noqa: ANN401
    ) -> None:
        rule = rule_of(endpoint)
        super().__init__(path, endpoint, **{**options, **declared(rule, responses)})
        self.gate = gate_of(
            endpoint,
            rule,
            kind_of(self.methods or (), path),
            has_body=self.body_field is not None,
        )


class JsonRoute(RuledRoute):
    """An ordinary route: the framework serves it, with a body that was read and validated."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:  # noqa: ANN401
        super().__init__(path, endpoint, **options)
        field = self.body_field
        self._body: TypeAdapter[Any] | None = (
            None if field is None else TypeAdapter(cast("type[Any]", field.field_info.annotation))
        )

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in (self.methods or ()):
            await charge_light(scope)
        else:
            body = await enter(scope, receive, self.gate)
            if self._body is not None:
                scope["body"] = validated(self._body, body)
                refuse_repeated(body)
        await super().handle(scope, _nothing_more, send)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_read(request: Request) -> Response:
            return await handle(_ReadRequest(request))

        return handle if self.body_field is None else handle_read


async def _nothing_more() -> Message:
    """`receive` of a request whose body was read before."""
    return {"type": "http.request", "body": b"", "more_body": False}


class _ReadRequest(Request):
    """A request with its validated body, which the framework takes as it is."""

    def __init__(self, request: Request) -> None:
        super().__init__(request.scope, request.receive)

    async def body(self) -> bytes:
        return b"{}"  # not empty: there is one

    async def json(self) -> object:
        return self.scope["body"]


class HotRoute(RuledRoute):
    """The declaration of a hot route. The framework never serves it."""

    def __init__(
        self,
        path: str,
        endpoint: Callable[..., Any],
        *,
        meter: RequestMeter,
        **options: Any,  # noqa: ANN401
    ) -> None:
        super().__init__(path, endpoint, **options)
        self.meter = meter
        self.handler: Handler = endpoint.hot  # type: ignore[attr-defined]
        self.on_refusal: OnRefusal | None = endpoint.on_refusal  # type: ignore[attr-defined]

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        await charge_light(scope)
        if scope["method"] in (self.methods or ()):
            raise HTTPException(HTTPStatus.NOT_FOUND)
        await super().handle(scope, receive, send)


def _refuse(error: Exception, found: "HotRoute | None", scope: Scope) -> tuple[int, Headers, bytes]:
    """The answer that an error becomes."""
    refusal = problems.to_app_error(error)
    # An error knows the frames that it went through, and a frame knows the request. A frame that
    # knows the error too would keep both in memory until the next garbage collection.
    refusal.__traceback__ = error.__traceback__ = None
    _tell(found, scope, refusal)
    return problems.render(refusal, scope["request_id"])


def _tell(route: HotRoute | None, scope: Scope, refusal: AppError) -> None:
    """Tells a route's observer of an error."""
    if route is not None and route.on_refusal is not None:
        route.on_refusal(scope, refusal)


class CountedDefault:
    """What answers where no route does. Each request is counted first."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        if scope["type"] == "http":
            await charge_light(scope)
        await self._app(scope, _nothing_more, send)


def check_rules(routes: Iterable[BaseRoute]) -> None:
    """Raises TypeError for a route that does not admit, count and bound its requests by itself:
    better no start than a gap."""
    for route in routes:
        included = getattr(route, "original_router", None)
        if included is not None:
            check_rules(included.routes)
        elif isinstance(route, APIWebSocketRoute):
            rule_of(route.endpoint)  # the endpoint itself holds its callers to it
        elif not isinstance(route, JsonRoute | HotRoute):
            raise TypeError(f"{route} has no access rule: give its router a route class of ours")


def ruled_routes(routes: Iterable[BaseRoute]) -> Iterator["RuledRoute"]:
    """All routes with a gate, in the order in which they are tried."""
    for route in routes:
        included = getattr(route, "original_router", None)
        if included is not None:
            yield from ruled_routes(included.routes)
        elif isinstance(route, RuledRoute):
            yield route


def served_by(
    handler: Handler, *, on_refusal: OnRefusal | None = None
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Marks a declaration (signature, docstring, models) with the handler that serves it, and with
    what is to know of every error that the route answers."""

    def mark(declaration: Callable[..., Any]) -> Callable[..., Any]:
        declaration.hot = handler  # type: ignore[attr-defined]
        declaration.on_refusal = on_refusal  # type: ignore[attr-defined]
        return declaration

    return mark


def add_hot_route(
    app: HotApp,
    method: str,
    path: str,
    declaration: Callable[..., Any],
    **options: Any,  # noqa: ANN401
) -> None:
    """Adds a route to the document and, in front of everything, its handler."""
    route = HotRoute(
        path,
        declaration,
        meter=app.meters.of_route(method, path),
        methods=[method],
        tags=["leaderboard"],
        **options,
    )
    app.router.routes.append(route)
    app.hot.add(method, path, route)
