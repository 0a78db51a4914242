"""Sockets that are closed hear why, also those that read slowly at that moment."""

import asyncio
import socket

import pytest

from app.websocket.frames import Close, wire
from app.websocket.hubs import Hubs

HANDSHAKE = (
    b"GET /ws/leaderboard HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
UNREAD = 8 * 1024 * 1024
"""Bytes: more than the kernel keeps for both ends."""


async def connect(address: str):
    """A client whose receiving buffer is as small as it may be."""
    host, _, port = address.partition(":")
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    raw.setblocking(False)
    await asyncio.get_running_loop().sock_connect(raw, (host, int(port)))
    reader, writer = await asyncio.open_connection(sock=raw, limit=1_024)
    writer.write(HANDSHAKE)
    await reader.readuntil(b"\r\n\r\n")
    return reader, writer


@pytest.fixture
def made(monkeypatch) -> list[Hubs]:
    """The hubs of the workers that a test serves."""
    found: list[Hubs] = []
    init = Hubs.__init__

    def remember(self, *args) -> None:
        init(self, *args)
        found.append(self)

    monkeypatch.setattr(Hubs, "__init__", remember)
    return found


async def full_client(hubs: Hubs, writer):
    """The one client, as its hub knows it; it has stopped reading."""
    (hub,) = hubs.all
    async with asyncio.timeout(5):
        while not (clients := [each for each in hub._audience if each.current]):
            await asyncio.sleep(0.005)
    writer.transport.pause_reading()
    assert clients[0].outbox.offer((), wire(b" " * UNREAD))
    return clients[0]


async def test_a_client_with_much_unread_hears_that_the_service_restarts(sandbox, made):
    async with sandbox.serve(live_max_buffer=2 * UNREAD) as address:
        reader, writer = await connect(address)
        await full_client(made[0], writer)
        await made[0].drain(100, 1.0)
        writer.transport.resume_reading()
        heard = bytearray()
        async with asyncio.timeout(10):
            while data := await reader.read(1 << 20):
                heard = heard[-100:] + data
        reason = b"restarting"
        assert heard.endswith(
            bytes((0x88, 2 + len(reason))) + Close.RESTARTING.to_bytes(2, "big") + reason
        )
        writer.close()


async def test_a_client_that_never_reads_again_is_given_up(sandbox, monkeypatch, made):
    monkeypatch.setattr("app.websocket.endpoint.SECONDS_TO_HEAR", 0.05)
    async with sandbox.serve(live_max_buffer=2 * UNREAD) as address:
        _, writer = await connect(address)
        client = await full_client(made[0], writer)
        client.dismiss(Close.RESTARTING, "restarting")
        async with asyncio.timeout(2):
            while client.outbox._protocol in client.outbox._protocol.connections:
                await asyncio.sleep(0.01)
        writer.transport.abort()
