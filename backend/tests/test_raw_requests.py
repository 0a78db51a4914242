"""What arrives on a connection before it is a request: heads, framing, handshakes, too many."""

import asyncio
import os
from contextlib import AsyncExitStack

import asyncpg
import pytest

from app.api.connections import Connections
from app.api.head import MAX_TARGET
from app.api.http_protocol import MAX_PIPELINED
from app.api.patience import HOLD_SECONDS, Patience
from app.core.config import Settings
from benchmarks.floods import FLOODS
from tests.access_helpers import CLOSED
from tests.conftest import Sandbox, serve

HOST = b"Host: localhost\r\n"
BOARDS = b"GET /api/boards HTTP/1.1\r\n"
SUBMIT = b"POST /api/leaderboard/submit HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n"
HANDSHAKE = (
    b"GET /ws/leaderboard HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Version: 13\r\n"
)


def plain_settings(**changes: object) -> Settings:
    """For what connects to nothing."""
    return Settings(_env_file=None, **changes)


@pytest.fixture(scope="module")
async def there(servers, template):
    """A server and a database of its own for all tests here: address, connection."""
    name = f"raw{os.getpid()}"
    admin = await asyncpg.connect(servers.postgres_dsn)
    await admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    box = Sandbox(servers, name)
    async with box.serve() as address:
        connection = await box.connect()
        await connection.execute("INSERT INTO users (username) VALUES ('Nova')")
        yield address, connection
        await connection.close()
    box.forget_index()
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()


async def ask(address: str, *pieces: bytes, until_end: bool = False) -> tuple[int, bytes]:
    """Status and text of the answer; 0 where the connection ends without one. `until_end`: the
    server has to close the connection."""
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        async with asyncio.timeout(5):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
            if until_end:
                answer = await reader.read()
            else:
                answer = await reader.readuntil(b"\r\n\r\n")
                length = int(answer.lower().partition(b"content-length: ")[2].split(b"\r")[0])
                answer += await reader.readexactly(length)
    except (ConnectionError, asyncio.IncompleteReadError):
        answer = b""
    finally:
        writer.close()
    return int(answer[9:12] or 0), answer


async def test_headers_that_contradict_each_other(there):
    address, _ = there
    for twice in (
        b"Host: localhost\r\nHost: evil.example\r\n",
        b"Host: localhost\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b\r\n",
        b"Host: localhost\r\nIdempotency-Key: a\r\nidempotency-key: a\r\n",
        b"Host: localhost\r\nContent-Type: application/json\r\nContent-Type: text/plain\r\n",
    ):
        for line in (BOARDS, SUBMIT.partition(b"\r\n")[0] + b"\r\n"):
            status, text = await ask(address, line + twice + b"\r\n")
            assert (status, b"bad-request" in text, b"twice" in text) == (400, True, True), twice
    lists = b"Accept: a\r\nAccept: b\r\nX-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 2.2.2.2\r\n"
    assert (await ask(address, BOARDS + HOST + lists + b"\r\n"))[0] == 200


async def test_a_request_without_a_host(there):
    address, _ = there
    assert (await ask(address, BOARDS + b"\r\n"))[0] == 400


async def test_blanks_after_a_value_are_no_part_of_it(there):
    address, _ = there
    body = b'{"user_id": 1, "score": 5}'
    head = SUBMIT + b"Idempotency-Key: k1 \t\r\nContent-Length: %d \r\n\r\n" % len(body)
    status, text = await ask(address, head + body)
    assert status == 200, text
    again = SUBMIT + b"Idempotency-Key: k1\r\nContent-Length: %d\r\n\r\n" % len(body)
    status, text = await ask(address, again + body)
    assert (status, b'"replayed":true' in text) == (200, True), text


CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"


async def test_what_follows_a_body_is_no_header(there):
    address, connection = there
    before = await connection.fetchval("SELECT count(*) FROM submission_keys")
    body = b'{"user_id": 1, "score": 5}'
    chunk = b"%x\r\n%b\r\n0\r\n" % (len(body), body)
    late = b"Idempotency-Key: late\r\nX-Request-ID: late\r\nHost: evil.example\r\n\r\n"
    for pieces in ([SUBMIT + CHUNKED + chunk + late], [SUBMIT + CHUNKED, chunk, late]):
        status, text = await ask(address, *pieces)
        assert (status, b"x-request-id: late" in text) == (200, False), text
    assert await connection.fetchval("SELECT count(*) FROM submission_keys") == before


