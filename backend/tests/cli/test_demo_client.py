"""The demo's client, against servers that misbehave as real ones do."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from app.cli.demo.client import Client, GaveUpError

BUSY = b"HTTP/1.1 503 Away\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n"
LIMITED = b"HTTP/1.1 429 Slow\r\nContent-Length: 0\r\n\r\n"
MADE = b'HTTP/1.1 201 Made\r\nContent-Length: 13\r\n\r\n{"user_id":7}'
CHUNKED = (
    b'HTTP/1.1 201 Made\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n{"a":1\r\n1\r\n}\r\n0\r\n\r\n'
)
LAST = b"HTTP/1.1 201 Made\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"


@asynccontextmanager
async def answering(*answers):
    """A client of a server that gives these answers in turn; None breaks the connection."""
    left, requests = list(answers), []

    async def serve(reader, writer):
        try:
            while left:
                head = await reader.readuntil(b"\r\n\r\n")
                size = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                requests.append(head + await reader.readexactly(size))
                answer = left.pop(0)
                if answer is None:
                    break
                writer.write(answer)
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with Client(f"http://127.0.0.1:{port}") as client:
            yield client, requests


async def test_it_waits_and_sends_the_same_again():
    async with answering(BUSY, LIMITED, None, MADE) as (client, requests):
        answer = await client.post("/api/x", {"score": 1}, key="k1")
    assert answer.status == 201
    assert answer.json() == {"user_id": 7}
    assert len(requests) == 4
    assert len(set(requests)) == 1
    assert b"Idempotency-Key: k1\r\n" in requests[0]


async def test_answers_in_chunks_and_connections_that_close():
    async with answering(CHUNKED, LAST, MADE) as (client, _):
        first = await client.post("/a", {})
        second = await client.post("/b", {})
        third = await client.post("/c", {})
    assert (first.json(), second.json(), third.json()) == ({"a": 1}, {}, {"user_id": 7})


async def test_nobody_there_is_said_at_once():
    async with Client("http://127.0.0.1:1") as client:
        with pytest.raises(GaveUpError, match="no service at"):
            await client.greet()
