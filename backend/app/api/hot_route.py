"""Routes for the few endpoints that are asked thousands of times a second.

They stand in the OpenAPI document like all others, with their models and errors, but their
handlers are plain ASGI: they read the scope, validate bytes and answer bytes. Measured, the
framework's own work a request (dependencies, response model, several awaits) costs more than
the answer itself.
"""

import re
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from functools import lru_cache
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.routing import APIRoute, APIWebSocketRoute
from pydantic_core import from_json
from starlette.routing import BaseRoute
from starlette.types import Message, Receive, Scope, Send

from app.api import problems
from app.api.access import SCHEMES, declared
from app.api.answer_headers import AnswerHeaders
from app.api.limiting import admit_and_charge, kind_of
from app.api.metered import RequestMeter, RequestMeters
from app.api.middleware import RequestIds
from app.api.state import service_of
from app.core.errors import BodyTooLarge, InvalidInput, UnsupportedMediaType
from app.core.exact_json import read_with_whole_numbers
from app.services.access.callers import rule_of

Headers = list[tuple[bytes, bytes]]
Handler = Callable[[Scope, Receive], Awaitable[tuple[int, Headers, bytes]]]

JSON = (b"content-type", b"application/json")
MAX_DIGITS = 16
"""Of any number in a query, a path or a header: no bound of ours has more."""
_FRACTION = re.compile(rb"[0-9][.eE]")


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
            await super().__call__(scope, receive, send)
            return
        found = self.hot.find(scope)
        if found is None:
            preflight = self.answer_headers.preflight(scope)
            if preflight is None:
                await super().__call__(scope, receive, self.answer_headers.wrap(scope, send))
            else:
                await send({"type": "http.response.start", "status": 204, "headers": preflight})
                await send({"type": "http.response.body"})
            return
        request_id = scope["request_id"] = self.request_ids.of(scope)
        started = time.perf_counter()
        try:
            await admit_and_charge(scope, found.rule, found.kind)
            status, headers, body = await found.handler(scope, receive)
            # On a 304 the length would be that of the page which isn't sent.
            if status != HTTPStatus.NOT_MODIFIED:
                headers.append((b"content-length", b"%d" % len(body)))
        except Exception as error:  # noqa: BLE001 - all of them become problem documents
            structlog.contextvars.bind_contextvars(request_id=request_id)
            status, headers, body = problems.render(problems.to_app_error(error), request_id)
        headers.append((b"x-request-id", request_id.encode()))
        headers += self.answer_headers.hot(scope)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
        found.meter.count(status, started)
        self.request_ids.log(scope, status, started)

    def openapi(self) -> dict[str, Any]:
        """The document, with the ways to show a credential."""
        document = super().openapi()
        document["components"]["securitySchemes"] = SCHEMES
        return document


class RuledRoute(APIRoute):
    """A route with an access rule, which stands in the OpenAPI document."""

    def __init__(
        self,
        path: str,
        endpoint: Callable[..., Any],
        *,
        responses: dict[int | str, dict[str, Any]] | None = None,
        **options: Any,  # noqa: ANN401
    ) -> None:
        self.rule = rule_of(endpoint)
        self.kind = kind_of(options["methods"], path)
        super().__init__(path, endpoint, **{**options, **declared(self.rule, responses)})


def check_rules(routes: Iterable[BaseRoute]) -> None:
    """Raises TypeError for a route that nobody would be kept from: better no start than a gap."""
    for route in routes:
        if isinstance(route, APIWebSocketRoute):
            rule_of(route.endpoint)  # which the endpoint itself holds its callers against
        elif not isinstance(route, RuledRoute):
            raise TypeError(f"{route} has no access rule: give its router a route class of ours")


class HotRoute(RuledRoute):
    """The declaration of a hot route."""

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


def served_by(handler: Handler) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Marks a declaration (signature, docstring, models) with the handler that serves it."""

    def mark(declaration: Callable[..., Any]) -> Callable[..., Any]:
        declaration.hot = handler  # type: ignore[attr-defined]
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


async def read_json(scope: Scope, receive: Receive, limit: int) -> bytes:
    """The body of a request. Raises UnsupportedMediaType, BodyTooLarge."""
    declared = b""
    for name, value in scope["headers"]:
        if name == b"content-type":
            declared = value
        elif name == b"content-length" and (
            not value.isdigit() or len(value) > MAX_DIGITS or int(value) > limit
        ):
            raise BodyTooLarge(f"The body may have at most {limit:,} bytes.")
    kind = declared.partition(b";")[0].strip().lower()
    if kind != b"application/json" and not (
        kind.startswith(b"application/") and kind.endswith(b"+json")
    ):
        raise UnsupportedMediaType("Send the body as application/json.")
    message: Message = await receive()
    body = message.get("body", b"")
    if message.get("more_body", False):
        body = bytearray(body)
        while message.get("more_body", False) and len(body) <= limit:
            message = await receive()
            body += message.get("body", b"")
    if len(body) > limit:
        raise BodyTooLarge(f"The body may have at most {limit:,} bytes.")
    return bytes(body)


def parse_json(body: bytes) -> Any:  # noqa: ANN401
    """What the body says. Raises InvalidInput for what is no JSON, NaN and Infinity included."""
    try:
        return from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise InvalidInput.field("body", f"is not valid JSON: {error}") from error


def parse_whole_numbers(body: bytes) -> Any:  # noqa: ANN401
    """As `parse_json`; a whole number is an integer, also one that is written `1.5e3`."""
    parsed = parse_json(body)
    return read_with_whole_numbers(body) if _FRACTION.search(body) else parsed


class JsonRoute(RuledRoute):
    """An ordinary route that admits callers, then reads and refuses bodies, exactly as the hot
    routes do it."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        has_body = self.body_field is not None

        async def admit_and_handle(request: Request) -> Response:
            await admit_and_charge(request.scope, self.rule, self.kind)
            if has_body:
                limit = service_of(request.scope).settings.max_body_bytes
                body = await read_json(request.scope, request.receive, limit)
                request = _ReadRequest(request, body, parse_whole_numbers(body))
            return await handle(request)

        return admit_and_handle


class _ReadRequest(Request):
    """A request whose body was read and parsed before."""

    def __init__(self, request: Request, body: bytes, parsed: object) -> None:
        super().__init__(request.scope, request.receive)
        self._read = body
        self._parsed = parsed

    async def body(self) -> bytes:
        return self._read

    async def json(self) -> object:
        return self._parsed


@lru_cache(maxsize=4_096)
def query_parameters(raw: bytes) -> dict[str, str]:
    """The query's parameters; of one that is given twice the last counts."""
    try:
        return dict(parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict"))
    except (UnicodeDecodeError, ValueError) as error:
        raise InvalidInput.field("query", "is not valid") from error


def whole_number(
    given: str | None, name: str, least: int, most: int, default: int | None = None
) -> int:
    """A parameter as a number. Raises InvalidInput, naming it."""
    if given is None and default is not None:
        return default
    if given is None or not given.isascii() or not given.isdigit() or len(given) > MAX_DIGITS:
        raise InvalidInput.field(name, f"must be a whole number from {least} to {most}")
    number = int(given)
    if not least <= number <= most:
        raise InvalidInput.field(name, f"must be a whole number from {least} to {most}")
    return number
