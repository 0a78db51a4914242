"""uvicorn, in this process for one worker, as a supervisor of processes for several."""

import asyncio
import re
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from pathlib import Path

import structlog
import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from app.cli.draining import DrainingServer, Worker
from app.cli.failures import CliError
from app.cli.listening import BACKLOG, let_nobody_in
from app.cli.stopping import Stopped
from app.core.config import Settings

log = structlog.get_logger(__name__)

FINISH_SECONDS = 10
"""For requests to be answered, after the listener was closed."""
HANG_SECONDS = 10
"""For a worker to close what it has open, after its requests were answered."""
OOM_EVENTS = (
    Path("/sys/fs/cgroup/memory.events"),
    Path("/sys/fs/cgroup/memory/memory.oom_control"),
)
LATE_SECONDS = 5
"""For a worker to say that it has drained, after it should have."""


def configure(settings: Settings, workers: int) -> uvicorn.Config:
    """Uvicorn as the service wants it: fast parts, no logs of its own, bounded frames."""
    return uvicorn.Config(
        "app.cli.worker:create_app",
        factory=True,
        workers=workers,
        loop="uvloop",
        http="app.api.http_protocol:PatientProtocol",
        timeout_keep_alive=max(1, round(settings.http_keep_alive)),
        # Who is believed is said by `trusted_proxies`; uvicorn itself would believe loopback.
        proxy_headers=False,
        forwarded_allow_ips=[],
        ws="app.websocket.transport:FramesProtocol",
        ws_max_size=settings.live_max_message_bytes,
        ws_per_message_deflate=False,
        backlog=BACKLOG,
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=FINISH_SECONDS,
    )


def run(config: uvicorn.Config, listener: socket.socket, drain_seconds: float) -> None:
    """Serves until a signal ends it, and drains first. Raises CliError if the service could not
    start."""
    if config.workers > 1:
        supervisor = Supervisor(config, [listener], drain_seconds)
        supervisor.run()
        if supervisor.failed:
            raise CliError("a worker could not start, its log lines above say why")
        return
    server = DrainingServer(config, lambda: asyncio.to_thread(let_nobody_in, listener))
    try:
        server.run([listener])
    except Stopped:
        raise
    except SystemExit as error:
        raise CliError("the service could not start, its log lines above say why") from error


def why_ended(exit_code: int | None) -> str:
    """Why a worker ended, in words: a process that the kernel kills says nothing itself."""
    if exit_code is None or exit_code >= 0:
        return f"it ended with exit code {exit_code}"
    name = signal.Signals(-exit_code).name
    if exit_code == -signal.SIGKILL and _killed_for_memory():
        return f"killed ({name}): out of memory, give the container more"
    return f"killed by {name}"


def _killed_for_memory() -> int:
    """How often the kernel has killed for want of memory in this control group, such as a
    container's; 0 if it doesn't say."""
    for events in OOM_EVENTS:
        with suppress(OSError):
            found = re.search(r"^oom_kill (\d+)$", events.read_text(), re.MULTILINE)
            return int(found[1]) if found else 0
    return 0


class Supervisor(Multiprocess):
    """uvicorn's own, quicker to notice what happened, and saying so; it has its workers drain
    before they stop."""

    processes: list[Worker]  # type: ignore[assignment]

    def __init__(
        self, config: uvicorn.Config, sockets: list[socket.socket], drain_seconds: float
    ) -> None:
        before = signal.getsignal(signal.SIGHUP)
        super().__init__(config, sockets)
        if before is signal.SIG_IGN:  # as under nohup
            signal.signal(signal.SIGHUP, before)
        self.failed = False
        self._drain_seconds = drain_seconds

    def handle_hup(self) -> None:
        """The terminal was closed: uvicorn's own handler would restart the workers and stay."""
        self.handle_term()

    def handle_ttin(self) -> None:
        """How many workers there are was said at the start; uvicorn's would not drain."""

    handle_ttou = handle_ttin

    def init_processes(self) -> None:
        self.processes = [self._start_worker() for _ in range(self.processes_num)]

    def _start_worker(self) -> Worker:
        worker = Worker(self.config, self.sockets)
        with _interrupts_held():
            worker.start()
        return worker

    def keep_subprocess_alive(self) -> None:
        """Replaces workers that ended. uvicorn's own also pings each and waits for the answer:
        for a worker that is killed meanwhile, or is still starting, that is all of the timeout,
        in which no signal is heard.
        """
        for place, process in enumerate(self.processes):
            if self.should_exit.is_set() or process.process.is_alive():
                continue
            process.join()
            if process.exitcode == STARTUP_FAILURE:
                self.failed = True
                self.should_exit.set()
                return
            self.processes[place] = self._start_worker()
            log.warning(
                "worker replaced",
                ended=process.pid,
                why=why_ended(process.exitcode),
                started=self.processes[place].pid,
            )

    def terminate_all(self) -> None:
        """Tells all to stop, after all have drained: they share one listener, and a connection
        that waits there may be taken by any of them."""
        self._drain()
        for listener in self.sockets:
            let_nobody_in(listener)
            listener.close()
        super().terminate_all()

    def _drain(self) -> None:
        """Waits for all that live, but not longer than that can take, nor after another signal."""
        self.signal_queue.clear()
        for process in self.processes:
            process.begin_drain()
        deadline = time.monotonic() + self._drain_seconds + LATE_SECONDS
        while not all(process.is_drained for process in self.processes):
            if time.monotonic() > deadline:
                log.warning("a worker does not say that it has drained")
                return
            if self.signal_queue:
                return
            time.sleep(0.02)

    def join_all(self) -> None:
        """Waits for all to finish; whoever hangs is killed."""
        deadline = time.monotonic() + FINISH_SECONDS + HANG_SECONDS
        for process in self.processes:
            process.process.join(max(0.0, deadline - time.monotonic()))
            if process.process.is_alive():
                log.warning("worker hangs, killed", pid=process.pid)
                process.kill()
                process.join()


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Processes started here never see Ctrl-C or the end of a terminal, which tells all of them:
    the supervisor alone decides, and tells them by SIGTERM. (A new process inherits the mask.)
    """
    # Which starts with the first process otherwise, and then lets the signals through again.
    resource_tracker.ensure_running()
    told_to_all = [signal.SIGINT, signal.SIGHUP]
    signal.pthread_sigmask(signal.SIG_BLOCK, told_to_all)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, told_to_all)
