"""The live sockets: `/ws/leaderboard/{user_id}` for players, `/ws/leaderboard` for spectators."""

import asyncio

import structlog
from fastapi import APIRouter, WebSocket
from starlette.types import Message
from starlette.websockets import WebSocketDisconnect

from app.core.config import MAX_USER_ID
from app.core.database import is_away
from app.core.errors import (
    AppError,
    RateLimited,
    Unauthenticated,
    UnknownBoard,
    UnknownPlayer,
)
from app.schemas.parameters import board_slug, query_parameters, season_number, whole_number
from app.services.access.callers import Caller, Rule, allows, rule_of
from app.services.access.callers import Kind as CallerKind
from app.services.boards import BoardSeason
from app.services.service import Service
from app.websocket import frames
from app.websocket.admission import admit, check_origin, chosen_subprotocol, said_caller, said_json
from app.websocket.client import Client
from app.websocket.door import Door
from app.websocket.frames import Close
from app.websocket.hub import Hub
from app.websocket.hubs import Hubs
from app.websocket.transport import offer, outbox_for

log = structlog.get_logger(__name__)

router = APIRouter()


SECONDS_TO_HEAR = 5.0
"""For a client to read what was sent before its close frame."""
SECONDS_FOR_THE_SLOW = 1.0
"""The same, for a client that reads too slowly anyway."""

_CODES = {
    401: Close.UNAUTHENTICATED,
    403: Close.FORBIDDEN,
    421: Close.FORBIDDEN,
    429: Close.TRY_AGAIN,
    503: Close.TRY_AGAIN,
}
"""How a socket says what a problem document says by its status."""


@router.websocket("/ws/leaderboard")
@allows(Rule.BOARD)
async def spectate(websocket: WebSocket) -> None:
    """The visible top, live."""
    await _serve(websocket, None, rule_of(spectate))


@router.websocket("/ws/leaderboard/{user_id}")
@allows(Rule.BOARD)
async def play(websocket: WebSocket, user_id: str) -> None:
    """The visible top and the player's own exact rank, live."""
    await _serve(websocket, user_id, rule_of(play))


async def _serve(websocket: WebSocket, given_id: str | None, rule: Rule) -> None:
    service: Service = websocket.state.service
    hubs: Hubs = websocket.state.hubs
    # Refusals come after accepting: a browser can read a close code, but not a refused handshake.
    await websocket.accept(subprotocol=chosen_subprotocol(websocket))
    door, address = hubs.door, _address_of(websocket, service)
    try:
        caller = _admit(websocket, service, rule)
        async with door.entered(address, caller):
            user_id = (
                None if given_id is None else whole_number(given_id, "user_id", 1, MAX_USER_ID)
            )
            asked = query_parameters(websocket.scope["query_string"])
            since = _since(asked)
            board, caller = await _find_board(websocket, service, caller, rule)
            client = Client(
                outbox_for(websocket, service.settings.live_max_buffer), user_id, caller
            )
            await _watch(websocket, hubs.of(board), client, since)
    except UnknownPlayer as error:
        await websocket.close(Close.UNKNOWN_PLAYER, error.detail)
    except AppError as error:
        refusal = await _weigh(error, door, address)
        await websocket.close(_CODES.get(refusal.status, Close.BAD_REQUEST), _short(refusal.detail))
    except WebSocketDisconnect:
        pass
    except Exception as error:
        if not is_away(error):
            log.exception("socket failed")
        await websocket.close(Close.TRY_AGAIN, "can't serve this socket now")


def _address_of(websocket: WebSocket, service: Service) -> str:
    client = websocket.scope.get("client")
    peer = None if client is None else client[0]
    return service.addresses.of(peer, websocket.scope["headers"])


def _admit(websocket: WebSocket, service: Service, rule: Rule) -> Caller:
    check_origin(websocket, service.settings.allowed_origins)
    return admit(websocket, service.access, rule)


async def _weigh(error: AppError, door: Door, address: str) -> AppError:
    """What a refused client is told. Wrong credentials are counted: after too many of them it
    is told that, and not whether the next one is right."""
    if isinstance(error, Unauthenticated) and error.is_guess:
        try:
            await door.count_failure(address)
        except RateLimited as limited:
            return limited
    return error


async def _find_board(
    websocket: WebSocket, service: Service, caller: Caller, rule: Rule
) -> tuple[BoardSeason, Caller]:
    """The board, and the caller who may watch it. A caller who has shown nothing may still sign in
    by a message, whether the board is private or not there at all: the two can't be told apart.
    Raises InvalidInput, UnknownBoard, UnknownSeason, Unauthenticated, ..."""
    asked = query_parameters(websocket.scope["query_string"])
    slug, season = board_slug(asked), season_number(asked)
    try:
        return service.boards.find(slug, season, caller), caller
    except UnknownBoard:
        said = None
        if caller.kind is CallerKind.ANONYMOUS:
            said = await said_caller(websocket, service.access, rule)
        if said is None:
            raise
        return service.boards.find(slug, season, said), said


async def _watch(websocket: WebSocket, hub: Hub, client: Client, since: int | None) -> None:
    service: Service = websocket.state.service
    try:
        await hub.join(client, since, websocket.query_params.get("epoch"))
        await _listen(websocket, client, hub, service.settings.live_messages_per_second)
    finally:
        hub.leave(client)


async def _listen(websocket: WebSocket, client: Client, hub: Hub, per_second: int) -> None:
    """Reads what the client says (it need say nothing) until it leaves or has to."""
    over = asyncio.create_task(client.over.wait())
    loop = asyncio.get_running_loop()
    allowance, refilled = float(per_second), loop.time()
    try:
        while True:
            said = asyncio.ensure_future(websocket.receive())
            await asyncio.wait({said, over}, return_when=asyncio.FIRST_COMPLETED)
            if not said.done():
                said.cancel()
                await _dismiss(websocket, client)
                return
            message = said.result()
            if message["type"] == "websocket.disconnect":
                return
            now = loop.time()
            allowance = min(per_second, allowance + (now - refilled) * per_second) - 1
            refilled = now
            if allowance < 0:
                client.dismiss(Close.TOO_MANY_MESSAGES, "too many messages")
                await _dismiss(websocket, client)
                return
            if _is_ping(message):
                offer(client.outbox, frames.PONG % hub.standings.follower.position)
    finally:
        over.cancel()


async def _dismiss(websocket: WebSocket, client: Client) -> None:
    """Says why. A client that reads slowly has a while to hear it, then is given up."""
    client.outbox.make_way()
    try:
        async with asyncio.timeout(1):
            await websocket.close(*client.why)
    except (TimeoutError, RuntimeError, WebSocketDisconnect):
        client.outbox.drop()
        return
    slow = client.why[0] is Close.TOO_SLOW
    wait = SECONDS_FOR_THE_SLOW if slow else SECONDS_TO_HEAR
    asyncio.get_running_loop().call_later(wait, client.outbox.drop)


def _short(reason: str) -> str:
    """As much of it as a close frame holds: 123 bytes."""
    return reason.encode()[:123].decode(errors="ignore")


def _since(asked: dict[str, str]) -> int | None:
    given = asked.get("since")
    return None if given is None else whole_number(given, "since", 0, MAX_USER_ID)


def _is_ping(message: Message) -> bool:
    said = said_json(message)
    return isinstance(said, dict) and said.get("type") == "ping"
