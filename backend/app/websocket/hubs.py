"""The hubs of a worker, one a board, and the door to them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.core.config import Settings
from app.services.boards import BoardSeason
from app.services.limits.limits import Limits
from app.services.standings import StandingsByBoard
from app.websocket.door import Door
from app.websocket.hub import Hub


class Hubs:
    """Finds the hub of a board."""

    def __init__(self, standings: StandingsByBoard, limits: Limits, settings: Settings) -> None:
        self._by_key = {each.board.key: Hub(each, settings) for each in standings.all}
        self.door = Door(limits, settings)

    @property
    def all(self) -> tuple[Hub, ...]:
        return tuple(self._by_key.values())

    def of(self, board: BoardSeason) -> Hub:
        return self._by_key[board.key]


@asynccontextmanager
async def open_hubs(
    standings: StandingsByBoard, limits: Limits, settings: Settings
) -> AsyncIterator[Hubs]:
    """Hubs that tell their clients what happens, for as long as the block lasts."""
    hubs = Hubs(standings, limits, settings)
    tasks = [asyncio.create_task(hub.run()) for hub in hubs.all]
    try:
        yield hubs
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
