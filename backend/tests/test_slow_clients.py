"""Who sends slowly, without end or nothing at all loses the connection; all others keep theirs."""

import asyncio
from contextlib import asynccontextmanager

import pytest

HEALTH = b"GET /api/boards HTTP/1.1\r\nHost: 127.0.0.1\r\n"
POST = (
    b"POST /api/leaderboard/submit HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    b"Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
)
TIMES = {"http_head_timeout": 0.4, "http_body_timeout": 0.6}


@pytest.fixture
async def address(sandbox):
    async with sandbox.serve(**TIMES) as address:
        yield address


@asynccontextmanager
async def connected(address: str):
    host, _, port = address.partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield reader, writer
    finally:
        writer.close()


async def drip(address: str, pieces: list[bytes], pause: float) -> tuple[bytes, float]:
    """What came back until the end of the connection, and when that was."""
    loop = asyncio.get_running_loop()
    async with connected(address) as (reader, writer):
        started = loop.time()

        async def send() -> None:
            for piece in pieces:
                writer.write(piece)
                await asyncio.sleep(pause)

        sending = asyncio.create_task(send())
        try:
            async with asyncio.timeout(5):
                answer = await reader.read()
        except ConnectionResetError:
            answer = b""
        sending.cancel()
        return answer, loop.time() - started


async def test_a_head_that_drips(address):
    answer, took = await drip(address, [bytes([each]) for each in HEALTH], 0.05)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert 0.35 < took < 1.2


async def test_headers_without_end(address):
    lines = [b"X-More: " + b"a" * 4_000 + b"\r\n"] * 100
    answer, took = await drip(address, [HEALTH, *lines], 0.001)
    assert answer.startswith(b"HTTP/1.1 431 ") or answer == b""
    assert took < 1


async def test_a_body_that_drips(address):
    answer, took = await drip(address, [POST, *([b" "] * 100)], 0.05)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert 0.5 < took < 1.2


@pytest.mark.parametrize(("sent", "said"), [(b"", b""), (b"\r\n", b"HTTP/1.1 408 ")])
async def test_a_connection_that_says_nothing(address, sent, said):
    answer, took = await drip(address, [sent], 0)
    assert answer.startswith(said)
    assert bool(answer) == bool(said)
    assert took < 1.2


async def test_blank_lines_after_an_answer_keep_no_connection(address):
    answer, took = await drip(address, [HEALTH + b"\r\n", *([b"\r\n"] * 100)], 0.05)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert took < 1.5


async def test_a_half_open_handshake(address):
    half = b"GET /ws/leaderboard HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnec"
    _, took = await drip(address, [half], 0)
    assert took < 1.2


async def test_many_requests_in_pieces_on_one_connection_are_all_answered(address):
    """Each ends in the middle of the next one: the time is counted a request, not a connection."""
    request = HEALTH + b"\r\n"
    async with connected(address) as (reader, writer):
        writer.write(request[:20])
        for _ in range(12):
            await asyncio.sleep(0.1)
            writer.write(request[20:] + request[:20])
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 2)
            assert head.startswith(b"HTTP/1.1 200 ")
            length = next(
                int(line.split(b":")[1]) for line in head.split(b"\r\n")
                if line.lower().startswith(b"content-length")
            )  # fmt: skip
            await reader.readexactly(length)


async def test_a_socket_outlives_all_of_that(address):
    from websockets.asyncio.client import connect

    async with connect(f"ws://{address}/ws/leaderboard", compression=None) as socket:
        await asyncio.sleep(1.2)
        await socket.send('{"type":"ping"}')
        async with asyncio.timeout(2):
            while '"pong"' not in await socket.recv():
                pass


async def test_beyond_the_bound_the_connection_that_idles_longest_goes(sandbox):
    async with sandbox.serve(http_max_idle=3) as address:
        host, _, port = address.partition(":")
        opened = [await asyncio.open_connection(host, int(port)) for _ in range(5)]
        gone = [asyncio.create_task(reader.read()) for reader, _ in opened]
        await asyncio.wait(gone, timeout=0.5)
        assert [each.done() for each in gone] == [True, True, False, False, False]
        for task in gone[2:]:
            task.cancel()
        await asyncio.wait(gone)
        reader, writer = opened[4]
        writer.write(HEALTH + b"\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        for _, writer in opened:
            writer.close()
