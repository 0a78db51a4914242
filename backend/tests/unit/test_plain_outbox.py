"""Frames through ASGI's `send`, for servers without the extension: bounded and in order."""

import asyncio

from starlette.websockets import WebSocket

from app.websocket.transport import PlainOutbox, offer


class Line:
    """The server's side of a socket: what is sent waits until it is let through."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.open = asyncio.Event()

    async def receive(self) -> dict:
        return {"type": "websocket.connect"}

    async def send(self, message: dict) -> None:
        if message["type"] == "websocket.send":
            await self.open.wait()
            self.texts.append(message["text"])

    async def outbox(self, max_buffer: int) -> PlainOutbox:
        websocket = WebSocket({"type": "websocket"}, self.receive, self.send)
        await websocket.accept()
        return PlainOutbox(websocket, max_buffer)


async def test_a_client_that_does_not_read_is_refused_beyond_the_bound():
    line = Line()
    outbox = await line.outbox(100)
    taken = [offer(outbox, b"x" * 60) for _ in range(5)]
    assert taken == [True, True, False, False, False]
    outbox.drop()


async def test_what_was_sent_makes_room_and_nothing_is_lost():
    line = Line()
    line.open.set()
    outbox = await line.outbox(100)
    for number in range(10):
        assert offer(outbox, b"a%d" % number + b"." * 60, b"b%d" % number)
        async with asyncio.timeout(5):
            while len(line.texts) < 2 * (number + 1):
                await asyncio.sleep(0)
    assert [text[:2] for text in line.texts] == [
        f"{each}{number}" for number in range(10) for each in "ab"
    ]
    outbox.drop()
