"""Errors become problem documents here and nowhere else."""

from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.routing import Match

from app.core.database import is_away, is_busy
from app.core.errors import AppError, BodyTooLarge, Busy, DatabaseAway, InternalError, InvalidInput
from app.schemas.problem import Problem

log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"
MAX_FAULTS = 100
"""Beyond this many, merely listing them would keep everybody else waiting."""
MAX_FIELDS_NAMED = 20
MAX_NAME = 50

_PROBLEM_SCHEMA = f"#/components/schemas/{Problem.__name__}"

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_HTTP_CODES = {
    400: "bad-request",
    404: "not-found",
    405: "method-not-allowed",
    413: "body-too-large",
}


def declare(*errors: type[AppError]) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route: every error that it may answer, by status."""
    by_status: dict[int | str, list[type[AppError]]] = {}
    for error in errors:
        by_status.setdefault(error.status, []).append(error)
    return {
        status: {
            "description": "; ".join(f"`{each.code}`: {each.title}" for each in found),
            # Not as the route's `model`, which would be declared as application/json.
            "content": {MEDIA_TYPE: {"schema": {"$ref": _PROBLEM_SCHEMA}}},
        }
        for status, found in by_status.items()
    }


def invalid_input(error: ValidationError | RequestValidationError) -> InvalidInput:
    """The same error in our words, each field by its dotted path.

    Names come from the caller and may be as many and as long as a body allows: they are cut.
    """
    if isinstance(error, ValidationError) and error.error_count() > MAX_FAULTS:
        return InvalidInput.field("body", f"has {error.error_count():,} faults")
    if isinstance(error, ValidationError):
        found = error.errors(include_url=False, include_context=False, include_input=False)
    else:
        found = list(error.errors())
    errors = []
    for each in found[:MAX_FIELDS_NAMED]:
        # The framework puts first where in the request a field was.
        path = each["loc"][isinstance(error, RequestValidationError) :]
        field = ".".join(str(part)[:MAX_NAME] for part in path)
        message = each["msg"].removeprefix("Value error, ")
        errors.append({"field": field or "body", "message": message})
    if len(errors) == 1:
        # Many clients show the detail alone: it says what is wrong, not only where.
        return InvalidInput.field(errors[0]["field"], errors[0]["message"])
    named = ", ".join(dict.fromkeys(each["field"] for each in errors))
    return InvalidInput(f"Not valid: {named}.", errors=errors)


def render(error: AppError, request_id: str | None) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """(status, headers, body) of an error."""
    document = error.problem()
    if request_id is not None:
        document["request_id"] = request_id
    body = to_json(document)
    headers = [
        (b"content-type", MEDIA_TYPE.encode()),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"private, no-store"),
    ]
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers.append((b"www-authenticate", b"Bearer"))
    if error.retry_after is not None:
        headers.append((b"retry-after", b"%d" % error.retry_after))
    return error.status, headers, body


def _respond(request: Request, error: AppError) -> Response:
    status, headers, body = render(error, request.scope.get("request_id"))
    response = Response(body, status)
    response.raw_headers = headers
    return response


def to_app_error(error: Exception) -> AppError:
    """Any exception as one of ours; what we don't know is logged and told nobody."""
    if isinstance(error, AppError):
        return error
    if isinstance(error, RequestValidationError | ValidationError):
        return invalid_input(error)
    if is_away(error):
        log.warning("database away", error=repr(error))
        return DatabaseAway("The database can't be reached now. Try again in a moment.")
    if is_busy(error):
        return Busy("Another transaction holds what this one needs. Nothing was changed.")
    log.error("unhandled error", exc_info=error)
    return InternalError("Something went wrong on our side.")


def _from_http(error: HTTPException) -> AppError:
    if error.status_code == BodyTooLarge.status:
        return BodyTooLarge("The body is larger than this service takes.")
    said = str(error.detail)
    if error.status_code == HTTPStatus.NOT_FOUND and said == HTTPStatus.NOT_FOUND.phrase:
        said = "There is nothing at this path. /docs describes the API."
    found = InternalError(said)
    # Instances shadow the class's constants: the framework's own errors keep their status.
    found.__dict__.update(
        status=error.status_code,
        code=_HTTP_CODES.get(error.status_code, "http-error"),
        title=str(error.detail),
    )
    return found


def _allowed(request: Request) -> str:
    """All methods of the path. The framework names those of the first route it finds alone."""
    return ", ".join(
        method
        for method in _METHODS
        if any(
            route.matches({**request.scope, "method": "GET" if method == "HEAD" else method})[0]
            is Match.FULL
            for route in request.app.router.routes
        )
    )


def install(app: FastAPI) -> None:
    """Every error that leaves the app is a problem document."""

    async def on_error(request: Request, error: Exception) -> Response:
        return _respond(request, to_app_error(error))

    async def on_http(request: Request, error: Exception) -> Response:
        if not isinstance(error, HTTPException):
            raise TypeError
        response = _respond(request, _from_http(error))
        for name, value in (error.headers or {}).items():
            response.headers.setdefault(name, value)
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            response.headers["Allow"] = _allowed(request)
        return response

    for kind in (AppError, RequestValidationError, ValidationError, OSError, Exception):
        app.add_exception_handler(kind, on_error)
    app.add_exception_handler(HTTPException, on_http)
