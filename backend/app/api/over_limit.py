"""Requests of callers who are known to be over their limit, refused from the head alone.

A flood is made of such requests. The framework would refuse them too, at several times the CPU. A
caller who may be served, or whose standing has to be asked for, is never refused here.
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from math import ceil
from urllib.parse import unquote

import httptools
from starlette.routing import BaseRoute

from app.api import problems
from app.api.answer_headers import AnswerHeaders, Headers
from app.api.entrance import Gate
from app.api.head import check_target, without_slash
from app.api.hot_route import ruled_routes
from app.api.limiting import refusal_of
from app.core.errors import AppError, Unauthenticated
from app.services.access.callers import ANONYMOUS, OPEN, Caller
from app.services.access.callers import Kind as CallerKind
from app.services.limits.policies import Kind, Policy
from app.services.service import Service

RawHeaders = Sequence[tuple[bytes, bytes]]

_START = b"HTTP/1.1 429 Too Many Requests\r\nconnection: close\r\n"
_NAMED_GROUP = re.compile(r"\(\?P<\w+>")


class Gates:
    """The gate of each method and path, found without the framework."""

    def __init__(self, routes: Iterable[BaseRoute]) -> None:
        patterns: dict[str, list[str]] = {}
        self._gates: dict[str, list[Gate]] = {}
        for route in ruled_routes(routes):
            for method in route.methods or ():
                pattern = _NAMED_GROUP.sub("(?:", route.path_regex.pattern)
                patterns.setdefault(method, []).append(f"({pattern})")
                self._gates.setdefault(method, []).append(route.gate)
        self._patterns = {method: re.compile("|".join(of)) for method, of in patterns.items()}

    def find(self, method: str, path: str) -> Gate | None:
        """None for what no route takes."""
        method = "GET" if method == "HEAD" else method
        pattern = self._patterns.get(method)
        found = None if pattern is None else pattern.match(path)
        if found is None or found.lastindex is None:
            return None
        return self._gates[method][found.lastindex - 1]


class OverLimit:
    """A worker's refusals of this kind."""

    def __init__(self, service: Service, gates: Gates, answer_headers: AnswerHeaders) -> None:
        self._service = service
        self._gates = gates
        self._headers = answer_headers

    def answer(
        self, peer: str | None, method: str, url: bytes, headers: RawHeaders
    ) -> bytes | None:
        """The whole answer to a request of a caller who is known to be over its limit; None for
        all other requests."""
        limits = self._service.limits
        if not limits.refused_lately():
            return None
        gate = self._gate_of(method, url)
        authorization = next((value for name, value in headers if name == b"authorization"), None)
        kind, caller = self._counted_as(gate, authorization)
        if caller.kind is CallerKind.KEY:
            return None
        address = self._service.addresses.of(peer, headers)
        cost = 1 if gate is None else limits.affordable(kind, gate.cost)
        refused = limits.known_refusal(kind, caller, address, cost)
        if refused is None:
            return None
        told, body = _document(refused.policy, ceil(refused.wait), cost)
        scope = {"headers": headers, "scheme": "http", "client": (peer, 0)}
        more = self._headers.hot({**scope, "limit_headers": refused.headers})
        lines = [b"%b: %b\r\n" % each for each in (*told, *more)]
        return b"".join((_START, *lines, b"\r\n", b"" if method == "HEAD" else body))

    def _gate_of(self, method: str, url: bytes) -> Gate | None:
        try:
            parsed = httptools.parse_url(url)
            path = unquote((parsed.path or b"/").decode("ascii"))
            check_target(path, parsed.query or b"")
        except (httptools.HttpParserError, UnicodeDecodeError, AppError):
            return None
        return self._gates.find(method, without_slash(path))

    def _counted_as(self, gate: Gate | None, authorization: bytes | None) -> tuple[Kind, Caller]:
        """What `admit_and_charge` would count the request as, and for whom."""
        access = self._service.access
        caller = OPEN if access.is_open else ANONYMOUS
        if gate is None:
            return Kind.LIGHT, caller
        try:
            if authorization is not None and not access.is_open:
                caller = access.authenticate(authorization)
        except Unauthenticated as error:
            return Kind.SIGN_INS if error.is_guess else Kind.LIGHT, caller
        return gate.kind if gate.rule in caller.rules else Kind.LIGHT, caller


@lru_cache(maxsize=256)
def _document(policy: Policy, seconds: int, cost: int) -> tuple[Headers, bytes]:
    _, headers, body = problems.render(refusal_of(policy, seconds, cost), None)
    return headers, body
