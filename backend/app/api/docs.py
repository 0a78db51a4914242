"""The OpenAPI document, and the page on which it is read.

Its viewer (Swagger UI) comes with the built app, so the page needs nobody else's servers; where no
app is built, it says so.
"""

import hashlib
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic_core import to_json

from app.api.answer_headers import page_policy
from app.api.hot_route import JsonRoute
from app.api.web_files import HTML
from app.services.access.callers import Rule, allows

DOCS_URL = "/docs"
OPENAPI_URL = "/openapi.json"

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


router = APIRouter(route_class=JsonRoute, include_in_schema=False)


@router.get(DOCS_URL)
@allows(Rule.PUBLIC)
async def read_docs() -> Response:
    """The page."""
    return Response(_PAGE, headers=_HEADERS)


@router.get(OPENAPI_URL)
@allows(Rule.PUBLIC)
async def read_document(request: Request) -> Response:
    """The document: made and encoded once, when it is first asked for."""
    app = request.app
    encoded: EncodedDocument | None = getattr(app.state, "encoded_document", None)
    if encoded is None:
        encoded = app.state.encoded_document = EncodedDocument.of(app.openapi())
    headers = {"etag": encoded.etag, "cache-control": "no-cache"}
    if encoded.etag in request.headers.get("if-none-match", ""):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(encoded.body, headers=headers, media_type="application/json")


@dataclass(frozen=True, slots=True)
class EncodedDocument:
    """The OpenAPI document as it is sent."""

    body: bytes
    etag: str

    @classmethod
    def of(cls, document: dict[str, Any]) -> "EncodedDocument":
        body = to_json(document)
        return cls(body, f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"')
