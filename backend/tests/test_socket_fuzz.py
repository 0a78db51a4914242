"""Whatever arrives on a socket ends in the right close code, and leaves no memory behind."""

import asyncio
import gc
import os
import random
import struct
from pathlib import Path

import pytest

from app.websocket.frames import Close
from app.websocket.transport import MAX_CONTROLS_PER_SECOND, MAX_FRAGMENTS

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
PROTOCOL_ERROR, BAD_DATA, TOO_BIG = 1002, 1007, 1009
MASK = b"\x01\x02\x03\x04"
HANDSHAKE = (
    b"GET /ws/leaderboard HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Version: 13\r\n\r\n"
)
MAX_MESSAGE = 1_024


def masked(payload: bytes) -> bytes:
    return bytes(each ^ MASK[at % 4] for at, each in enumerate(payload))


def frame(opcode: int, payload: bytes = b"", *, fin=True, rsv=0, mask=True, size=None) -> bytes:
    """A client's frame; `size` is what its head says, whatever the payload."""
    size = len(payload) if size is None else size
    head = bytes([(0x80 if fin else 0) | (rsv << 4) | opcode])
    bit = 0x80 if mask else 0
    if size < 126:
        head += bytes([bit | size])
    elif size < 65_536:
        head += bytes([bit | 126]) + struct.pack(">H", size)
    else:
        head += bytes([bit | 127]) + struct.pack(">Q", size)
    return head + (MASK + masked(payload) if mask else payload)


class Peer:
    """A client that reads frames as they are."""

    def __init__(self, reader, writer) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def connect(cls, address: str) -> "Peer":
        host, _, port = address.partition(":")
        peer = cls(*await asyncio.open_connection(host, int(port)))
        peer.writer.write(HANDSHAKE)
        head = await asyncio.wait_for(peer.reader.readuntil(b"\r\n\r\n"), 5)
        assert head.startswith(b"HTTP/1.1 101 ")
        await peer.next()  # the snapshot
        return peer

    async def next(self) -> tuple[int, bytes]:
        first, second = await self.reader.readexactly(2)
        size = second & 0x7F
        if size == 126:
            (size,) = struct.unpack(">H", await self.reader.readexactly(2))
        elif size == 127:
            (size,) = struct.unpack(">Q", await self.reader.readexactly(8))
        return first & 0x0F, await self.reader.readexactly(size)

    async def close_code(self) -> int | None:
        """What the server closes with; None for a connection that ends without a word."""
        try:
            async with asyncio.timeout(5):
                while True:
                    opcode, payload = await self.next()
                    if opcode == CLOSE:
                        return struct.unpack(">H", payload[:2])[0] if payload else 1005
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        finally:
            self.writer.close()


@pytest.fixture
async def address(sandbox):
    async with sandbox.serve(http_head_timeout=1.0) as address:
        yield address


async def after(address: str, *sent: bytes) -> int | None:
    peer = await Peer.connect(address)
    for each in sent:
        peer.writer.write(each)
    return await peer.close_code()


