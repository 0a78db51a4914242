"""The service with two routes more, which only the benchmark mounts: to read how long the hub's
last fan-out took, and to run its twin in the same process over the same sockets.

Run as production runs the service: `uvicorn --factory benchmarks.live_app:create_app`.
"""

import asyncio
import time
from collections.abc import Sequence

from fastapi import FastAPI, Request

from app.main import create_app as create_service
from app.websocket.hub import Hub
from app.websocket.transport import DirectOutbox

YIELD_EVERY = 250
"""As the hub does, so that both let the event loop write at the same points."""


class Recorder:
    """Notes what one fan-out writes, and to whom, so that the same can be written again."""

    def __init__(self) -> None:
        self.writes: list[tuple[asyncio.WriteTransport, bytes]] = []
        self._original = DirectOutbox.offer

    def start(self) -> None:
        writes, original = self.writes, self._original
        writes.clear()

        def offer(outbox: DirectOutbox, payloads: Sequence[bytes], wired: bytes) -> bool:
            writes.append((outbox._transport, wired))  # noqa: SLF001 - the twin's very sockets
            return original(outbox, payloads, wired)

        # For the recorded round alone; the measured ones run what production runs.
        DirectOutbox.offer = offer  # type: ignore[assignment,method-assign]

    def stop(self) -> None:
        DirectOutbox.offer = self._original  # type: ignore[method-assign]


def _hub(request: Request) -> Hub:
    hub: Hub = request.state.hubs.all[0]
    return hub


def create_app() -> FastAPI:
    """The service and the benchmark's routes."""
    app = create_service()
    recorder = Recorder()

    @app.get("/bench/hub")
    async def hub(request: Request) -> dict[str, float]:
        """How many sockets there are, and the seconds of the last fan-out."""
        found = _hub(request)
        return {"clients": found.clients, "last_round": found.last_round}

    @app.post("/bench/record/{wanted}")
    async def record(wanted: bool) -> int:
        """Notes what is written from now on, or no longer. How many writes are noted."""
        if wanted:
            recorder.start()
        else:
            recorder.stop()
        return len(recorder.writes)

    @app.post("/bench/bare")
    async def bare() -> dict[str, float]:
        """Writes the noted bytes to the noted sockets again; seconds until the loop is done."""
        writes = recorder.writes
        started = time.perf_counter()
        for at in range(0, len(writes), YIELD_EVERY):
            for transport, wired in writes[at : at + YIELD_EVERY]:
                transport.write(wired)
            await asyncio.sleep(0)
        return {
            "seconds": time.perf_counter() - started,
            "writes": len(writes),
            "bytes": sum(len(wired) for _, wired in writes),
        }

    return app