async def test_what_follows_a_body_has_a_bound(there):
    """One header there, without an end: the parser would keep all of it."""
    address, _ = there
    pieces = [SUBMIT + CHUNKED, b"2\r\n{}\r\n0\r\nX-Late: ", *([b"x" * 30_000] * 20)]
    status, _ = await ask(address, *pieces, until_end=True)
    assert status in (0, 413, 422, 431)


async def test_an_answered_body_is_not_read_to_its_end(there):
    """Who sends on is cut off, with time to read the answer."""
    address, _ = there
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    answer = asyncio.create_task(reader.readline())
    writer.write(SUBMIT + CHUNKED)
    sent, chunk = 0, b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    with pytest.raises((ConnectionError, TimeoutError)):
        async with asyncio.timeout(5):
            while sent < 200_000_000:
                writer.write(chunk)
                await writer.drain()
                sent += len(chunk)
    assert sent < 30_000_000  # what the buffers of the system take
    assert (await answer).startswith(b"HTTP/1.1 413 ")
    writer.close()


async def test_a_body_in_pieces_without_end(there):
    """Each costs a call, so their number has a bound, and the longest body fits into it."""
    address, _ = there
    pieces = b"1\r\n \r\n" * 6_000 + b"0\r\n\r\n"
    batch = SUBMIT.replace(b"submit", b"submit/batch", 1) + CHUNKED
    assert (await ask(address, batch, pieces, until_end=True))[0] in (0, 413)
    chunks = (b"400\r\n" + b" " * 1_024 + b"\r\n") * 970 + b"0\r\n\r\n"
    assert (await ask(address, batch + chunks))[0] == 422


async def test_a_body_that_is_cut_off_never_counts(there):
    """Also if what has arrived is whole as JSON."""
    address, connection = there
    before = await connection.fetchval("SELECT count(*) FROM game_sessions")
    body = b'{"user_id": 1, "score": 5}'
    batch = b'{"submissions": [%b]}' % body
    host, _, port = address.rpartition(":")
    for line, sent in ((SUBMIT, body), (SUBMIT.replace(b"submit", b"submit/batch", 1), batch)):
        for framed in (
            b"Content-Length: %d\r\n\r\n%b" % (len(sent) + 1, sent),
            b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n" % (len(sent), sent),
        ):
            _, writer = await asyncio.open_connection(host, int(port))
            writer.write(line + framed)
            await writer.drain()
            await asyncio.sleep(0.05)  # the handler has begun to read
            writer.close()
            await writer.wait_closed()
    await asyncio.sleep(0.2)
    assert await connection.fetchval("SELECT count(*) FROM game_sessions") == before


