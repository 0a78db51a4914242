"""uvicorn's HTTP protocol with the bounds that it lacks, on time, bytes and connections.

uvicorn itself bounds only the pause between two requests. A connection that never finishes a
request, sends headers without end or does not read its answer would stay for good; a handshake
that its WebSocket library can't read would never be answered.
"""

from asyncio import AbstractEventLoop, TimerHandle, Transport
from collections.abc import Callable
from enum import Enum, auto
from typing import Any, NoReturn, Protocol, cast
from urllib.parse import unquote_to_bytes

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from app.api.head import check_target, checked_headers
from app.api.patience import HOLD_SECONDS, MAX_HELD, Patience
from app.api.raw_answers import (
    BAD_REQUEST,
    BODY_TOO_LARGE,
    HEAD_TOO_LARGE,
    NO_SOCKET,
    TOO_MANY_CONNECTIONS,
    TOO_SLOW,
    URL_TOO_LONG,
)
from app.core import least_ttl
from app.core.errors import AppError

MAX_HEAD_BYTES = 64 * 1024
"""Of a request's line and headers, and of what follows its body."""
MAX_URL_BYTES = 16 * 1024
"""More than this is refused before its end. A shorter target gets a document with its 414, if it is
longer than `head.MAX_TARGET` allows."""
MAX_PIECES = 4_096
"""Of one body: a piece costs a call, however short it is."""
MAX_DISCARDED = 256 * 1024
"""Bytes of a body that are read after its request was answered without them."""
LINGER_SECONDS = 1.0
"""For a client that still sends to read its answer, before the connection is cut."""
MAX_HEADERS = 100
MAX_UPGRADE_LINE = 8_000
"""Bytes of a header of a handshake. The WebSocket library takes lines of 8 kB."""

MAX_PIPELINED = 32
"""Requests that may wait for the one that is being answered, because each takes memory. Those that
follow are not read: the connection ends behind the answers to the others."""


class Awaited(Enum):
    """What of a request has not all arrived."""

    NOTHING = auto()
    HEAD = auto()
    BODY = auto()


class _EndedError(Exception):
    """Nothing more is read from a connection. Stops the parser from within its callbacks."""


