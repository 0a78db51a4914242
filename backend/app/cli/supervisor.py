"""uvicorn, in this process for one worker, as a supervisor of processes for several."""

import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.multiprocess import Process

from app.cli.failures import CliError
from app.cli.listening import BACKLOG
from app.cli.stopping import Stopped
from app.core.config import Settings

log = structlog.get_logger(__name__)

DRAIN_SECONDS = 10
HANG_SECONDS = 10
"""For a worker to close what it has open, after its requests were answered."""


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
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )


def run(config: uvicorn.Config, listener: socket.socket) -> None:
    """Serves until a signal ends it. Raises CliError if the service could not start."""
    if config.workers > 1:
        supervisor = Supervisor(config, [listener])
        supervisor.run()
        if supervisor.failed:
            raise CliError("a worker could not start, its log lines above say why")
        return
    try:
        uvicorn.Server(config).run([listener])
    except Stopped:
        raise
    except SystemExit as error:
        raise CliError("the service could not start, its log lines above say why") from error


class Supervisor(Multiprocess):
    """uvicorn's own, quicker to notice what happened, and saying so."""

    def __init__(self, config: uvicorn.Config, sockets: list[socket.socket]) -> None:
        before = signal.getsignal(signal.SIGHUP)
        super().__init__(config, sockets)
        if before is signal.SIG_IGN:  # as under nohup
            signal.signal(signal.SIGHUP, before)
        self.failed = False

    def handle_hup(self) -> None:
        """The terminal was closed: uvicorn's own handler would restart the workers and stay."""
        self.handle_term()

    def init_processes(self) -> None:
        with _interrupts_held():
            super().init_processes()

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
            with _interrupts_held():
                self.processes[place] = Process(self.config, self.sockets)
                self.processes[place].start()
            log.warning(
                "worker replaced",
                ended=process.pid,
                exit_code=process.exitcode,
                started=self.processes[place].pid,
            )

    def join_all(self) -> None:
        """Waits for all to drain; whoever hangs is killed."""
        deadline = time.monotonic() + DRAIN_SECONDS + HANG_SECONDS
        for process in self.processes:
            process.process.join(max(0.0, deadline - time.monotonic()))
            if process.process.is_alive():
                log.warning("worker hangs, killed", pid=process.pid)
                process.kill()
                process.join()


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Processes started here never see Ctrl-C, which a terminal sends to all: the supervisor
    alone decides, and tells them by SIGTERM when to drain. (A new process inherits the mask.)
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
