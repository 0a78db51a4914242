"""Saying that the service is ready once it really answers, and not before."""

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

HEALTH = "/api/leaderboard/health"
ASK_EVERY = 0.1


@contextmanager
def announced(url: str, announce: Callable[[], None]) -> Iterator[None]:
    """Calls `announce`, from a thread, when the service at `url` is well for the first time."""
    over = threading.Event()

    def wait() -> None:
        while not over.wait(ASK_EVERY):
            if _is_well(url):
                announce()
                return

    thread = threading.Thread(target=wait, name="readiness", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(5)


def _is_well(url: str) -> bool:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=2)
    try:
        connection.request("GET", HEALTH)
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
