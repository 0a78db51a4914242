"""Who may open a socket: which pages, and on private boards which callers.

A credential never stands in the URL, which proxies and browsers keep. Clients that can set
headers send `Authorization`; a browser offers the subprotocols `leaderboard` and
`bearer.<credential>`, or says `{"type": "auth", "token": ...}` first.
"""

import asyncio
import json

from starlette.types import Message
from starlette.websockets import WebSocket, WebSocketDisconnect

from app.core.errors import Forbidden, Unauthenticated
from app.services.access.access import Access
from app.services.access.callers import NEEDED, Caller, Rule

SUBPROTOCOL = "leaderboard"
SECONDS_TO_SAY = 5.0

_OFFERED = "bearer."
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


def chosen_subprotocol(websocket: WebSocket) -> str | None:
    """What the server answers of the subprotocols that the client offers."""
    return SUBPROTOCOL if SUBPROTOCOL in websocket.scope["subprotocols"] else None


def check_origin(websocket: WebSocket, allowed: tuple[str, ...]) -> None:
    """Raises Forbidden if a page opens the socket that is neither the service's own nor a named
    one. A browser says truly which page it is; whatever is no browser need say nothing.
    """
    origin = websocket.headers.get("origin")
    if origin is None or origin in allowed:
        return
    scheme, _, place = origin.lower().partition("://")
    port = _DEFAULT_PORTS.get(scheme, "")
    own = websocket.headers.get("host", "").lower()
    if not place or place.removesuffix(port) != own.removesuffix(port):
        raise Forbidden("Pages of this origin may not open sockets here: see ALLOWED_ORIGINS.")


def admit(websocket: WebSocket, access: Access, rule: Rule) -> Caller:
    """Who opens the socket, by header or subprotocol. Raises Unauthenticated, Forbidden and, in
    the open mode, Misdirected."""
    scope = websocket.scope
    given = dict(scope["headers"])
    authorization = given.get(b"authorization")
    for offered in scope["subprotocols"]:
        if offered.startswith(_OFFERED):
            authorization = _as_header(offered.removeprefix(_OFFERED))
    client = scope.get("client")
    return access.admit(
        rule, authorization, given.get(b"host"), None if client is None else client[0]
    )


async def said_caller(websocket: WebSocket, access: Access, rule: Rule) -> Caller | None:
    """The caller whom the client's first message names; None if it says nothing in time. Raises
    Unauthenticated, Forbidden."""
    try:
        async with asyncio.timeout(SECONDS_TO_SAY):
            message = await websocket.receive()
    except TimeoutError:
        return None
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message["code"])
    said = said_json(message)
    token = said.get("token") if isinstance(said, dict) and said.get("type") == "auth" else None
    if not isinstance(token, str) or not token.isascii():
        raise Unauthenticated
    caller = access.authenticate(_as_header(token))
    if rule not in caller.rules:
        raise caller.refuse(NEEDED[rule])
    return caller


def said_json(message: Message) -> object:
    """What a client says in a text frame, or in a binary frame with the same bytes; None for what
    is no JSON."""
    try:
        text = message.get("text")
        return json.loads((message.get("bytes") or b"").decode() if text is None else text)
    except (ValueError, RecursionError):
        return None


def _as_header(credential: str) -> bytes:
    return b"Bearer " + credential.encode("latin-1", "replace")
