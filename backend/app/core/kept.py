"""Answers that are kept for a few seconds, and made once for all who ask at the same time."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Kept(Generic[K, V]):
    """At most `most` answers, each for `seconds` after it was made. A failure is not kept."""

    def __init__(self, seconds: float, most: int) -> None:
        self._seconds = seconds
        self._most = most
        self._making: dict[K, asyncio.Task[V]] = {}
        self._made: dict[K, tuple[float, V]] = {}

    async def get(self, key: K, make: Callable[[], Awaitable[V]]) -> V:
        """The answer, from memory if there is one. Raises what `make` raises.

        A caller that goes away leaves the making to the others.
        """
        known = self._made.get(key)
        if known is not None and time.monotonic() < known[0]:
            return known[1]
        task = self._making.get(key)
        if task is None:
            task = asyncio.create_task(self._make(key, make))
            self._making[key] = task
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(task)

    async def _make(self, key: K, make: Callable[[], Awaitable[V]]) -> V:
        try:
            answer = await make()
            self._made.pop(key, None)
            self._made[key] = time.monotonic() + self._seconds, answer
            if len(self._made) > self._most:
                del self._made[next(iter(self._made))]
            return answer
        finally:
            del self._making[key]
