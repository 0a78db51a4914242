"""Whether a mirror may be read: how old it may be, and what it must have in it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple, Protocol

from app.services.rank_index.index import IndexAway

MOST_SECONDS = 0.1
"""What is read from a mirror is at most this old. A mirror that lags further behind is not read."""


class Step(NamedTuple):
    """A position in the delta stream of an epoch."""

    epoch: str
    position: int


class Followed(Protocol):
    """As much of a follower as this needs."""

    @property
    def step(self) -> Step:
        """The last step that the mirror has in it."""

    async def reach(self, position: int, seconds: float) -> bool:
        """Waits until the mirror has this step. False if it has not in time."""


class Freshness:
    """Confirms a mirror by the index's own position.

    Callers that come at the same time share one look at it, and a look is good for `max_age`
    seconds. What this worker has written itself is waited for in any case: a look that began
    before the write says nothing about it.
    """

    def __init__(
        self, followed: Followed, ask: Callable[[], Awaitable[Step]], max_age: float
    ) -> None:
        self._followed = followed
        self._ask = ask
        self._max_age = max_age
        self._confirmed_at = float("-inf")
        self._own: dict[str, int] = {}
        """Position of the last own write, by epoch; empty once the mirror has it."""
        self._behind = Step("", 0)
        self._looking: asyncio.Task[bool] | None = None

    def expect(self, step: Step) -> None:
        """Notes that this worker has moved the index on: its own pages show that at once."""
        self._own[step.epoch] = max(self._own.get(step.epoch, 0), step.position)

    @property
    def is_confirmed(self) -> bool:
        """Whether the mirror may be read without asking anybody."""
        now = asyncio.get_running_loop().time()
        return not self._own and now - self._confirmed_at < self._max_age

    async def confirm(self) -> bool:
        """Whether the mirror may be read now."""
        now = asyncio.get_running_loop().time()
        if self._own and not await self._has_own_writes():
            return False
        # Own writes of another epoch: a look says which of the two epochs is the newer one.
        if self.is_confirmed:
            return True
        if self._is_behind():
            return False
        if self._looking is None:
            self._looking = asyncio.create_task(self._look(now))
            self._looking.add_done_callback(self._looked)
        return await asyncio.shield(self._looking) and not self._owes_other_epochs()

    async def _has_own_writes(self) -> bool:
        epoch, position = self._followed.step
        wanted = self._own.get(epoch)
        if wanted is None:
            return True
        if position < wanted and not await self._reach(Step(epoch, wanted), MOST_SECONDS):
            return False
        if self._own.get(epoch) == wanted:
            del self._own[epoch]
        return True

    def _owes_other_epochs(self) -> bool:
        epoch = self._followed.step.epoch
        return any(each != epoch for each in self._own)

    async def _look(self, asked_at: float) -> bool:
        written = tuple(self._own)
        try:
            step = await self._ask()
        except IndexAway:
            return False
        if step.epoch != self._followed.step.epoch:
            return False
        # An epoch that had ended when this one was read: everything in it is in this one.
        for epoch in written:
            if epoch != step.epoch:
                self._own.pop(epoch, None)
        left = asked_at + MOST_SECONDS - asyncio.get_running_loop().time()
        if left <= 0 or not await self._reach(step, left):
            return False
        self._confirmed_at = asked_at
        return True

    def _looked(self, look: "asyncio.Task[bool]") -> None:
        self._looking = None
        if not look.cancelled():
            look.exception()  # whoever asked may be gone by now

    async def _reach(self, step: Step, seconds: float) -> bool:
        if self._is_behind():
            return False
        if await self._followed.reach(step.position, seconds):
            return True
        self._behind = step
        return False

    def _is_behind(self) -> bool:
        """Whether a step is still missing that was waited for in vain: nobody waits for it once
        more while the stream is stuck."""
        epoch, position = self._followed.step
        return epoch == self._behind.epoch and position < self._behind.position
