"""Requests that are meant to stop the service, each as the pieces in which it is sent."""

import random
import string
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from benchmarks.websocket import handshake

BASE = "/api/leaderboard"
MEGABYTE = 1_000_000
LARGEST_BODY = 300 * MEGABYTE


def _head(method: str, path: str, *headers: str) -> bytes:
    lines = (f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *headers)
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def _newline(_: str) -> Iterator[bytes]:
    yield _head("POST", f"{BASE}/submit%0A", "Transfer-Encoding: chunked")
    chunk = b"%x\r\n%b\r\n" % (65_536, b"x" * 65_536)
    for _sent in range(LARGEST_BODY // 65_536):
        yield chunk


def _fields(_: str) -> Iterator[bytes]:
    body = ("{" + ",".join(f'"f{at}":1' for at in range(90_000)) + "}").encode()
    yield _head(
        "POST", f"{BASE}/ranks", "Content-Type: application/json", f"Content-Length: {len(body)}"
    )
    yield body


def _small_fields(_: str) -> Iterator[bytes]:
    """As many bad fields as the bound of the body takes."""
    body = ('{"user_ids":[' + ",".join(['""'] * 6_600) + "]}").encode()
    yield _head(
        "POST", f"{BASE}/ranks", "Content-Type: application/json", f"Content-Length: {len(body)}"
    )
    yield body


def _handshakes(_: str) -> Iterator[bytes]:
    header = random.choice(
        ("Content-Length: 9", "Transfer-Encoding: chunked", "X-Long: " + "a" * 9_000)
    )
    yield handshake("/ws/leaderboard", header)


def _queries(_: str) -> Iterator[bytes]:
    noise = "".join(random.choices(string.ascii_letters, k=100))
    yield _head("GET", f"{BASE}/top?limit=10&x={noise * 600}")


def _pages(_: str) -> Iterator[bytes]:
    yield _head("GET", f"{BASE}/top?limit=1000&offset={random.randrange(200)}")


def _document(_: str) -> Iterator[bytes]:
    yield _head("GET", "/openapi.json")


def _health(_: str) -> Iterator[bytes]:
    yield _head("GET", f"{BASE}/health")


def _history(token: str) -> Iterator[bytes]:
    yield _head("GET", "/api/users/1/history?points=500", f"Authorization: Bearer {token}")


def _path(_: str) -> Iterator[bytes]:
    yield _head("GET", "/" + "://:" * 15_000)


def _short_path(_: str) -> Iterator[bytes]:
    yield _head("GET", "/" + "://:" * 500)


def _unknown_path(_: str) -> Iterator[bytes]:
    yield _head("GET", "/api/nothing-is-here")


def _top(_: str) -> Iterator[bytes]:
    yield _head("GET", f"{BASE}/top?limit=10")


def _garbage(_: str) -> Iterator[bytes]:
    yield b"\x16\x03\x01 no HTTP at all\r\n\r\n"


def _pipeline(_: str) -> Iterator[bytes]:
    yield b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 5_000


@dataclass(frozen=True, slots=True)
class Flood:
    """`requests`: the pieces of the next request, by a player's token. `waits`: whether the
    attacker waits for the answer; else it hangs up at once and connects anew."""

    what: str
    requests: Callable[[str], Iterable[bytes]]
    waits: bool = True


FLOODS = {
    "newline": Flood("300 MB to submit%0A", _newline),
    "fields": Flood("90,000 unknown fields", _fields),
    "faults": Flood("20 kB of bad ids", _small_fields),
    "handshakes": Flood("handshakes that have a body", _handshakes),
    "queries": Flood("queries of 60 kB", _queries),
    "pages": Flood("large pages, each another one", _pages),
    "document": Flood("openapi.json", _document),
    "health": Flood("health", _health),
    "history": Flood("history, with a token", _history),
    "path": Flood("paths of 60 kB that are logged", _path),
    "short-path": Flood("paths of 2 kB that are logged", _short_path),
    "garbage": Flood("what is no HTTP", _garbage),
    "hang-ups-top": Flood("top, hanging up at once", _top, waits=False),
    "hang-ups-unknown": Flood("unknown paths, hanging up at once", _unknown_path, waits=False),
    "hang-ups-handshakes": Flood(
        "handshakes that have a body, hanging up at once", _handshakes, waits=False
    ),
    "pipeline": Flood("5,000 requests in one piece, hanging up at once", _pipeline, waits=False),
}