BREACHES = {
    "no mask": (PROTOCOL_ERROR, [frame(TEXT, b"x", mask=False)]),
    "reserved bit": (PROTOCOL_ERROR, [frame(TEXT, b"x", rsv=4)]),
    "reserved opcode": (PROTOCOL_ERROR, [frame(3, b"x")]),
    "reserved control opcode": (PROTOCOL_ERROR, [frame(11)]),
    "long ping": (PROTOCOL_ERROR, [frame(PING, b"x" * 126)]),
    "ping in pieces": (PROTOCOL_ERROR, [frame(PING, b"x", fin=False)]),
    "fragment of nothing": (PROTOCOL_ERROR, [frame(CONT, b"x")]),
    "message within a message": (PROTOCOL_ERROR, [frame(TEXT, b"x", fin=False), frame(TEXT)]),
    "close of one byte": (PROTOCOL_ERROR, [frame(CLOSE, b"\x03")]),
    "close with a code that there is not": (PROTOCOL_ERROR, [frame(CLOSE, b"\x03\xed")]),
    "close with bad text": (BAD_DATA, [frame(CLOSE, b"\x03\xe8\xff\xfe")]),
    "text that is no text": (BAD_DATA, [frame(TEXT, b"\xc3\x28")]),
    "half a character": (BAD_DATA, [frame(TEXT, b"\xe2\x82")]),
    "text that is no text, in pieces": (
        BAD_DATA,
        [frame(TEXT, b"\xe2", fin=False), frame(CONT, b"\x28")],
    ),
    "long message": (TOO_BIG, [frame(TEXT, b"x" * (MAX_MESSAGE + 1))]),
    "head of a huge message": (TOO_BIG, [frame(BINARY, size=2**62)]),
    "long message in pieces": (
        TOO_BIG,
        [frame(TEXT, b"x" * 600, fin=False), frame(CONT, b"x" * 600)],
    ),
    "size beyond 63 bits": (TOO_BIG, [b"\x81\xff" + b"\xff" * 8 + MASK]),
    "empty pieces without end": (
        TOO_BIG,
        [frame(TEXT, fin=False), frame(CONT, fin=False) * (MAX_FRAGMENTS + 10)],
    ),
    "flood of texts": (Close.TOO_MANY_MESSAGES, [frame(TEXT, b"{}") * 30]),
    "flood in one piece": (Close.TOO_MANY_MESSAGES, [frame(TEXT) * 20_000]),
    "flood of pings": (Close.TOO_MANY_MESSAGES, [frame(PING) * (MAX_CONTROLS_PER_SECOND + 5)]),
    "flood of pongs": (Close.TOO_MANY_MESSAGES, [frame(PONG) * (MAX_CONTROLS_PER_SECOND + 5)]),
    "polite": (1000, [frame(CLOSE, b"\x03\xe8")]),
    "close without a code": (1005, [frame(CLOSE)]),
}


@pytest.mark.parametrize("name", BREACHES)
async def test_a_breach_ends_in_its_code(address, name):
    code, sent = BREACHES[name]
    assert await after(address, *sent) == code


@pytest.mark.parametrize(
    "said",
    [
        b"", b"{", b"null", b"[]", b"{}", b"[" * 1_000, b'{"type":' * 120, b'{"type": 1e999}',
        b'"\\ud800"', b'{"type": "auth", "token": 5}', b"\x00", b"1" * 1_000,
    ],
)  # fmt: skip
async def test_what_is_said_badly_is_passed_over(address, said):
    peer = await Peer.connect(address)
    peer.writer.write(frame(TEXT, said) + frame(BINARY, said) + frame(TEXT, b'{"type":"ping"}'))
    opcode, answer = await asyncio.wait_for(peer.next(), 5)
    assert (opcode, answer[:14]) == (TEXT, b'{"type":"pong"')
    peer.writer.close()


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
async def test_a_ping_is_answered_in_whatever_frame(address, opcode):
    peer = await Peer.connect(address)
    peer.writer.write(frame(opcode, b'{"type":"ping"}'))
    opcode, answer = await asyncio.wait_for(peer.next(), 5)
    assert (opcode, answer[:14]) == (TEXT, b'{"type":"pong"')
    peer.writer.close()


@pytest.mark.parametrize("query", [b"board=", b"board=a%20b", b"season=", b"season=0", b"since=x"])
async def test_a_parameter_is_refused_as_over_http(address, query):
    host, _, port = address.partition(":")
    peer = Peer(*await asyncio.open_connection(host, int(port)))
    peer.writer.write(HANDSHAKE.replace(b"/leaderboard ", b"/leaderboard?%b " % query))
    await peer.reader.readuntil(b"\r\n\r\n")
    assert await peer.close_code() == Close.BAD_REQUEST


