"""The one way in: a request is admitted and counted, and its body is read within a bound.

Every route is served through `enter`. A handler gets a body as bytes and never the connection, so
no route can read more than its bound.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from starlette.types import Receive, Scope

from app.api.limiting import admit_and_charge, charge
from app.api.state import service_of
from app.core.config import Settings
from app.core.errors import BadRequest, BodyTooLarge, UnsupportedMediaType
from app.services.access.callers import Rule
from app.services.limits.policies import Kind

F = TypeVar("F", bound=Callable[..., Any])
Bound = int | Callable[[Settings], int]

MAX_DIGITS = 16
BYTES_PER_TOKEN = 8_192
"""A longer body costs a token for each so many bytes: twice what a submission may hold."""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def takes(bound: Bound) -> Callable[[F], F]:
    """Declares how many bytes the body of the route that the function serves may have."""

    def mark(endpoint: F) -> F:
        endpoint.body_bound = bound  # type: ignore[attr-defined]
        return endpoint

    return mark


def costs(tokens: int) -> Callable[[F], F]:
    """Declares that a request to the route that the function serves counts as so many."""

    def mark(endpoint: F) -> F:
        endpoint.cost = tokens  # type: ignore[attr-defined]
        return endpoint

    return mark


@dataclass(frozen=True, slots=True)
class Gate:
    """What a route asks of a request. `kind`: what the request counts as; `body`: the bound of
    its body, None for a route that takes none; `cost`: as how many requests it counts."""

    rule: Rule
    kind: Kind
    body: Bound | None
    cost: int = 1


def gate_of(endpoint: Callable[..., Any], rule: Rule, kind: Kind, *, has_body: bool) -> Gate:
    """The gate of a declared route. Raises TypeError for a body without a bound."""
    bound = getattr(endpoint, "body_bound", None)
    if has_body != (bound is not None):
        raise TypeError(f"{endpoint.__qualname__} must say how long its body may be: add @takes")
    return Gate(rule, kind, bound, getattr(endpoint, "cost", 1))


async def enter(scope: Scope, receive: Receive, gate: Gate) -> bytes:
    """Admits and counts the request; returns its body. Raises Unauthenticated, Forbidden,
    Misdirected, RateLimited, UnsupportedMediaType, BodyTooLarge, BadRequest."""
    await admit_and_charge(scope, gate.rule, gate.kind, gate.cost)
    if gate.body is None:
        return b""
    bound = gate.body
    body = await _read_json(
        scope, receive, bound if isinstance(bound, int) else bound(service_of(scope).settings)
    )
    if len(body) > BYTES_PER_TOKEN:
        await charge(scope, gate.kind, len(body) // BYTES_PER_TOKEN)
    return body


async def _read_json(scope: Scope, receive: Receive, limit: int) -> bytes:
    """The body of a request. Raises UnsupportedMediaType, BodyTooLarge, BadRequest."""
    given = scope["given"]
    kind = given.get(b"content-type", b"")
    if kind != b"application/json":
        _check_kind(kind)
    if given.get(b"content-encoding", b"identity").lower() != b"identity":
        raise UnsupportedMediaType("Send the body as plain application/json, not compressed.")
    declared = given.get(b"content-length", b"0")
    if len(declared) > MAX_DIGITS or not declared.isdigit() or int(declared) > limit:
        raise _too_large(limit)
    message = await receive()
    body = message.get("body", b"")
    if message.get("more_body", False):
        body = bytearray(body)
        while message.get("more_body", False) and len(body) <= limit:
            message = await receive()
            body += message.get("body", b"")
    if message["type"] != "http.request":
        # What has arrived may be whole as JSON all the same: the client did not say all it meant.
        raise BadRequest("The connection ended before the body did.")
    if len(body) > limit:
        raise _too_large(limit)
    return bytes(body).removeprefix(BYTE_ORDER_MARK)


def _check_kind(kind: bytes) -> None:
    kind = kind.partition(b";")[0].strip().lower()
    if kind != b"application/json" and not (
        kind.startswith(b"application/") and kind.endswith(b"+json")
    ):
        raise UnsupportedMediaType("Send the body as application/json.")


def _too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(f"The body may have at most {limit:,} bytes.")
