"""uvicorn's server and worker process, which let go of their sockets before they stop.

Two signals lead a worker to its end: at the first it drains and goes on answering requests, at
the second it stops. A supervisor sends both; a service of one process needs only the first.
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import wait
from socket import socket
from types import FrameType

import uvicorn
from uvicorn.supervisors.multiprocess import Process

from app.api.patience import NEW_SECONDS


class DrainingServer(uvicorn.Server):
    """Once it has drained it awaits `drained`, then stops as uvicorn does. A signal that comes
    before that is over makes it stop at once."""

    def __init__(self, config: uvicorn.Config, drained: Callable[[], Awaitable[object]]) -> None:
        super().__init__(config)
        self._drained = drained
        self._draining: asyncio.Task[None] | None = None
        self._hurried = False

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """The terminal was closed: for uvicorn that is no reason to stop."""
        before = signal.getsignal(signal.SIGHUP)
        if before is not signal.SIG_IGN:  # as under nohup
            signal.signal(signal.SIGHUP, self.handle_exit)
        try:
            with super().capture_signals():
                yield
        finally:
            signal.signal(signal.SIGHUP, before)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        stopping = self._hurried or (self._draining is not None and self._draining.done())
        if self.should_exit and not stopping:
            self._captured_signals.append(sig)
            self._hurried = True
        else:
            super().handle_exit(sig, frame)

    async def on_tick(self, counter: int) -> bool:
        if not await super().on_tick(counter):
            return False
        if self._draining is None:
            self._draining = asyncio.create_task(self._drain())
        return self._hurried or self._draining.done()

    async def _drain(self) -> None:
        state = self.lifespan.state
        state["patience"].keeps_alive = False
        settings = state["service"].settings
        share = settings.drain_sockets_per_second / self.config.workers
        await state["hubs"].drain(share, settings.drain_seconds)
        await self._drained()

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """Whoever has connected just now is heard first: uvicorn would hang up."""
        if self._draining is not None:
            self._draining.cancel()
        loop, patience = asyncio.get_running_loop(), self.lifespan.state["patience"]
        end = loop.time() + NEW_SECONDS
        while (now := loop.time()) < end and patience.expects_request(now):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await super().shutdown(sockets)


class Worker(Process):
    """A supervisor's worker process."""

    @property
    def server(self) -> uvicorn.Server:
        if self._server is None:
            self._server = DrainingServer(self.config, self._say_drained)
        return self._server

    async def _say_drained(self) -> None:
        """In the worker, which then serves on until the supervisor wants it to stop."""
        self.child_conn.send("drained")
        await asyncio.Event().wait()

    def begin_drain(self) -> None:
        self.process.terminate()

    @property
    def is_drained(self) -> bool:
        """Whether it has said so, or is no more."""
        return bool(wait([self.parent_conn, self.process.sentinel], timeout=0))