@pytest.mark.parametrize("pieces", [1, 10])
async def test_a_head_that_is_too_large(there, pieces):
    """In one piece too, of one long header and of many."""
    address, _ = there
    for headers in (b"X-Long: " + b"a" * 100_000 + b"\r\n", b"X-A: b\r\n" * 101):
        head = BOARDS + HOST + headers + b"\r\n"
        step = -(-len(head) // pieces)
        cut = [head[at : at + step] for at in range(0, len(head), step)]
        status, _ = await ask(address, *cut, until_end=True)
        assert status == 431 or (pieces > 1 and status == 0)
    head = BOARDS + HOST + b"X-Long: " + b"a" * 60_000 + b"\r\n\r\n"
    assert (await ask(address, head))[0] == 200
    # A large head is none of the next request's.
    assert (await ask(address, head * 3))[0] == 200


BAD_HANDSHAKES = {
    "Content-Length": b"Content-Length: 5\r\n\r\nhello",
    "Content-Length to come": b"Content-Length: 5\r\n\r\n",
    "Content-Length of nothing": b"Content-Length: 0\r\n\r\n",
    "Transfer-Encoding": b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "Transfer-Encoding to come": b"Transfer-Encoding: chunked\r\n\r\n",
    "too many headers": b"X-A: b\r\n" * 130 + b"\r\n",
    "a long header": b"X-A: " + b"b" * 9_000 + b"\r\n\r\n",
    "two hosts": HOST + b"\r\n",
    "two credentials": b"Authorization: Bearer a\r\n" * 2 + b"\r\n",
    "a control character": b"\r\n",
    "a long query": b"\r\n",
}


@pytest.mark.parametrize("name", BAD_HANDSHAKES)
async def test_every_handshake_is_answered(there, name):
    address, _ = there
    handshake = HANDSHAKE
    if name == "a control character":
        handshake = handshake.replace(b"/leaderboard ", b"/leaderboard%0A ")
    if name == "a long query":
        handshake = handshake.replace(b"/leaderboard ", b"/leaderboard?%b " % (b"a" * MAX_TARGET))
        handshake = handshake.replace(b"?a", b"?aa")
    status, _ = await ask(address, handshake + BAD_HANDSHAKES[name], until_end=True)
    assert status in ((400, 431) if name == "too many headers" else (400,))


async def test_a_handshake_that_the_app_does_not_answer_ends(monkeypatch):
    """An app that hangs holds no connection for good."""

    async def hang(scope, receive, send):
        if scope["type"] == "lifespan":
            await receive()
            settings = plain_settings(http_head_timeout=0.3)
            scope["state"]["patience"] = Patience.of(settings, lambda *_: None, lambda *_: None)
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        await asyncio.Event().wait()

    async with serve(hang) as address:
        status, _ = await ask(address, HANDSHAKE + b"\r\n", until_end=True)
        assert status == 503
        for task in asyncio.all_tasks():
            if "run_asgi" in repr(task.get_coro()):
                task.cancel()


async def test_an_address_holds_so_many_connections(sandbox):
    """Whatever they do; and a socket, once it is one, is counted by the door instead."""
    settings = CLOSED | {"rate_limits": True, "http_max_connections_per_address": 4}
    async with sandbox.serve(**settings) as address, AsyncExitStack() as stack:
        host, _, port = address.rpartition(":")

        async def connect(sent: bytes, source: str = "127.0.0.7"):
            reader, writer = await asyncio.open_connection(host, int(port), local_addr=(source, 0))
            stack.callback(writer.close)
            writer.write(sent)
            return reader, writer

        for _ in range(6):
            reader, _ = await connect(HANDSHAKE + b"\r\n")
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        held = [await connect(sent) for sent in (b"", b"GET /", HANDSHAKE, SUBMIT)]
        await asyncio.sleep(0.05)
        reader, _ = await connect(BOARDS + HOST + b"\r\n")
        refusal = await asyncio.wait_for(reader.read(), 5)
        assert refusal.startswith(b"HTTP/1.1 429 ")
        assert b"retry-after:" in refusal
        reader, _ = await connect(BOARDS + HOST + b"\r\n", "127.0.0.8")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
        held[0][1].close()
        await asyncio.sleep(0.05)
        reader, _ = await connect(BOARDS + HOST + b"\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")


def test_connections_of_trusted_proxies_are_not_counted():
    settings = plain_settings(
        auth_mode="closed", trusted_proxies="10.0.0.0/8", http_max_connections_per_address=1
    )
    connections = Connections(settings)
    assert connections.address_of("10.1.2.3") is None
    assert connections.address_of("2001:db8:1:2:3::4") == "2001:db8:1:2::/64"
    assert [connections.enter("9.9.9.9") for _ in range(2)] == [True, False]
    connections.leave("9.9.9.9")
    assert connections.enter("9.9.9.9")
    assert Connections(plain_settings(auth_mode="open")).address_of("9.9.9.9") is None


async def test_a_trailing_slash_is_no_other_socket(there):
    address, _ = there
    for path in (b"/ws/leaderboard/ ", b"/ws/leaderboard/1/ "):
        handshake = HANDSHAKE.replace(b"/ws/leaderboard ", path) + b"\r\n"
        host, _, port = address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(handshake)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        assert b'"snapshot"' in await reader.read(200)
        writer.close()


async def test_head_over_the_wire_has_no_body(there):
    address, _ = there
    get = await ask(address, BOARDS + HOST + b"Connection: close\r\n\r\n", until_end=True)
    head = BOARDS.replace(b"GET", b"HEAD") + HOST + b"Connection: close\r\n\r\n"
    status, answer = await ask(address, head, until_end=True)
    assert status == get[0] == 200
    assert answer.endswith(b"\r\n\r\n")
    length = get[1].partition(b"content-length: ")[2].split(b"\r")[0]
    assert b"content-length: " + length in answer


FLOOD_ANSWERS = {
    "newline": 400, "fields": 413, "faults": 422, "handshakes": 400, "queries": 414, "pages": 200,
    "document": 200, "health": 200, "history": 404, "path": 414, "short-path": 404, "garbage": 400,
    "hang-ups-top": 200, "hang-ups-unknown": 404, "hang-ups-handshakes": 400, "pipeline": 404,
}  # fmt: skip


@pytest.mark.parametrize("kind", FLOODS)
async def test_what_floods_send_is_answered(there, kind):
    """One request of each; the benchmark `attacks` sends them for minutes."""
    address, _ = there
    pieces = [each for _, each in zip(range(3), FLOODS[kind].requests("no token"), strict=False)]
    status, _ = await ask(address, *pieces, until_end="handshakes" in kind)
    # Another test may have given the player a score.
    assert status == FLOOD_ANSWERS[kind] or (kind, status) == ("history", 200)


async def test_a_pipeline_has_a_bound(there):
    """The first request and those that may wait for it are answered, then the connection ends."""
    address, _ = there
    one = b"GET /api/live HTTP/1.1\r\n" + HOST + b"\r\n"
    status, answers = await ask(address, one * 1_000, until_end=True)
    assert status == 200
    assert answers.count(b"HTTP/1.1 200") == 1 + MAX_PIPELINED
    assert answers.count(b"connection: close") == 1
    _, answers = await ask(address, one * MAX_PIPELINED + CLOSING, until_end=True)
    assert answers.count(b"HTTP/1.1 200") == MAX_PIPELINED + 1


CLOSING = b"GET /api/live HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"


async def test_an_answer_is_not_lost_to_what_follows_its_request(there):
    address, _ = there
    one = b"GET /api/live HTTP/1.1\r\n" + HOST + b"\r\n"
    for follows in (b"\0 garbage\r\n\r\n", BOARDS + b"X: 1\r\n" * 200 + b"\r\n"):
        status, text = await ask(address, one + follows, until_end=True)
        assert (status, text.count(b"HTTP/1.1")) == (200, 1), text


async def test_http_1_0_has_no_chunks(there):
    address, connection = there
    before = await connection.fetchval("SELECT count(*) FROM game_sessions")
    body = b'{"user_id": 1, "score": 5}'
    head = SUBMIT.replace(b"HTTP/1.1", b"HTTP/1.0") + CHUNKED
    status, text = await ask(address, head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
    assert (status, b"Transfer-Encoding" in text) == (400, True), text
    assert await connection.fetchval("SELECT count(*) FROM game_sessions") == before


async def test_a_refused_connection_waits_where_callers_are_limited(sandbox, caplog):
    """And not where they are not. Nobody else waits, and no line of log tells of each."""
    bad = (b"no HTTP at all\r\n\r\n", HANDSHAKE + b"Content-Length: 9\r\n\r\n")
    loop = asyncio.get_running_loop()
    for settings, least in ((CLOSED | {"rate_limits": True}, HOLD_SECONDS), ({}, 0.0)):
        async with sandbox.serve(**settings) as address:
            began = loop.time()
            refusals = [asyncio.create_task(ask(address, each, until_end=True)) for each in bad]
            await asyncio.sleep(0.1)
            assert (await ask(address, CLOSING))[0] == 200
            assert loop.time() - began < HOLD_SECONDS
            assert [status for status, _ in await asyncio.gather(*refusals)] == [400, 400]
            assert loop.time() - began >= least
    assert "Invalid HTTP" not in caplog.text


async def test_an_answer_that_nobody_reads_is_given_up():
    """Also where the connection was to end behind it."""
    connections: list[asyncio.Transport] = []

    async def answer_much(scope, receive, send):
        if scope["type"] == "lifespan":
            await receive()
            settings = plain_settings(http_body_timeout=0.3)
            scope["state"]["patience"] = Patience.of(settings, lambda *_: None, lambda *_: None)
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        connections.append(send.__self__.transport)
        body = b"x" * 20_000_000
        headers = [(b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async with serve(answer_much) as address:
        host, _, port = address.rpartition(":")
        _, writer = await asyncio.open_connection(host, int(port), limit=1_000)
        try:
            writer.write(CLOSING)
            async with asyncio.timeout(5):
                while not connections or connections[0].get_write_buffer_size():
                    await asyncio.sleep(0.05)
        finally:
            writer.transport.abort()
