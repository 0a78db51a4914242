"""A socket as the hub of its board knows it."""

import asyncio
from dataclasses import dataclass, field

from app.services.access.callers import ANONYMOUS, Caller
from app.websocket.frames import Close
from app.websocket.transport import Outbox


@dataclass(eq=False, slots=True)
class Client:
    """One socket.

    `slot` is its place among the own ranks; None for spectators and while not placed. `greeted` is
    set by its first snapshot. `current` is set while its snapshot is one of the present mirror:
    broadcasts go to current clients alone, so that nobody gets an update before the snapshot that
    it builds on. `over` is set when it has to go, for the reason in `why`.
    """

    outbox: Outbox
    user_id: int | None
    caller: Caller = ANONYMOUS
    slot: int | None = None
    greeted: bool = False
    current: bool = False
    over: asyncio.Event = field(default_factory=asyncio.Event)
    why: tuple[Close, str] = (Close.TRY_AGAIN, "")

    def dismiss(self, code: Close, reason: str) -> None:
        """Has the socket closed, unless it already has to go."""
        if not self.over.is_set():
            self.why = code, reason
            self.over.set()
