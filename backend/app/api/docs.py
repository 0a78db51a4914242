"""The page on which the API's documentation is read.

Its viewer (Swagger UI) comes with the built app, so the page needs nobody else's servers; where no
app is built, it says so.
"""

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from app.api.answer_headers import page_policy
from app.api.web_files import HTML

DOCS_URL = "/docs"

_PAGE = b"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Leaderboard API</title>
<meta name="viewport" content="width=device-width">
<link rel="icon" href="/favicon.svg">
<link rel="stylesheet" href="/viewer/swagger-ui.css">
<div id="viewer"><p>The viewer comes with the built app, which is not here.
The document itself is at <a href="/openapi.json">/openapi.json</a>.</div>
<script src="/viewer/swagger-ui-bundle.js"></script>
<script>SwaggerUIBundle({
  url: "/openapi.json", dom_id: "#viewer", deepLinking: true, defaultModelsExpandDepth: 0
})</script>
"""

_HEADERS = {
    "content-type": HTML.decode(),
    "cache-control": "no-cache",
    "content-security-policy": page_policy(_PAGE).decode(),
}


def serve_docs(app: FastAPI) -> None:
    """Adds the page; the document is FastAPI's own."""
    app.add_route(DOCS_URL, _serve, include_in_schema=False)


async def _serve(_: Request) -> Response:
    return Response(_PAGE, headers=_HEADERS)
