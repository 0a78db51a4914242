"""The application as a worker process runs it: it never outlives its supervisor."""

import multiprocessing
import os
import signal
import sys
import threading
from multiprocessing.connection import wait

from starlette.types import ASGIApp

from app.core import apm

_PR_SET_PDEATHSIG = 1


def create_app() -> ASGIApp:
    """The application, tied to the parent process if there is one that supervises, and looked
    into by New Relic if there is a license key."""
    _die_with_parent()
    agent = apm.start()
    from app.main import create_app as create_plain_app

    app = create_plain_app(agent=agent)
    if agent is None:
        return app
    from app.api.traced import traced

    return traced(app, agent)


def _die_with_parent() -> None:
    """A `kill -9` of the supervisor would leave workers that hold the port and serve no data."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    if sys.platform == "linux":
        import ctypes

        # SIGKILL, as a worker that hangs ignores everything else. Every answered submission is
        # in the ledger; what was not answered, the client sends again.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent.pid:
            os._exit(1)
    else:
        threading.Thread(target=_watch, args=(parent.sentinel,), daemon=True).start()


def _watch(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
