"""What PostgreSQL and Valkey have in common: start, readiness, restart, stop."""

import abc
import logging
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, ClassVar

from app.core.backoff import Backoff
from app.core.embedded.errors import EmbeddedError
from app.core.embedded.folder import DataFolder
from app.core.embedded.keeper import Keeper
from app.core.embedded.locks import FileLock, HeldLock
from app.core.embedded.process import bound_log, log_size, log_tail, spawn
from app.core.embedded.readiness import NotReadyError, wait_until_ready

READY_SECONDS = 30.0  # for the first answer
# Time for the servers of a killed parent to finish; PostgreSQL may have a checkpoint to write.
LOCK_SECONDS = 15.0

logger = logging.getLogger(__name__)


class Server(abc.ABC):
    """One server process in a data folder."""

    name: ClassVar[str]
    title: ClassVar[str]
    death_signal: ClassVar[signal.Signals]
    # What to send and how many seconds to wait for it, in turn; SIGKILL follows.
    stop_steps: ClassVar[Sequence[tuple[signal.Signals, float]]]
    as_ordinary_user: ClassVar[bool] = False

    def __init__(self, folder: DataFolder, keeper: Keeper, *, supervised: bool) -> None:
        self.folder = folder
        self.log = folder.log_path(self.name)
        self.lock = FileLock(folder.lock_path(self.name))
        self._keeper = keeper
        self._supervised = supervised
        self._wanted = False
        self._backoff = Backoff()
        self._process: subprocess.Popen[bytes] | None = None
        self._log_mark = 0
        keeper.keep(self)

    @abc.abstractmethod
    def command(self) -> Sequence[str | Path]:
        """The program and its arguments."""

    @abc.abstractmethod
    def probe(self) -> str | None:
        """Ask the server: None if it is ready, else what it is busy with.

        Raises OSError if it doesn't answer, EmbeddedError if waiting won't help.
        """

    @abc.abstractmethod
    def remove_leftovers(self) -> None:
        """Delete what a killed server left; called while nothing of it can be alive."""

    def prepare(self, held: HeldLock) -> None:  # noqa: B027 - most servers make their own data
        """Create the data if there is none; called while nothing of the server is alive."""

    @property
    def pid(self) -> int | None:
        """The server's process id; None while it isn't running."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    @property
    def alive(self) -> bool:
        return self.pid is not None

    def start(self, timeout: float = READY_SECONDS) -> None:
        """Start it and wait until it answers. Raises EmbeddedError, OSError."""
        self.launch()
        self.wait_ready(timeout)

    def launch(self) -> None:
        """Start the process, if it isn't running, once nothing of an older one is alive."""
        self._wanted = False
        # Through the keeper, so that a restart in progress is seen.
        if self._keeper.call(lambda: self.alive):
            return
        with self._acquire() as held:
            self.prepare(held)
            self._keeper.call(lambda: self._spawn_server(held))

    def _acquire(self) -> HeldLock:
        deadline = time.monotonic() + LOCK_SECONDS
        while (held := self.lock.try_acquire()) is None:
            if time.monotonic() > deadline:
                raise EmbeddedError(
                    f"{self.title} of an earlier run still uses {self.folder.root} "
                    f"({self.lock.owner()}): stop it, or choose another --data"
                )
            time.sleep(0.02)
        return held

    def wait_ready(self, timeout: float = READY_SECONDS) -> None:
        """Wait until it answers; from then on it is restarted if it dies. Raises EmbeddedError."""
        try:
            wait_until_ready(self.probe, self._ended, timeout)
        except NotReadyError as error:
            said = log_tail(self.log, self._log_mark)
            raise EmbeddedError(f"{self.title} {error}: {said}") from error
        self._wanted = True

    def _ended(self) -> str | None:
        process = self._process
        if process is None:
            return "was not started"
        return None if (code := process.poll()) is None else f"ended with code {code}"

    def kill(self) -> None:
        """Kill it the hard way (for tests); under supervision it comes back by itself."""
        process = self._process
        if process is not None:
            process.kill()
            process.wait()

    def stop(self) -> None:
        """Stop it in order and wait; it stays stopped."""
        self.ask_to_stop()
        self.wait_stopped()

    def ask_to_stop(self) -> None:
        self._wanted = False
        # Through the keeper, so that a restart in progress is seen.
        process = self._keeper.call(lambda: self._process)
        if process is not None:
            process.send_signal(self.stop_steps[0][0])

    def wait_stopped(self) -> None:
        process = self._process
        if process is None:
            return
        for step, (step_signal, patience) in enumerate(self.stop_steps):
            if step > 0:
                process.send_signal(step_signal)
            try:
                process.wait(patience)
            except subprocess.TimeoutExpired:
                logger.warning("%s ignored %s", self.title, step_signal.name)
            else:
                return
        process.kill()
        process.wait()

    def supervise(self) -> None:
        """Restart it, after a pause, if it died though it is wanted. For the keeper's thread."""
        if not (self._supervised and self._wanted) or self.alive:
            return
        if not self._backoff.pending:
            pause = self._backoff.schedule()
            said = log_tail(self.log, self._log_mark)
            logger.warning("%s %s, restart in %.1f s: %s", self.title, self._ended(), pause, said)
        if self._backoff.due():
            try:
                self._restart()
            except (EmbeddedError, OSError) as error:
                logger.warning("%s cannot be restarted: %s", self.title, error)
                self._backoff.schedule()

    def bound_log(self) -> None:
        bound_log(self.log)

    def _restart(self) -> None:
        held = self.lock.try_acquire()
        if held is not None:  # else what the dead one started isn't gone yet: at the next tick
            with held:
                self._spawn_server(held)

    def _spawn_server(self, held: HeldLock) -> None:
        self.remove_leftovers()
        self._log_mark = log_size(self.log)
        self._process = self.spawn(self.command(), held, self.death_signal)
        held.write_owner(self._process.pid)
        self._backoff.started()

    def spawn(
        self,
        command: Sequence[str | Path],
        held: HeldLock,
        death_signal: signal.Signals,
        stdin: IO[bytes] | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start a process of this server. For the keeper's thread. Raises OSError."""
        return spawn(
            command,
            log=self.log,
            lock_fd=held.fd,
            death_signal=death_signal,
            cwd=self.folder.root,
            as_ordinary_user=self.as_ordinary_user,
            stdin=stdin,
        )
