"""Where every request is admitted: before its body is read, and before anything is done for it."""

from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.types import Scope

from app.api.problems import declare
from app.api.state import service_of
from app.core.errors import (
    AppError,
    BadRequest,
    Forbidden,
    Misdirected,
    RateLimited,
    Unauthenticated,
    UriTooLong,
)
from app.services.access.callers import Caller, Rule

KEY, TOKEN = "apiKey", "playerToken"

SCHEMES = {
    KEY: {
        "type": "http",
        "scheme": "bearer",
        "description": "A key `lb_...` of a game server or an administrator.",
    },
    TOKEN: {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "A player's short-lived token, from `/api/auth/player-token` or "
        "`/api/auth/guest`.",
    },
}
"""The security schemes of the OpenAPI document."""

_NOTHING: dict[str, list[str]] = {}
_KEY: dict[str, list[str]] = {KEY: []}
_TOKEN: dict[str, list[str]] = {TOKEN: []}

_SECURITY = {
    Rule.PUBLIC: [_NOTHING, _KEY, _TOKEN],
    Rule.BOARD: [_NOTHING, _KEY, _TOKEN],
    Rule.PLAY: [_KEY, _TOKEN],
    Rule.SUBMIT: [_KEY],
    Rule.SELF: [_KEY, _TOKEN],
    Rule.WATCH: [_KEY],
    Rule.ADMIN: [_KEY],
}


def admit(scope: Scope, rule: Rule) -> Caller:
    """Who asks, left in the scope as `caller`. Raises Unauthenticated, Forbidden, Misdirected."""
    given, client = scope["given"], scope.get("client")
    caller = service_of(scope).access.admit(
        rule,
        given.get(b"authorization"),
        given.get(b"host"),
        None if client is None else client[0],
    )
    scope["caller"] = caller
    return caller


async def get_caller(request: Request) -> Caller:
    """For plain FastAPI handlers."""
    caller: Caller = request.scope["caller"]
    return caller


CallerDep = Annotated[Caller, Depends(get_caller)]


def declared(rule: Rule, responses: dict[int | str, dict[str, Any]] | None) -> dict[str, Any]:
    """What a route with this rule has in the OpenAPI document besides what it says itself."""
    errors: list[type[AppError]] = [
        BadRequest,
        Unauthenticated,
        UriTooLong,
        Misdirected,
        RateLimited,
    ]
    # A board that the caller may not read is answered like one that is not there.
    if rule not in (Rule.PUBLIC, Rule.BOARD):
        errors.append(Forbidden)
    return {
        "responses": _together(responses or {}, declare(*errors)),
        "openapi_extra": {"x-access": rule.value, "security": _SECURITY[rule]},
    }


def _together(
    own: dict[int | str, dict[str, Any]], common: dict[int | str, dict[str, Any]]
) -> dict[int | str, dict[str, Any]]:
    """Both; of a status that both have, what each of them says of it."""
    together = dict(own)
    for status, response in common.items():
        said = together.get(status, response)["description"]
        if response["description"] not in said:
            said = f"{response['description']}; {said}"
        together[status] = {**response, "description": said}
    return together
