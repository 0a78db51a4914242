"""uvicorn's HTTP protocol, with the patience it lacks: who is slow or idle loses the connection.

uvicorn itself bounds only the pause between two requests. A connection that never finishes a
request, sends headers without end or does not read its answer would stay for good.
"""

import os
import socket
import sys
from asyncio import AbstractEventLoop, TimerHandle, Transport
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from http import HTTPStatus
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from app.core import least_ttl
from app.core.config import Settings

MAX_HEAD_BYTES = 64 * 1024

NEW_SECONDS = 1.0
"""A connection that has said nothing for longer is none whose request is on its way."""

_REFUSAL = b"HTTP/1.1 %b\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
TOO_SLOW = _REFUSAL % b"408 Request Timeout"
HEAD_TOO_LARGE = _REFUSAL % b"431 Request Header Fields Too Large"
NO_SOCKET = {
    HTTPStatus.TOO_MANY_REQUESTS: _REFUSAL % b"429 Too Many Requests\r\nretry-after: 5",
    HTTPStatus.SERVICE_UNAVAILABLE: _REFUSAL % b"503 Service Unavailable\r\nretry-after: 2",
}

RefuseSocket = Callable[[str | None, list[tuple[bytes, bytes]]], HTTPStatus | None]
"""With what no socket is made for a peer with these headers, not even one to close; None: it is."""


@dataclass(slots=True)
class Patience:
    """How long a worker waits for what, and its connections that wait for a request, the one
    that has waited longest first. In the lifespan's state, where protocols find it."""

    head: float
    body: float
    max_idle: int
    refuse_socket: RefuseSocket
    keeps_alive: bool = True
    """Whether connections wait for another request. False while the service stops."""
    idle: "OrderedDict[PatientProtocol, None]" = field(default_factory=OrderedDict)

    @classmethod
    def of(cls, settings: Settings, refuse_socket: RefuseSocket) -> "Patience":
        return cls(
            settings.http_head_timeout,
            settings.http_body_timeout,
            settings.http_max_idle,
            refuse_socket,
        )

    def expects_request(self, now: float) -> bool:
        """Whether somebody has connected just now and has not yet asked for anything."""
        return any(each.cycle is None and now - each.since < NEW_SECONDS for each in self.idle)

    def add(self, connection: "PatientProtocol") -> None:
        """Notes that a connection waits; beyond the bound the oldest is closed."""
        self.idle[connection] = None
        if len(self.idle) > self.max_idle:
            oldest, _ = self.idle.popitem(last=False)
            oldest.transport.close()


class Awaited(Enum):
    """What of a request has not all arrived."""

    NOTHING = auto()
    HEAD = auto()
    BODY = auto()


class PatientProtocol(HttpToolsProtocol):
    """A connection. Timers are set for requests that come in several pieces; of those that come
    in one, as nearly all do, only the stages are noted."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._patience: Patience = app_state["patience"]
        self._awaited = Awaited.HEAD
        self._new_stage = False
        self._head_bytes = 0
        self._timer: TimerHandle | None = None
        self.since = 0.0
        """When it was made, by the loop's clock."""

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.since = self.loop.time()
        if not self._patience.keeps_alive:
            _hear_all(transport)
        self._patience.add(self)
        self._set_timer(self._patience.head, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        self._clear_timer()
        self._patience.idle.pop(self, None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._new_stage:
            self._new_stage = False
            self._clear_timer()
            if self._awaited is Awaited.HEAD:
                self._set_timer(self._patience.head, self._give_up)
            elif self._awaited is Awaited.BODY:
                self._set_timer(self._patience.body, self._give_up)
        if self._awaited is Awaited.HEAD:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._refuse(HEAD_TOO_LARGE)
        elif self._is_idle_untimed():
            # Blank lines between requests have just ended uvicorn's own timer.
            self._set_timer(self._patience.head, self._give_up)

    def _is_idle_untimed(self) -> bool:
        return (
            self._awaited is Awaited.NOTHING
            and self.cycle is not None
            and self.cycle.response_complete
            and self.timeout_keep_alive_task is None
            and self._timer is None
        )

    def handle_websocket_upgrade(self) -> None:
        self._new_stage = False
        self._awaited = Awaited.NOTHING
        self._clear_timer()
        self._patience.idle.pop(self, None)
        refusal = self._patience.refuse_socket(self.client and self.client[0], self.headers)
        if refusal is not None:
            self.transport.write(NO_SOCKET[refusal])
            self.transport.close()
            return
        super().handle_websocket_upgrade()

    # What the parser tells

    def on_message_begin(self) -> None:
        self._awaited, self._new_stage, self._head_bytes = Awaited.HEAD, True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._awaited, self._new_stage = Awaited.BODY, True
        self._patience.idle.pop(self, None)
        super().on_headers_complete()
        if not self._patience.keeps_alive and self.cycle is not None:
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        self._awaited, self._new_stage = Awaited.NOTHING, True
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self.transport.is_closing() and self.timeout_keep_alive_task is not None:
            self._patience.add(self)

    # Losing patience

    def timeout_keep_alive_handler(self) -> None:
        """No new request. A peer that still reads the last answer gets a body's time for it."""
        if self.transport.get_write_buffer_size():
            self._set_timer(self._patience.body, self.transport.abort)
        super().timeout_keep_alive_handler()

    def _give_up(self) -> None:
        self._timer = None
        self._refuse(TOO_SLOW)

    def _refuse(self, answer: bytes) -> None:
        if self.transport.is_closing():
            return
        if self._awaited is Awaited.BODY:
            told = not self.cycle.response_started
        else:  # to a peer that has sent nothing there is nothing to say
            told = self._head_bytes > 0 and (self.cycle is None or self.cycle.response_complete)
        if told:
            self.transport.write(answer)
        self.transport.close()

    def _set_timer(self, seconds: float, then: Callable[[], None]) -> None:
        self._clear_timer()
        self._timer = self.loop.call_later(seconds, then)

    def _clear_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _hear_all(transport: Transport) -> None:
    """Takes back what a stopping service's listener hands on to connections (cli/listening.py)."""
    if sys.platform == "linux" and (peer := transport.get_extra_info("socket")) is not None:
        with socket.socket(fileno=os.dup(peer.fileno())) as own:
            least_ttl.hear_from(own, least_ttl.ANY)
