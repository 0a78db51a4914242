"""The hubs of a worker, one a board, and the door to them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial

import structlog

from app.core.config import Settings
from app.services.access.access import Access
from app.services.boards import Boards, BoardSeason
from app.services.limits.limits import Limits
from app.services.service import Service
from app.services.standings import StandingsByBoard
from app.websocket.door import Door
from app.websocket.frames import Close
from app.websocket.hub import Hub

log = structlog.get_logger(__name__)

DRAIN_STEP = 0.01
MOST_AT_ONCE = 0.1
"""Of what is due in a second."""
LEAVE_SECONDS = 2.0
"""For the last sockets to go, after they were told."""


class Hubs:
    """Finds the hub of a board."""

    def __init__(self, standings: StandingsByBoard, limits: Limits, settings: Settings) -> None:
        self._by_key = {each.board.key: Hub(each, settings) for each in standings.all}
        self.door = Door(limits, settings)

    @property
    def all(self) -> tuple[Hub, ...]:
        return tuple(self._by_key.values())

    async def dismiss_unwelcome(self, access: Access, boards: Boards) -> None:
        """Closes sockets whose callers may not watch any more: a key was revoked, a player
        deactivated, a board became private, or a token for a private board has ended. Looks at
        once when something was changed, and every second for what ends by itself."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await access.changed.wait()
            access.changed.clear()
            for hub in self.all:
                private = boards.is_private(hub.standings.board.slug)
                hub.dismiss(access.must_sign_in_again if private else access.was_withdrawn)

    async def drain(self, per_second: float, seconds: float) -> None:
        """Takes no more sockets and has those there are closed, evenly spread: so many a second,
        or more, if `seconds` would not be enough. Ends when they have gone, at the latest a
        little after that time."""
        self.door.draining = True
        clock, untold = asyncio.get_running_loop().time, self.door.clients
        if not untold:
            return
        log.info("draining", sockets=untold)
        began = last = clock()
        due = 0.0
        while self.door.clients and last < began + seconds + LEAVE_SECONDS:
            await asyncio.sleep(DRAIN_STEP)
            now = clock()
            pace = max(per_second, untold / max(DRAIN_STEP, began + seconds - now))
            # What a stall has put off is spread again: made up for at once, it were a stampede.
            due = min(due + (now - last) * pace, max(1.0, MOST_AT_ONCE * pace))
            last = now
            # Sockets that are still being let in are told as soon as a hub knows them.
            while due >= 1 and self._dismiss_one():
                due -= 1
                untold -= 1
        log.info("drained", left=self.door.clients, seconds=round(clock() - began, 1))

    def _dismiss_one(self) -> bool:
        return any(hub.dismiss_one(Close.RESTARTING, "restarting") for hub in self.all)

    def of(self, board: BoardSeason) -> Hub:
        return self._by_key[board.key]


@asynccontextmanager
async def open_hubs(service: Service) -> AsyncIterator[Hubs]:
    """Hubs that tell their clients what happens, for as long as the block lasts."""
    hubs = Hubs(service.standings, service.limits, service.settings)
    running = service.supervisor.running
    async with AsyncExitStack() as stack:
        for hub in hubs.all:
            slug = hub.standings.board.slug
            await stack.enter_async_context(running(f"hub:{slug}", hub.run))
            await stack.enter_async_context(running(f"resync:{slug}", hub.run_resyncs))
        dismiss = partial(hubs.dismiss_unwelcome, service.access, service.boards)
        await stack.enter_async_context(running("unwelcome sockets", dismiss))
        yield hubs