HANDSHAKES = {
    "no key": HANDSHAKE.replace(b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", b""),
    "short key": HANDSHAKE.replace(b"dGhlIHNhbXBsZSBub25jZQ==", b"dGhl"),
    "old version": HANDSHAKE.replace(b"Version: 13", b"Version: 8"),
    "by POST": HANDSHAKE.replace(b"GET", b"POST"),
    "no such path": HANDSHAKE.replace(b"/ws/leaderboard", b"/ws/nowhere"),
    "bytes": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 30,
    "half": HANDSHAKE[:70],
    "bad header": HANDSHAKE.replace(b"Host: 127", b"Ho st\x00: 127"),
}


@pytest.mark.parametrize("name", HANDSHAKES)
async def test_a_bad_handshake_gets_no_socket(address, name):
    host, _, port = address.partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(HANDSHAKES[name])
    async with asyncio.timeout(5):
        answer = await reader.read()
    writer.close()
    assert answer == b"" or answer.startswith(b"HTTP/1.1 4"), answer[:80]


async def test_frames_before_the_answer_to_the_handshake_harm_nothing(address):
    """No client may send them; they are passed over."""
    host, _, port = address.partition(":")
    peer = Peer(*await asyncio.open_connection(host, int(port)))
    peer.writer.write(HANDSHAKE + frame(TEXT, b"{}") * 3 + frame(PING, b"x"))
    await peer.reader.readuntil(b"\r\n\r\n")
    assert (await asyncio.wait_for(peer.next(), 5))[0] == TEXT
    peer.writer.write(frame(PING, b"y"))
    assert await asyncio.wait_for(peer.next(), 5) == (PONG, b"y")
    peer.writer.close()


def resident() -> int:
    """Bytes of this process, in which the service runs as well."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def noise(chosen: random.Random) -> list[bytes]:
    """Random bytes, alone or in well-formed heads, some of them cut off."""
    sent = []
    for _ in range(chosen.randint(1, 6)):
        payload = chosen.randbytes(chosen.choice((0, 1, 20, 125, 126, 2_000, 40_000)))
        if chosen.random() < 0.4:
            sent.append(payload)
            continue
        opcode = chosen.choice((CONT, TEXT, BINARY, CLOSE, PING, PONG, chosen.randint(0, 15)))
        sent.append(
            frame(
                opcode, payload, fin=chosen.random() < 0.7, rsv=chosen.choice((0, 0, 0, 1)),
                mask=chosen.random() < 0.9,
                size=chosen.choice((None, None, None, len(payload) + 5, 2**40)),
            )
        )  # fmt: skip
    return sent


async def round_of_noise(address: str, chosen: random.Random, count: int) -> list[int | None]:
    async def one() -> int | None:
        peer = await Peer.connect(address)
        for each in noise(chosen):
            peer.writer.write(each)
        if peer.writer.can_write_eof():
            peer.writer.write_eof()
        return await peer.close_code()

    codes: list[int | None] = []
    for _ in range(count // 20):
        codes += await asyncio.gather(*(one() for _ in range(20)))
    return codes


async def test_noise_leaves_no_memory_behind(address):
    """The first rounds warm up what is made once; the last ones may not add to it."""
    chosen = random.Random(11)
    codes = []
    for _ in range(3):
        codes += await round_of_noise(address, chosen, 200)
    gc.collect()
    before = resident()
    for _ in range(5):
        codes += await round_of_noise(address, chosen, 200)
    await after(address, *BREACHES["flood in one piece"][1])
    gc.collect()
    assert resident() - before < 8_000_000
    known = {PROTOCOL_ERROR, BAD_DATA, TOO_BIG, Close.TOO_MANY_MESSAGES, 1000, 1005, None}
    assert set(codes) <= known | set(range(3_000, 5_000)), set(codes) - known
    assert {PROTOCOL_ERROR, TOO_BIG} <= set(codes)
    # And it serves as before.
    peer = await Peer.connect(address)
    peer.writer.write(frame(TEXT, b'{"type":"ping"}'))
    assert (await asyncio.wait_for(peer.next(), 5))[1].startswith(b'{"type":"pong"')
    peer.writer.close()


async def test_who_pings_and_never_reads_is_dropped(address):
    """Its pongs would wait in memory for ever."""
    peer = await Peer.connect(address)
    peer.writer.transport.pause_reading()
    before = resident()
    with pytest.raises((ConnectionError, TimeoutError)):
        async with asyncio.timeout(5):
            while True:
                peer.writer.write(frame(PING, b"x" * 125) * 50)
                await peer.writer.drain()
                await asyncio.sleep(0.001)
    assert resident() - before < 8_000_000
    peer.writer.close()
