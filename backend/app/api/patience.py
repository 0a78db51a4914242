"""How long a worker waits for its connections, and which of them it keeps."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING

from app.api.connections import Connections
from app.core.config import Settings

if TYPE_CHECKING:
    from app.api.http_protocol import PatientProtocol

HOLD_SECONDS = 1.0
"""A refused connection waits so long for its answer, where callers are limited. A client that asks
again at once can then do so once a second, and not thousands of times."""
MAX_HELD = 1_000
"""Connections that wait so. Beyond them a refusal is sent at once."""

NEW_SECONDS = 1.0
"""A connection that has said nothing for longer is none whose request is on its way."""

RefuseSocket = Callable[[str | None, list[tuple[bytes, bytes]]], HTTPStatus | None]
"""The HTTP status to refuse an upgrade with, by its peer and headers; None to accept it."""

RefuseRequest = Callable[[str | None, str, bytes, list[tuple[bytes, bytes]]], bytes | None]
"""The whole answer that refuses a request, by its peer, method, target and headers; None for a
request that is served."""


@dataclass(slots=True)
class Patience:
    """How long a worker waits for what, and its connections that wait for a request, the one
    that has waited longest first. In the lifespan's state, where protocols find it."""

    head: float
    body: float
    max_idle: int
    refuse_socket: RefuseSocket
    connections: Connections
    refuse_request: RefuseRequest
    held: int = 0
    """Refused connections that wait for their answer."""
    keeps_alive: bool = True
    """Whether connections wait for another request. False while the service stops."""
    idle: "OrderedDict[PatientProtocol, None]" = field(default_factory=OrderedDict)

    @classmethod
    def of(
        cls, settings: Settings, refuse_socket: RefuseSocket, refuse_request: RefuseRequest
    ) -> "Patience":
        return cls(
            settings.http_head_timeout,
            settings.http_body_timeout,
            settings.http_max_idle,
            refuse_socket,
            Connections(settings),
            refuse_request,
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
