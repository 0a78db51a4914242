"""How a server's process is started, and what its log says when it could not."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO

_SHIM = Path(__file__).with_name("shim.py")
_MAX_LOG_BYTES = 8 * 1024 * 1024
_TAIL_BYTES = 4096
_TAIL_LINES = 6


def spawn(
    command: Sequence[str | Path],
    *,
    log: Path,
    lock_fd: int,
    death_signal: signal.Signals,
    cwd: Path,
    as_ordinary_user: bool = False,
    stdin: IO[bytes] | None = None,
) -> subprocess.Popen[bytes]:
    """Start `command` so that it ends with this process and holds the lock for as long as it lives.

    The kernel sends `death_signal` when the *thread* that called this ends, so only a thread that
    lives as long as the process may call it (Keeper). Raises OSError.
    """
    hide_root = as_ordinary_user and os.geteuid() == 0
    shim = [sys.executable, "-I", "-S", "-B", str(_SHIM)]
    arguments = [str(os.getpid()), str(int(death_signal)), str(int(hide_root))]
    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603 - our own binaries and our own arguments
            [*shim, *arguments, *map(str, command)],
            stdin=stdin or subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=_environment(),
            pass_fds=(lock_fd,),
            # Ctrl-C reaches the app first, which then stops the servers in order.
            start_new_session=True,
        )


def _environment() -> dict[str, str]:
    """Ours without what would steer the servers from outside, such as PGDATA or LC_ALL."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_"))}
    return kept | {"LC_ALL": "C", "TZ": "UTC"}


def log_size(log: Path) -> int:
    """Bytes in the log now: a mark, after which a new attempt's lines stand."""
    return log.stat().st_size if log.exists() else 0


def log_tail(log: Path, since: int = 0) -> str:
    """The last lines after `since`, as one line to put into a message. Never raises OSError."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(since if since <= size else 0, size - _TAIL_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
        said = [line.strip() for line in lines if line.strip()]
        # PostgreSQL's reason stands before the routine lines of its shutdown.
        reasons = [line for line in said if " LOG: " not in line] or said
        return f"{' | '.join(reasons[-_TAIL_LINES:]) or _silence(log)} (log: {log})"
    except OSError as error:
        return f"its log {log} cannot be read: {error.strerror}"


def _silence(log: Path) -> str:
    disk = os.statvfs(log)
    return "it said nothing" if disk.f_bavail else "the disk is full"


def bound_log(log: Path, limit: int = _MAX_LOG_BYTES) -> None:
    """Once it is over `limit`, keep one old log and empty the current one in place.

    In place, because the server has it open for appending and can't be asked to open another.
    """
    if log_size(log) > limit:
        log.with_suffix(".log.old").write_bytes(log.read_bytes())
        os.truncate(log, 0)
