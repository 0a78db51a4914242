"""The long-lived tasks of a worker. None of them can end without anybody noticing."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import structlog

from app.core.backoff import Backoff
from app.core.database import is_away

log = structlog.get_logger(__name__)

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 2.0
STEADY_SECONDS = 5.0
"""A task that has run for so long since its last failure is well again."""


class EndedError(Exception):
    """A task returned or was cancelled, although it should run as long as its worker."""


class Supervised:
    """What the supervisor knows about one task. `why` is its last failure, empty while well."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.failures = 0
        self.why = ""
        self.attempt: asyncio.Task[None] | None = None


class Supervisor:
    """Starts a worker's long-lived tasks, and starts them again whenever they end.

    This is the only way to start a task that runs as long as its worker. A failure is logged with
    the task's name, counted, and shown by health until the task has run for `STEADY_SECONDS`.
    """

    def __init__(self) -> None:
        self.tasks: list[Supervised] = []

    @property
    def failing(self) -> list[Supervised]:
        """The tasks that failed a moment ago."""
        return [task for task in self.tasks if task.why]

    @asynccontextmanager
    async def running(
        self, name: str, run: Callable[[], Coroutine[Any, Any, None]]
    ) -> AsyncIterator[Supervised]:
        """Runs the task while the block lasts. `run` is called again after each failure."""
        task = Supervised(name)
        self.tasks.append(task)
        keeping = asyncio.create_task(_keep_running(task, run), name=name)
        try:
            yield task
        finally:
            await stop(keeping)
            if task.attempt is not None:
                await stop(task.attempt)
            self.tasks.remove(task)


async def _keep_running(task: Supervised, run: Callable[[], Coroutine[Any, Any, None]]) -> None:
    backoff = Backoff(first=FIRST_PAUSE, longest=LONGEST_PAUSE, stable=STEADY_SECONDS)
    while True:
        backoff.started()
        # A task of its own, so that a cancellation from within is told from our own stopping.
        task.attempt = attempt = asyncio.create_task(run(), name=task.name)
        await asyncio.wait([attempt], timeout=STEADY_SECONDS)
        if not attempt.done():
            task.why = ""
            await asyncio.wait([attempt])
        error = _reason(attempt)
        task.failures += 1
        task.why = type(error).__name__
        pause = backoff.schedule()
        log.error(
            "task failed",
            task=task.name,
            error=repr(error),
            retry_in=pause,
            exc_info=None if is_away(error) else error,
        )
        await asyncio.sleep(pause)


def _reason(attempt: "asyncio.Task[None]") -> BaseException:
    if attempt.cancelled():
        return EndedError("cancelled")
    return attempt.exception() or EndedError("returned")


async def stop(task: "asyncio.Task[None]") -> None:
    """Cancels until it works: a client library may take one cancellation for its own."""
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=0.5)
