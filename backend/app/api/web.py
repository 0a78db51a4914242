"""The browser app, from the API process, where no Nginx stands in front of it.

It is asked last, for what no route of the API took.
"""

import re
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.answer_headers import Headers, page_policy
from app.api.hot_route import CountedDefault
from app.api.web_files import HTML, File, Variant, read_build

CLIENT_ROUTES = re.compile(
    r"""/(?:(?:
        players/[1-9][0-9]{0,15}
      | boards/[A-Za-z0-9_-]{1,64}(?:/players/[1-9][0-9]{0,15})?
    )/?)?""",
    re.VERBOSE | re.ASCII,
)
"""The app's pages, as `frontend/src/App.tsx` has them. For all others it shows its own 404."""

_PREVIEW = b'content="/social.png"'
_HOST = re.compile(rb"[A-Za-z0-9.:\[\]-]{1,260}")

_API = frozenset(("api", "ws", "docs", "metrics", "openapi.json"))

_OF_THE_BODY = frozenset((b"content-type", b"content-length", b"content-encoding"))

_NOT_BUILT = b"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Leaderboard</title>
<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="dark">
<style>body{font:16px/1.5 system-ui;max-width:40rem;margin:4rem auto;padding:0 1rem}</style>
<h1>The service runs, its app is not built</h1>
<p><code>./quickstart.sh</code> builds and serves it. By hand: <code>npm ci</code> and
<code>npm run build</code> in <code>frontend/</code>, then start the service with
<code>WEB_DIR</code> set to <code>frontend/dist</code>.</p>
<p>The API works: <a href="/docs">/docs</a></p>
"""


def serve_web(app: FastAPI, folder: Path | None) -> None:
    """What no route of `app` takes is looked up in the build in `folder`."""
    files = {} if folder is None else read_build(folder)
    app.router.default = CountedDefault(_Web(files, otherwise=app.router.default))


class _Web:
    def __init__(self, files: dict[str, File], otherwise: ASGIApp) -> None:
        self._files = files
        self._index = files.get("/index.html")
        self._otherwise = otherwise

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or (answer := self._answer(scope)) is None:
            await self._otherwise(scope, receive, send)
            return
        status, headers, body = answer
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _answer(self, scope: Scope) -> tuple[int, Headers, bytes] | None:
        """Nothing for what a browser that opens a page would not ask for."""
        path: str = scope["path"]
        if scope["method"] != "GET" or path[1:].partition("/")[0] in _API:
            return None
        asked = scope["given"]
        page = self._index if CLIENT_ROUTES.fullmatch(path) else None
        if (file := self._files.get(path, page)) is not None:
            return _found(_addressed(file, scope) if file is self._index else file, asked)
        if b"text/html" not in asked.get(b"accept", b""):
            return None
        if self._index is not None:
            variant = _choose(_addressed(self._index, scope), asked)
            return HTTPStatus.NOT_FOUND, variant.headers, variant.body
        return _not_built() if path == "/" else None


def _addressed(page: File, scope: Scope) -> File:
    """The page with the preview image's whole address, as social networks want it.

    A build with PUBLIC_URL has it. Otherwise it is made from the request.
    """
    plain = page[-1]
    asked = scope["given"]
    host = asked.get(b"host", b"")
    if _PREVIEW not in plain.body or not _HOST.fullmatch(host):
        return page
    forwarded = asked.get(b"x-forwarded-proto", scope["scheme"].encode())
    scheme = b"https" if forwarded == b"https" else b"http"
    body = plain.body.replace(_PREVIEW, b'content="%b://%b/social.png"' % (scheme, host))
    length = (b"content-length", b"%d" % len(body))
    headers = [length if name == length[0] else (name, value) for name, value in plain.headers]
    return (replace(plain, headers=headers, body=body),)


def _found(file: File, asked: dict[bytes, bytes]) -> tuple[int, Headers, bytes]:
    variant = _choose(file, asked)
    headers = [*variant.headers, (b"etag", variant.etag)]
    known = asked.get(b"if-none-match", b"")
    if variant.etag in known or known == b"*":
        # Its policy stays: a browser takes over what a 304 says into the page that it has.
        kept = [each for each in headers if each[0] not in _OF_THE_BODY]
        return HTTPStatus.NOT_MODIFIED, kept, b""
    return HTTPStatus.OK, headers, variant.body


def _choose(file: File, asked: dict[bytes, bytes]) -> Variant:
    """The best variant in an encoding that is accepted: named, and not with `;q=0`."""
    accepted = set()
    for each in asked.get(b"accept-encoding", b"").lower().split(b","):
        encoding, _, quality = each.partition(b";")
        if quality.strip().rstrip(b"0.") != b"q=":
            accepted.add(encoding.strip())
    return next((each for each in file if each.encoding in accepted), file[-1])


def _not_built() -> tuple[int, Headers, bytes]:
    headers = [
        (b"content-type", HTML),
        (b"content-length", b"%d" % len(_NOT_BUILT)),
        (b"cache-control", b"no-store"),
        (b"content-security-policy", page_policy(_NOT_BUILT)),
    ]
    return HTTPStatus.NOT_FOUND, headers, _NOT_BUILT
