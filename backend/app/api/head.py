"""The line and the headers of a request: what is refused before anything else reads them.

The same rules hold for every request and for every handshake of a socket.
"""

import unicodedata
from collections.abc import Sequence

from starlette.types import Scope

from app.core.errors import BadRequest, UriTooLong

RawHeaders = Sequence[tuple[bytes, bytes]]

MAX_TARGET = 2_048
"""Bytes of a query, and characters of a path."""

_SINGLE = frozenset(
    (
        b"authorization",
        b"content-encoding",
        b"content-length",
        b"content-type",
        b"host",
        b"idempotency-key",
    )
)
"""Headers whose second value would contradict the first one."""


def read_head(scope: Scope) -> None:
    """Checks the head of an HTTP request and leaves its headers in the scope as `given`, by name.

    A path with one slash at its end names the same resource as the path without it. Raises
    BadRequest, UriTooLong.
    """
    scope["given"] = checked_headers(scope["headers"], scope["http_version"])
    path = scope["path"]
    check_target(path, scope["query_string"])
    if path.endswith("/"):
        scope["path"] = without_slash(path)


def checked_headers(headers: RawHeaders, http_version: str) -> dict[bytes, bytes]:
    """The headers by name. Raises BadRequest for a header that is missing, contradicts another
    one or is not of this HTTP version."""
    given = dict(headers)
    if len(given) != len(headers):
        _check_single(headers)
    if b"host" not in given and http_version == "1.1":
        raise BadRequest("An HTTP/1.1 request needs a Host header.")
    if http_version == "1.0" and b"transfer-encoding" in given:
        raise BadRequest("HTTP/1.0 has no Transfer-Encoding: declare a Content-Length.")
    return given


def _check_single(headers: RawHeaders) -> None:
    seen = set()
    for name, _ in headers:
        if name in seen and name in _SINGLE:
            raise BadRequest(f"The header {name.decode()} stands in the request twice.")
        seen.add(name)


def check_target(path: str, query: bytes) -> None:
    """Checks a path, with its escapes decoded, and a query. Raises BadRequest, UriTooLong."""
    if len(query) > MAX_TARGET:
        raise UriTooLong(f"The query may have at most {MAX_TARGET:,} bytes.")
    if len(path) > MAX_TARGET:
        raise UriTooLong(f"The path may have at most {MAX_TARGET:,} characters.")
    # Routers match paths with `$`, which also matches before a newline at the end.
    if not path.isprintable() and any(unicodedata.category(each) == "Cc" for each in path):
        raise BadRequest("The path must not have control characters.")


def without_slash(path: str) -> str:
    """The path without the one slash at its end, if there is exactly one."""
    return path[:-1] if len(path) > 1 and path[-1] == "/" and path[-2] != "/" else path
