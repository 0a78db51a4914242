"""Being told to stop: an orderly way out of whatever is under way, once."""

import asyncio
import contextlib
import signal
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(SystemExit):
    """Raised where the signal met the main thread. A SystemExit, because event loops let that
    through from wherever it is raised.
    """


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """The block ends quietly at the first signal; further ones can't disturb its clean-up."""
    told = False

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        nonlocal told
        if not told:
            told = True
            raise Stopped

    before = {number: signal.getsignal(number) for number in SIGNALS}
    for number in SIGNALS:
        if before[number] is not signal.SIG_IGN:  # as under nohup
            signal.signal(number, on_signal)
    try:
        yield
    except Stopped:
        pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run_until_stopped(main: Coroutine[object, object, None]) -> None:
    """Runs it on an event loop of its own; a signal cancels it, which is no error."""

    async def run() -> None:
        task = asyncio.ensure_future(main)
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, task.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(run())
