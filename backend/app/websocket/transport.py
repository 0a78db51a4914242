"""Prepared frames straight to the transport, past the stack that one message a time goes through.

uvicorn takes a protocol class (`ws=`); this one offers the ASGI extension `leaderboard.frames`.
Measured with 10,000 sockets, sending through the stack took twice the time of the system call.
Where the extension is missing (another server), the same frames go out by plain `send`.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState
from uvicorn._types import ASGISendEvent
from uvicorn.config import Config
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.frames import Frame
from websockets.http11 import Request

from app.websocket.frames import Close, wire

EXTENSION = "leaderboard.frames"


MAX_WAITING = 64
"""Messages that came in one piece of data: reading pauses after it until they are taken."""
MAX_FRAGMENTS = 64
MAX_CONTROLS_PER_SECOND = 20
MAX_PONGS_UNREAD = 64 * 1024
"""Bytes."""
NO_ANSWER = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
CLOSE_SECONDS = 3.0
"""For a client to answer a close frame."""


class FramesProtocol(WebSocketsSansIOProtocol):
    """uvicorn's own protocol, with the extension in its scope, and bounds that it lacks: on what
    a client sends without end, be it messages in one piece, empty fragments or pings."""

    def __init__(
        self, config: Config, server_state: ServerState, app_state: dict[str, Any]
    ) -> None:
        super().__init__(config, server_state, app_state)
        self.close_timeout = CLOSE_SECONDS
        self._controls, self._controls_since = 0, 0.0
        self._unanswered: asyncio.TimerHandle | None = None
        self._answered: Callable[[], None] | None = None

    def expect_answer(self, seconds: float, answered: Callable[[], None]) -> None:
        """Ends the connection if its handshake isn't answered in time. `answered` is called once,
        when it was, or when the connection is lost before."""
        self._answered = answered
        if self.handshake_complete:
            self._note_answer()
        else:
            self._unanswered = self.loop.call_later(seconds, self._give_up)

    async def send(self, message: ASGISendEvent) -> None:
        await super().send(message)
        if self.handshake_complete:
            self._note_answer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._note_answer()
        super().connection_lost(exc)

    def _note_answer(self) -> None:
        if self._unanswered is not None:
            self._unanswered.cancel()
            self._unanswered = None
        if self._answered is not None:
            self._answered()
            self._answered = None

    def _give_up(self) -> None:
        self._unanswered = None
        if not self.transport.is_closing():
            self.transport.write(NO_ANSWER)
            self.transport.close()

    def send_receive_event_to_app(self) -> None:
        if self.queue.qsize() < MAX_WAITING:
            super().send_receive_event_to_app()
        else:
            self.frames = []
            self._fail(Close.TOO_MANY_MESSAGES, "too many messages")

    def handle_cont(self, event: Frame) -> None:
        if len(self.frames) < MAX_FRAGMENTS:
            super().handle_cont(event)
        else:
            self._fail(Close.TOO_BIG, "too many fragments")

    def handle_ping(self) -> None:
        super().handle_ping()
        self._count_control()
        if self.transport.get_write_buffer_size() > MAX_PONGS_UNREAD:
            self.transport.abort()

    def handle_pong(self, event: Frame) -> None:
        super().handle_pong(event)
        self._count_control()

    def _count_control(self) -> None:
        now = self.loop.time()
        if now - self._controls_since > 1:
            self._controls, self._controls_since = 0, now
        self._controls += 1
        if self._controls > MAX_CONTROLS_PER_SECOND:
            self._fail(Close.TOO_MANY_MESSAGES, "too many pings")

    def _fail(self, code: Close, reason: str) -> None:
        """Ends the connection at once, as a breach of the protocol does."""
        if self.close_sent or self.transport.is_closing():
            return
        self.conn.fail(code, reason)
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.transport.close()

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if self.response.status_code == 101:  # noqa: PLR2004 - the handshake went well
            self.scope["extensions"][EXTENSION] = {"protocol": self}


class Outbox(Protocol):
    """Where a hub puts a client's frames. Never waits."""

    def offer(self, payloads: Sequence[bytes], wired: bytes) -> bool:
        """Takes frames, as payloads and as the same on the wire; False if the client is too
        slow to be given more."""

    def make_way(self) -> None:
        """Lets a close frame out at once, behind whatever the client has not read yet."""

    def drop(self) -> None:
        """Gives the connection up, whatever is still in its buffers."""


class DirectOutbox:
    """Writes to the transport. Its buffer, which the client drains, is the bound."""

    def __init__(self, protocol: FramesProtocol, max_buffer: int) -> None:
        self._protocol = protocol
        self._transport = protocol.transport
        self._max_buffer = max_buffer

    def offer(self, payloads: Sequence[bytes], wired: bytes) -> bool:  # noqa: ARG002
        if self._protocol.close_sent or self._transport.is_closing():
            return True
        if self._transport.get_write_buffer_size() > self._max_buffer:
            return False
        self._transport.write(wired)
        return True

    def make_way(self) -> None:
        self._protocol.writable.set()

    def drop(self) -> None:
        self._transport.abort()


class PlainOutbox:
    """Through ASGI's `send`, one message a time, from a bounded queue."""

    def __init__(self, websocket: WebSocket, max_buffer: int) -> None:
        self._websocket = websocket
        self._max_buffer = max_buffer
        self._waiting: asyncio.Queue[bytes] = asyncio.Queue()
        self._size = 0
        self._task = asyncio.create_task(self._send())

    def offer(self, payloads: Sequence[bytes], wired: bytes) -> bool:  # noqa: ARG002
        if self._size > self._max_buffer:
            return False
        for payload in payloads:
            self._size += len(payload)
            self._waiting.put_nowait(payload)
        return True

    def make_way(self) -> None:
        """The server behind ASGI has its own order."""

    def drop(self) -> None:
        self._task.cancel()

    async def _send(self) -> None:
        try:
            while self._websocket.application_state is WebSocketState.CONNECTED:
                payload = await self._waiting.get()
                await self._websocket.send_text(payload.decode())
                self._size -= len(payload)
        except (WebSocketDisconnect, RuntimeError):
            return  # closed while sending; the endpoint sees it too


def outbox_for(websocket: WebSocket, max_buffer: int) -> DirectOutbox | PlainOutbox:
    """The best way to write to an accepted socket."""
    extension = websocket.scope.get("extensions", {}).get(EXTENSION)
    if extension is not None:
        return DirectOutbox(extension["protocol"], max_buffer)
    return PlainOutbox(websocket, max_buffer)


def offer(outbox: Outbox, *payloads: bytes) -> bool:
    """Offers frames that were made for one client."""
    return outbox.offer(payloads, b"".join(map(wire, payloads)))
