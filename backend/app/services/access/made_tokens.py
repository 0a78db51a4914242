"""Tokens that were made with API keys, in the audit log: one entry a key, worker and minute.

An entry for each token would have every player's sign-in wait for the log's one lock, and a
million players an hour make a million entries that can never be dropped. So a worker counts, and
writes once a minute what it has counted. A worker that is killed loses what it counted since.
"""

import asyncio
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.database import is_away, is_busy
from app.services.access.audit import Act, record
from app.services.access.sealing import Sealer

WRITE_EVERY = 60.0
MAX_NAMED = 1_000
"""Players that an entry names; of more, it has the number."""


@dataclass(slots=True)
class Made:
    """What one caller made since the last entry."""

    count: int = 0
    players: set[int] = field(default_factory=set)

    def add(self, count: int, players: set[int]) -> None:
        self.count += count
        self.players.update(sorted(players)[: MAX_NAMED - len(self.players)])


class MadeTokens:
    """Counts tokens by who made them."""

    def __init__(self, engine: AsyncEngine, sealer: Sealer) -> None:
        self._engine = engine
        self._sealer = sealer
        self._made: dict[str, Made] = {}

    def note(self, actor: str, user_id: int) -> None:
        """Counts a token for this player."""
        self._made.setdefault(actor, Made()).add(1, {user_id})

    async def run(self) -> None:
        """Writes what was counted, as long as the worker lives."""
        while True:
            await asyncio.sleep(WRITE_EVERY)
            await self.write()

    async def write(self) -> None:
        """Writes what was counted. What can't be written now is written the next time."""
        made, self._made = self._made, {}
        for actor, each in made.items():
            detail = {"count": each.count, "players": sorted(each.players)}
            try:
                act = Act(actor, "token.make", "players", detail)
                await record(self._engine, act, self._sealer)
            except Exception as error:
                self._made.setdefault(actor, Made()).add(each.count, each.players)
                if not (is_away(error) or is_busy(error)):
                    raise
