"""The Redis client: what its pool does with connections that died while nobody used them."""

import asyncio
import contextlib
import socket
import struct
from urllib.parse import urlparse

import pytest

from app.core.redis import AWAY, create_client

CONNECTIONS = 8


class Cutter:
    """Stands between a client and Redis, on TCP, and cuts all connections with a reset."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._ends: list[asyncio.StreamWriter] = []
        self._tasks: set[asyncio.Task] = set()
        self.taken = 0

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.taken += 1
        redis_reader, redis_writer = await asyncio.open_unix_connection(self._path)
        self._ends += [writer, redis_writer]
        for source, drain in ((reader, redis_writer), (redis_reader, writer)):
            self._tasks.add(asyncio.create_task(self._pass_on(source, drain)))

    async def _pass_on(self, source: asyncio.StreamReader, drain: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65_536):
                drain.write(data)

    async def cut(self) -> None:
        reset_on_close = struct.pack("ii", 1, 0)
        for end in self._ends:
            end.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, reset_on_close
            )
            end.transport.abort()
        self._ends.clear()
        await asyncio.gather(*self._tasks)
        self._tasks.clear()
        await asyncio.sleep(0.05)


async def test_connections_that_were_reset_fail_nobody(sandbox):
    cutter = Cutter(urlparse(sandbox.settings.redis_url).path)
    server = await asyncio.start_server(cutter.take, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    runs = []
    client = create_client(
        sandbox.make_settings(redis_url=f"redis://127.0.0.1:{port}/0"),
        runs.append,
        timeout=2.0,
        connections=CONNECTIONS,
    )
    await asyncio.gather(*(client.ping() for _ in range(CONNECTIONS)))
    pooled = cutter.taken
    assert pooled > 1
    await cutter.cut()
    await asyncio.gather(*(client.ping() for _ in range(CONNECTIONS)))
    # Each new connection said which server it is before it was used.
    assert len(runs) == cutter.taken == 2 * pooled

    server.close()
    await cutter.cut()
    with pytest.raises(AWAY):
        await client.ping()
    await client.aclose()
