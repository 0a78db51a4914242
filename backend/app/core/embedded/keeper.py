"""The thread that is the parent of every server, and that brings back those that died."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Protocol, TypeVar

from app.core.embedded.errors import EmbeddedError

T = TypeVar("T")

logger = logging.getLogger(__name__)

_TICK = 0.1
_LOG_CHECK = 30.0


class Kept(Protocol):
    """What the keeper does for a server; both are called in the keeper's thread alone."""

    def supervise(self) -> None: ...

    def bound_log(self) -> None: ...


class Keeper(threading.Thread):
    """Owns all changes of a server's process, so that these need no lock.

    A thread of its own, whoever calls: the kernel ends a server together with the thread that
    started it, and a caller's thread may be a short-lived one.
    """

    def __init__(self) -> None:
        super().__init__(name="embedded-servers", daemon=True)
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._kept: list[Kept] = []
        self._next_log_check = 0.0

    def keep(self, server: Kept) -> None:
        """Look after `server` once the thread runs. To be called before."""
        self._kept.append(server)

    def call(self, function: Callable[[], T]) -> T:
        """Run `function` in this thread and hand back what it returns or raises."""
        future: Future[T] = Future()

        def job() -> None:
            try:
                future.set_result(function())
            except (EmbeddedError, OSError) as error:
                future.set_exception(error)
            finally:
                future.cancel()  # no caller waits for ever, even if this thread is failing

        self._jobs.put(job)
        return future.result()

    def close(self) -> None:
        """End the thread; the servers must have been stopped."""
        self._jobs.put(None)
        self.join()

    def run(self) -> None:
        while True:
            try:
                job = self._jobs.get(timeout=_TICK)
            except Empty:
                self._look_after()
                continue
            if job is None:
                return
            job()

    def _look_after(self) -> None:
        check_logs = time.monotonic() >= self._next_log_check
        for server in self._kept:
            server.supervise()
            if check_logs:
                with contextlib.suppress(OSError):  # a full disk: then it grows no further either
                    server.bound_log()
        if check_logs:
            self._next_log_check = time.monotonic() + _LOG_CHECK
