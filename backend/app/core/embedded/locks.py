"""File locks that tell the living from the dead.

A pid file names a number that another process may have by now. A `flock` belongs to an open file:
the kernel drops it when the last process that inherited the descriptor ends, however it ends.
"""

import contextlib
import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self


class HeldLock:
    """A lock that was taken. Closing gives up this process's share of it.

    Never unlocked by LOCK_UN, which would also take it from the server that inherited it.
    """

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def write_owner(self, pid: int) -> None:
        """Name the process that a refused second instance should be told about."""
        os.ftruncate(self.fd, 0)
        os.pwrite(self.fd, f"{pid}\n".encode(), 0)

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class FileLock:
    """A lock at a path; the file stays there, for to remove it would make two locks of one."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def try_acquire(self) -> HeldLock | None:
        """The lock, or None if a living process has it."""
        with contextlib.ExitStack() as stack:
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            stack.callback(os.close, fd)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return None
            stack.pop_all()
            return HeldLock(fd)

    def owner(self) -> str:
        """Who holds it, in words, as far as it is known."""
        return f"process {pid}" if (pid := self._pid()) else "another process"

    def _pid(self) -> int | None:
        with contextlib.suppress(OSError, ValueError):
            return int(self.path.read_text())
        return None