class Upgraded(Protocol):
    """What a connection becomes when it is upgraded."""

    handshake_initiated: bool
    """Whether the library has read the handshake as one."""

    def expect_answer(self, seconds: float, answered: Callable[[], None]) -> None:
        """Ends the connection if its handshake isn't answered in time. `answered` is called once,
        when it was, or when the connection is lost before."""


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
        """Of the head that has not all arrived."""
        self._most_bytes = 0
        """At most so many bytes has the head that is being parsed."""
        self._data_bytes = 0
        """Of the piece of data that is being parsed."""
        self._ends_in_data = False
        """Whether a request ended in that piece of data."""
        self._after_body = 0
        """Bytes since the last piece of a body."""
        self._pieces = self._discarded = 0
        """Of the body: its pieces, and its bytes that came after the answer."""
        self._address: str | None = None
        """For whom the connection is counted, while it is."""
        self._ended = False
        """Whether it was refused. Whatever still arrives is passed over."""
        self._is_held = False
        self._timer: TimerHandle | None = None
        self.since = 0.0
        """When it was made, by the loop's clock."""

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.since = self.loop.time()
        if not self._patience.keeps_alive:
            least_ttl.hear_all(transport.get_extra_info("socket"))
        connections = self._patience.connections
        address = connections.address_of(self.client and self.client[0])
        if address is not None:
            if not connections.enter(address):
                transport.write(TOO_MANY_CONNECTIONS)
                transport.close()
                return
            self._address = address
        self._patience.add(self)
        self._set_timer(self._patience.head, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        self._clear_timer()
        self._patience.idle.pop(self, None)
        self._leave()
        if self._is_held:
            self._patience.held -= 1
        super().connection_lost(exc)

    def _leave(self) -> None:
        """The connection is no longer counted here."""
        if self._address is not None:
            self._patience.connections.leave(self._address)
            self._address = None

    def data_received(self, data: bytes) -> None:
        if self._ended:
            self._discard(data)
            return
        if self._awaited is Awaited.BODY and self._is_answered() and not self._discard(data):
            return
        self._data_bytes = len(data)
        self._ends_in_data = False
        self._most_bytes += len(data)
        self._after_body += len(data)
        self._feed(data)
        if not self._ended:
            self._time(len(data))

    def _time(self, size: int) -> None:
        """Sets the timers for what has not all arrived, after so many more bytes."""
        if self._new_stage:
            self._new_stage = False
            self._clear_timer()
            if self._awaited is Awaited.HEAD:
                self._set_timer(self._patience.head, self._give_up)
            elif self._awaited is Awaited.BODY:
                self._set_timer(self._patience.body, self._give_up)
        if self._awaited is Awaited.HEAD:
            self._head_bytes += size
            if self._head_bytes > MAX_HEAD_BYTES:
                self._reject(HEAD_TOO_LARGE)
        elif self._awaited is Awaited.BODY:
            # The parser keeps what follows a body until it is whole, however long it gets.
            if self._after_body > MAX_HEAD_BYTES:
                self._reject(HEAD_TOO_LARGE)
        elif self._is_idle_untimed():
            # Blank lines between requests have just ended uvicorn's own timer.
            self._set_timer(self._patience.head, self._give_up)

    def _feed(self, data: bytes) -> None:
        """As uvicorn's own `data_received`. Its lines of log for each bad request are left out:
        whoever sends those may send thousands a second."""
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            if not self._ended and self._should_upgrade():
                self.handle_websocket_upgrade()
        except httptools.HttpParserError:
            if not self._ended:
                self._reject(BAD_REQUEST)

    def _discard(self, data: bytes) -> bool:
        """Whether to read on in what nobody wants any more. Where not, the connection ends, after
        a while in which the client may read its answer."""
        self._discarded += len(data)
        if self._discarded <= MAX_DISCARDED:
            return True
        self.transport.pause_reading()
        self._set_timer(LINGER_SECONDS, self.transport.abort)
        return False

    def _is_answered(self) -> bool:
        """Whether the latest request was answered."""
        return self.cycle is not None and self.cycle.response_complete

    def _is_idle_untimed(self) -> bool:
        return (
            self._awaited is Awaited.NOTHING
            and self._is_answered()
            and self.timeout_keep_alive_task is None
            and self._timer is None
        )

    def handle_websocket_upgrade(self) -> None:
        if self.transport.is_closing():
            return
        self._new_stage = False
        self._awaited = Awaited.NOTHING
        self._clear_timer()
        self._patience.idle.pop(self, None)
        refusal = self._patience.refuse_socket(self.client and self.client[0], self.headers)
        if refusal is not None:
            self._reject(NO_SOCKET[refusal])
            return
        super().handle_websocket_upgrade()
        upgraded = cast("Upgraded", self.transport.get_protocol())
        upgraded.expect_answer(self._patience.head, self._leave)
        if not upgraded.handshake_initiated and not self.transport.is_closing():
            self.transport.write(BAD_REQUEST)
            self.transport.close()

    # What the parser tells

    def on_message_begin(self) -> None:
        if len(self.pipeline) >= MAX_PIPELINED:
            # Those before it are answered. A client has to send the others again anyway.
            self.cycle.keep_alive = False
            self._ended = True
            raise _EndedError
        self._awaited, self._new_stage = Awaited.HEAD, True
        # Of data that began with another request, nobody knows how much is this one's head.
        self._head_bytes = -self._data_bytes if self._ends_in_data else 0
        self._most_bytes = self._data_bytes
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self.url += url
        if len(self.url) > MAX_URL_BYTES:
            self._stop(URL_TOO_LONG)

    def on_header(self, name: bytes, value: bytes) -> None:
        """As uvicorn's own; without the blanks after a value, and without what comes after a body,
        which would become a header of a request that was admitted without it."""
        if self._awaited is Awaited.BODY:
            return
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        self._patience.idle.pop(self, None)
        if self.transport.is_closing():
            return
        if len(self.headers) > MAX_HEADERS or self._is_head_too_large():
            self._stop(HEAD_TOO_LARGE)
        if self.parser.should_upgrade() and self._should_upgrade():
            if self._is_bad_handshake():
                self._stop(BAD_REQUEST)
        else:
            self._refuse_over_limit()
        self._awaited, self._new_stage = Awaited.BODY, True
        self._after_body = self._pieces = self._discarded = 0
        super().on_headers_complete()
        if not self._patience.keeps_alive and self.cycle is not None:
            self.cycle.keep_alive = False

    def _refuse_over_limit(self) -> None:
        peer, method = self.client and self.client[0], self.parser.get_method().decode("ascii")
        refusal = self._patience.refuse_request(peer, method, self.url, self.headers)
        if refusal is not None:
            self._stop(refusal)

    def _is_head_too_large(self) -> bool:
        if self._most_bytes <= MAX_HEAD_BYTES:
            return False
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        return size > MAX_HEAD_BYTES

    def _is_bad_handshake(self) -> bool:
        """Whether it has a body or breaks the rules of heads; or has lines that the library that
        answers handshakes doesn't read."""
        path, _, query = self.url.partition(b"?")
        try:
            given = checked_headers(self.headers, self.parser.get_http_version())
            check_target(unquote_to_bytes(path).decode("utf-8", "replace"), query)
        except AppError:
            return True
        return (
            b"content-length" in given
            or b"transfer-encoding" in given
            or any(len(name) + len(value) > MAX_UPGRADE_LINE for name, value in self.headers)
        )

    def on_body(self, body: bytes) -> None:
        self._after_body = 0
        self._pieces += 1
        if self.transport.is_closing():
            return
        if self._pieces > MAX_PIECES:
            self._stop(BODY_TOO_LARGE)
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self.transport.is_closing():
            return
        self._awaited, self._new_stage = Awaited.NOTHING, True
        self._ends_in_data = True
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing() and self.transport.get_write_buffer_size():
            # The connection stays open until all is read.
            self._set_timer(self._patience.body, self.transport.abort)
        if not self.transport.is_closing() and self.timeout_keep_alive_task is not None:
            self._patience.add(self)

    # Losing patience

    def timeout_keep_alive_handler(self) -> None:
        """No new request. A peer that still reads the last answer gets a body's time for it."""
        if self.transport.get_write_buffer_size():
            self._set_timer(self._patience.body, self.transport.abort)
        super().timeout_keep_alive_handler()

    def _give_up(self) -> None:
        """Ends a connection that took too long."""
        self._timer = None
        # To a peer that has sent nothing there is nothing to say.
        says = self._awaited is Awaited.BODY or self._head_bytes > 0
        self._end(TOO_SLOW if says else b"", hold=False)

    def _reject(self, answer: bytes) -> None:
        """Refuses what has arrived."""
        self._end(answer, hold=self._address is not None and self._patience.held < MAX_HELD)

    def _stop(self, answer: bytes) -> NoReturn:
        """Refuses what has arrived, from within the parser. Raises _EndedError."""
        self._reject(answer)
        raise _EndedError

    def _end(self, answer: bytes, *, hold: bool) -> None:
        """The last answer, and the end of the connection. If an earlier request still waits for
        its answer, that one is the last."""
        if self._ended or self.transport.is_closing():
            return
        self._ended = True
        self._clear_timer()
        self._discarded = 0
        if self._is_answering():
            self.cycle.keep_alive = False  # the connection ends behind that answer
            return
        if self._awaited is Awaited.BODY and self._is_serving():
            if self.cycle.response_started or self.pipeline:
                answer = b""
            # Whoever serves the request learns that the rest of it does not come.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if answer and hold:
            self._is_held = True
            self._patience.held += 1
            self._set_timer(HOLD_SECONDS, lambda: self._close_with(answer))
        else:
            self._close_with(answer)

    def _is_serving(self) -> bool:
        """Whether the latest request is not yet answered."""
        return self.cycle is not None and not self.cycle.response_complete

    def _is_answering(self) -> bool:
        """Whether a request that has all arrived waits for its answer."""
        return self._is_serving() and self._awaited is not Awaited.BODY

    def _close_with(self, answer: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(answer)
            self.transport.close()

    def _set_timer(self, seconds: float, then: Callable[[], None]) -> None:
        self._clear_timer()
        self._timer = self.loop.call_later(seconds, then)

    def _clear_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
