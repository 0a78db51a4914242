"""A TCP relay in front of a Unix socket, that can swallow everything without a word."""

import asyncio
from contextlib import suppress


class Relay:
    """As a network between two hosts: cut, or a black hole, as long as `is_hole`."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._writers: set[asyncio.StreamWriter] = set()
        self._open = asyncio.Event()
        self._open.set()

    async def start(self) -> int:
        """Listens. The port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def close(self) -> None:
        self._server.close()
        self.cut()

    def swallow(self) -> None:
        """From now on nothing gets through, and nobody is told."""
        self._open.clear()

    def heal(self) -> None:
        """What was swallowed is lost, as the connections are that it was sent by."""
        self.cut()
        self._open.set()

    def cut(self) -> None:
        """Ends all connections."""
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            await self._open.wait()
            try:
                there, back = await asyncio.open_unix_connection(self._path)
            except OSError:
                return
            self._writers.add(back)
            await asyncio.wait(
                [
                    asyncio.create_task(self._pump(reader, back)),
                    asyncio.create_task(self._pump(there, writer)),
                ],
                return_when=asyncio.FIRST_COMPLETED,
            )
            back.transport.abort()
            self._writers.discard(back)
        finally:
            writer.transport.abort()
            self._writers.discard(writer)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                await self._open.wait()
                if writer.transport.is_closing():
                    return
                writer.write(data)
                await writer.drain()
