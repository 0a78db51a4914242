"""No cache holds more than its bytes, whatever callers ask for."""

import random
import string
import tracemalloc
from typing import NamedTuple

from app.core.addresses import subject_of
from app.schemas.parameters import query_parameters
from app.services.access.loopback import is_loopback_name
from app.services.kept_pages import OVERHEAD, Kept, KeptPages


class Page(NamedTuple):
    body: bytes


def kept(size: int, revision: int = 1) -> Kept[Page]:
    return Kept((1, 1, "e"), Page(b"x" * size), revision, b"y" * size)


def test_pages_are_bounded_in_bytes_and_the_oldest_goes():
    pages: KeptPages[Page] = KeptPages(10 * (2_000 + OVERHEAD))
    for offset in range(1_000):
        pages.put((1_000, offset), kept(1_000))
        assert pages.bytes <= 10 * (2_000 + OVERHEAD)
    assert [pages.get((1_000, at)) is not None for at in (0, 989, 990, 999)] == [
        False, False, True, True,
    ]  # fmt: skip
    pages.get((1_000, 990))
    pages.put((1, 0), kept(1_000))
    assert pages.get((1_000, 990)) is not None
    assert pages.get((1_000, 991)) is None


def test_a_page_that_changes_counts_once_and_one_that_is_too_large_not_at_all():
    pages: KeptPages[Page] = KeptPages(10_000)
    for revision in range(100):
        pages.put((1, 1), kept(1_000, revision))
    assert pages.bytes == 2_000 + OVERHEAD
    assert pages.get((1, 1)).revision == 99
    pages.put((2, 2), kept(6_000))
    assert pages.bytes <= 10_000
    assert pages.get((2, 2)) is None


def test_what_callers_send_fills_no_cache():
    """Thousands of different queries, hosts and addresses, as long as a head may be."""
    chosen = random.Random(5)

    def noise(size: int) -> str:
        return "".join(chosen.choices(string.ascii_letters, k=50)) + "a" * (size - 50)

    def send(size: int, count: int) -> None:
        for _ in range(count):
            text = noise(size)
            query_parameters(f"x={text}&limit=5".encode())
            is_loopback_name(text.encode())
            is_loopback_name(b"localhost:" + text.encode())
            subject_of(text)
            subject_of(f"fe80::1%{text}")

    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        send(60_000, 60)
        send(1_900, 1_000)
        send(60, 6_000)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 5_000_000


def test_this_machine_by_all_its_names():
    for name in ("localhost", "127.0.0.1", "127.9.9.9", "[::1]", "[::ffff:127.0.0.1]", "LOCALHOST"):
        for port in ("", ":80", ":8000"):
            assert is_loopback_name(f"{name}{port}".encode()), name
    for name in ("", "localhost.evil.example", "[::2]", "127.0.0.1.evil.example", "10.0.0.1"):
        assert not is_loopback_name(name.encode())


def test_short_queries_are_kept():
    assert query_parameters(b"limit=10&offset=20") is query_parameters(b"limit=10&offset=20")
    assert query_parameters(b"limit=10&offset=20") == {"limit": "10", "offset": "20"}
