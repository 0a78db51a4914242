"""Headers that every answer carries: hardening, CORS where an origin was named, and limits.

A document gets all of them, with a policy of its own if it is a page. Answers of hot routes are
data and get what means something for data.
"""

import base64
import hashlib
import re
from collections.abc import Iterable

from starlette.types import Message, Scope, Send

from app.core.addresses import Addresses
from app.core.config import Settings

Headers = list[tuple[bytes, bytes]]

_NO_SNIFFING = (b"x-content-type-options", b"nosniff")
_DATA_ONLY = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
_BY_CALLER = (b"vary", b"authorization")
"""What one caller may see another one may not, so no cache may give it to both."""
_PRIVATE = (b"cache-control", b"private, no-cache")
_HOT: Headers = [_NO_SNIFFING, _DATA_ONLY, _BY_CALLER]
_HARDENING: Headers = [
    _NO_SNIFFING,
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (
        b"permissions-policy",
        b"camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
    _DATA_ONLY,
]
_TLS_ONLY = (b"strict-transport-security", b"max-age=31536000")

_ORIGIN_MATTERS = (b"vary", b"origin")
_EXPOSED = (
    b"access-control-expose-headers",
    (
        b"etag, idempotency-key, leaderboard-source, ratelimit, ratelimit-policy, retry-after, "
        b"x-request-id"
    ),
)
_NO_CONTENT = (b"content-length", b"0")
_ALLOWED_HEADERS = (
    "authorization",
    "content-type",
    "idempotency-key",
    "if-none-match",
    "x-request-id",
    # What tracing in a page adds to each of its requests.
    "baggage",
    "sentry-trace",
    "traceparent",
    "tracestate",
)

_INLINE = re.compile(rb"<(script|style)(?![^>]*\bsrc=)[^>]*>(.*?)</\1>", re.DOTALL | re.IGNORECASE)


def page_policy(html: bytes) -> bytes:
    """The Content-Security-Policy of a page of the app: its own origin and, by their hashes, the
    scripts and styles that stand in it."""
    return (
        b"default-src 'none'; script-src %b; style-src %b; img-src 'self' data:; font-src 'self'; "
        b"connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; "
        b"frame-ancestors 'none'"
    ) % (_sources(html, b"script"), _sources(html, b"style"))


def _for_one_caller(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """The headers of an answer that depends on who asks."""
    told = [each for each in headers if each[0] != b"cache-control"]
    caching = [value for name, value in headers if name == b"cache-control"]
    for value in caching:
        is_told = value.startswith((b"private", b"public"))
        told.append((b"cache-control", value if is_told else b"private, " + value))
    return [*told, _BY_CALLER] if caching else [*told, _PRIVATE, _BY_CALLER]


def _sources(html: bytes, tag: bytes) -> bytes:
    hashes = [
        b"'sha256-%b'" % base64.b64encode(hashlib.sha256(text).digest())
        for name, text in _INLINE.findall(html)
        if name.lower() == tag
    ]
    return b" ".join([b"'self'", *hashes])


class AnswerHeaders:
    """What goes with an answer, by what its request was."""

    def __init__(self, settings: Settings) -> None:
        self._origins = {origin.encode() for origin in settings.allowed_origins}
        self._addresses = Addresses(settings.trusted_proxies)
        self._proxied = bool(settings.trusted_proxies)
        allowed = ", ".join(dict.fromkeys((*_ALLOWED_HEADERS, *settings.allowed_headers)))
        self._preflight: Headers = [
            (b"access-control-allow-methods", b"GET, HEAD, POST, PUT, PATCH, DELETE"),
            (b"access-control-allow-headers", allowed.encode()),
            (b"access-control-max-age", b"600"),
            _NO_CONTENT,
        ]

    def hot(self, scope: Scope) -> Headers:
        """For an answer of a hot route."""
        headers = [*_HOT, *scope.get("limit_headers", ())]
        if self._origins:
            headers += self._cors(scope)
        if self._is_secure(scope):
            headers.append(_TLS_ONLY)
        return headers

    def preflight(self, scope: Scope) -> Headers | None:
        """The whole answer to a browser that asks whether it may; None if this is no such
        question, or no origin was named that may."""
        if not self._origins or scope["method"] != "OPTIONS":
            return None
        if not any(name == b"access-control-request-method" for name, _ in scope["headers"]):
            return None
        allowed = self._cors(scope)
        return [*_HOT, *allowed, *(self._preflight if len(allowed) > 1 else (_NO_CONTENT,))]

    def wrap(self, scope: Scope, send: Send) -> Send:
        """`send` for all other answers, whoever makes them."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = message.get("headers", ())
                if "caller" in scope:
                    given = _for_one_caller(given)
                message["headers"] = [*given, *self._missing(scope, given)]
            await send(message)

        return send_with_headers

    def _missing(self, scope: Scope, given: Iterable[tuple[bytes, bytes]]) -> Headers:
        present = {name.lower() for name, _ in given}
        wanted = [*_HARDENING, *scope.get("limit_headers", ())]
        if self._is_secure(scope):
            wanted.append(_TLS_ONLY)
        return [each for each in wanted if each[0] not in present] + self._cors(scope)

    def _cors(self, scope: Scope) -> Headers:
        if not self._origins:
            return []
        origin = next((value for name, value in scope["headers"] if name == b"origin"), None)
        if origin not in self._origins:
            return [_ORIGIN_MATTERS]
        return [_ORIGIN_MATTERS, (b"access-control-allow-origin", origin), _EXPOSED]

    def _is_secure(self, scope: Scope) -> bool:
        if scope["scheme"] == "https":
            return True
        if not self._proxied or not self._addresses.trusts((scope["client"] or (None,))[0]):
            return False
        forwarded = [value for name, value in scope["headers"] if name == b"x-forwarded-proto"]
        return forwarded[-1:] == [b"https"]
