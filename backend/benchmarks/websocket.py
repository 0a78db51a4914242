"""The client's half of a WebSocket, as little of it as counting needs."""

import asyncio
from collections.abc import Callable
from typing import cast

PING = 0x89
LONGEST_HEAD = 10


def handshake(path: str, *headers: str) -> bytes:
    """A request to upgrade. The key is fixed: nobody checks that it is random."""
    lines = (
        f"GET {path} HTTP/1.1", "Host: 127.0.0.1", "Upgrade: websocket", "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13", *headers,
    )  # fmt: skip
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def measure_frame(data: bytes, at: int) -> tuple[int, int] | None:
    """(size of the head, size of the payload) of the server's frame at `at`; None if its head
    is not all there (RFC 6455, section 5.2).
    """
    if len(data) < at + 2:
        return None
    size, head = data[at + 1], 2
    if size >= 126:
        head = 4 if size == 126 else LONGEST_HEAD
        if len(data) < at + head:
            return None
        size = int.from_bytes(data[at + 2 : at + head], "big")
    return head, size


class Watcher(asyncio.Protocol):
    """One socket. Counts frames, answers pings and tells `on_frame` of each other frame."""

    def __init__(self, path: str, on_frame: Callable[[], None]) -> None:
        self._path = path
        self._on_frame = on_frame
        self._rest = b""
        self._skip = 0
        self._upgraded = False
        self.received = self.frames = 0
        self.lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is none by class
        self.transport.write(handshake(self._path))

    def data_received(self, data: bytes) -> None:
        if not self._upgraded:
            head, end, data = (self._rest + data).partition(b"\r\n\r\n")
            if not end:
                self._rest = head
                return
            if not head.startswith(b"HTTP/1.1 101"):
                self.transport.close()
                return
            self._upgraded, self._rest = True, b""
        self.received += len(data)
        if self._skip >= len(data):
            self._skip -= len(data)
        else:
            self._read(self._rest + data)

    def _read(self, data: bytes) -> None:
        """Steps from head to head; payloads are not looked at, except those of pings."""
        at, self._skip = self._skip, 0
        while at < len(data):
            found = measure_frame(data, at)
            ping = data[at] == PING
            if found is None or (ping and len(data) < at + sum(found)):
                break
            head, size = found
            if ping:
                # Masked with zeros: the payload as it came.
                payload = data[at + head : at + head + size]
                self.transport.write(bytes((0x8A, 0x80 | size, 0, 0, 0, 0)) + payload)
            else:
                self.frames += 1
                self._on_frame()
            at += head + size
        self._rest = data[at:]
        self._skip = max(0, at - len(data))

    def connection_lost(self, _: Exception | None) -> None:
        self.lost = True
