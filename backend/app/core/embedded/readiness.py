"""Waiting for a server that was just started, for as long as it makes sense to."""

import time
from collections.abc import Callable

# To replay a long log after a crash takes its time, and to give up would be to begin anew.
RECOVERY_SECONDS = 600.0
_LONGEST_PAUSE = 0.25


class NotReadyError(Exception):
    """The server won't become ready; the message says why."""


def wait_until_ready(
    probe: Callable[[], str | None], ended: Callable[[], str | None], timeout: float
) -> None:
    """Wait until `probe` returns None. Raises NotReadyError.

    `probe` returns what the server is busy with, or raises OSError while it doesn't answer at all;
    only the latter is bounded by `timeout`, in seconds. `ended` says how the process ended, if so.
    """
    started, pause = time.monotonic(), 0.005
    while (end := ended()) is None:
        try:
            answer = probe()
            limit = RECOVERY_SECONDS
        except OSError as error:
            answer = error.strerror or str(error)
            limit = timeout
        if answer is None:
            return
        if time.monotonic() - started > limit:
            raise NotReadyError(f"was not ready after {limit:g} seconds ({answer})")
        time.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE)
    raise NotReadyError(end)
