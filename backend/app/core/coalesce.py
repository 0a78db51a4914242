"""Requests that wait at the same time share one round trip, with no delay added.

While one call is under way the next items gather; when it ends, all that has gathered becomes
the next call. A lone item goes out at once, a crowd goes out together.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from app.core.errors import Overloaded

T = TypeVar("T")
R = TypeVar("R")


class Coalescer(Generic[T, R]):
    """Gathers items while `call` is busy.

    `call` takes a list of items and returns a result for each, in order. An exception from it
    goes to all of that call's items.
    """

    def __init__(
        self,
        call: Callable[[Sequence[T]], Awaitable[Sequence[R]]],
        *,
        max_batch: int,
        max_queue: int,
        lanes: int = 1,
    ) -> None:
        self._call = call
        self._max_batch = max_batch
        self._max_queue = max_queue
        self._free_lanes = lanes
        self._waiting: deque[tuple[T, asyncio.Future[R]]] = deque()
        self._flights: set[asyncio.Task[None]] = set()

    def get(self, item: T) -> asyncio.Future[R]:
        """A future of the item's result. Raises Overloaded when too many are waiting."""
        if len(self._waiting) >= self._max_queue:
            raise Overloaded("Too many look-ups are waiting. Try again in a moment.")
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._free_lanes:
            self._free_lanes -= 1
            flight = asyncio.create_task(self._fly())
            self._flights.add(flight)
            flight.add_done_callback(self._flights.discard)
        return future

    async def _fly(self) -> None:
        waiting = self._waiting
        try:
            while waiting:
                batch = [waiting.popleft() for _ in range(min(len(waiting), self._max_batch))]
                # A caller that gave up has cancelled its future.
                batch = [each for each in batch if not each[1].done()]
                if batch:
                    await self._serve(batch)
        finally:
            self._free_lanes += 1

    async def _serve(self, batch: list[tuple[T, "asyncio.Future[R]"]]) -> None:
        try:
            results = await self._call([item for item, _ in batch])
        except Exception as error:  # noqa: BLE001 - whatever went wrong is each caller's to see
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), result in zip(batch, results, strict=True):
            if not future.done():
                future.set_result(result)
