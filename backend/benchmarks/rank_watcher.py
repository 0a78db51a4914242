"""A socket that remembers the last rank it was told."""

import asyncio
import json
from typing import cast

from benchmarks.websocket import PING, handshake, measure_frame


class RankWatcher(asyncio.Protocol):
    """Follows one player. `rank` is None while the player is not ranked."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._rest = b""
        self._upgraded = False
        self.rank: int | None = None
        self.lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is none by class
        self.transport.write(handshake(self._path))

    def data_received(self, data: bytes) -> None:
        data = self._rest + data
        if not self._upgraded:
            head, end, rest = data.partition(b"\r\n\r\n")
            if not end:
                self._rest = data
                return
            if not head.startswith(b"HTTP/1.1 101"):
                self.transport.close()
                return
            self._upgraded, data = True, rest
        at = 0
        while (found := measure_frame(data, at)) is not None and len(data) >= at + sum(found):
            head_size, size = found
            self._take(data[at], data[at + head_size : at + head_size + size])
            at += head_size + size
        self._rest = data[at:]

    def _take(self, kind: int, payload: bytes) -> None:
        if kind == PING:
            self.transport.write(bytes((0x8A, 0x80 | len(payload), 0, 0, 0, 0)) + payload)
        elif payload.startswith(b'{"type":"rank"'):
            self.rank = json.loads(payload)["rank"]
        elif payload.startswith(b'{"type":"snapshot"'):
            me = json.loads(payload)["me"]
            self.rank = None if me is None else me["rank"]

    def connection_lost(self, _: Exception | None) -> None:
        self.lost = True
