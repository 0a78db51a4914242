"""The service (or a twin) as a subprocess, run by uvicorn as in production."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BACKEND = Path(__file__).parents[1]
HEALTH = "/api/leaderboard/health"
START_SECONDS = 300.0
STOP_SECONDS = 15.0


class BenchmarkError(Exception):
    """The run can't go on; the message says why."""


@dataclass(frozen=True, slots=True)
class Service:
    """A running service. `ready_after`: seconds from its first answer until all parts were ok."""

    port: int
    workers: int
    ready_after: float
    path: str = HEALTH
    pid: int = 0
    """Of the process whose children the workers are."""


def get(port: int, path: str, method: str = "GET", body: str | None = None) -> tuple[int, bytes]:
    """One request, for control and not for measuring. Raises OSError."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def post_json(port: int, path: str, key: str, body: object) -> Any:  # noqa: ANN401
    """The answer to a request with a key. Raises BenchmarkError."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
        connection.request("POST", path, json.dumps(body), headers)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise BenchmarkError(f"{path}: {answer.status} {text.decode()}")
        return json.loads(text)
    finally:
        connection.close()


@contextmanager
def serve(
    app: str,
    *arguments: str,
    folder: Path,
    env: Mapping[str, str],
    workers: int = 1,
    health: str = HEALTH,
) -> Iterator[Service]:
    """Runs an app and waits until it is well. Its output goes to a file in `folder`."""
    port = _free_port()
    command = [sys.executable, "-m", "uvicorn", app, "--host", "127.0.0.1"]
    command += ["--port", str(port), "--workers", str(workers), "--backlog", "4096"]
    # A twin is bare; the service has its own protocols, as the supervisor gives them to it.
    http = "app.api.http_protocol:PatientProtocol" if health == HEALTH else "httptools"
    command += ["--loop", "uvloop", "--http", http, "--no-proxy-headers"]
    command += ["--ws", "app.websocket.transport:FramesProtocol"]
    command += ["--no-access-log", "--log-level", "warning", *arguments]
    log = folder / f"{app.partition(':')[0]}-{port}.log"
    # A folder without a `.env`, so that no developer's settings get into the figures.
    environment = {**os.environ, "LOG_LEVEL": "warning", **env, "PYTHONPATH": str(BACKEND)}
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
    try:
        ready_after = _wait_ready(process, port, health, log)
        yield Service(port, workers, ready_after, health, process.pid)
    finally:
        _stop(process)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_ready(process: "subprocess.Popen[bytes]", port: int, path: str, log: Path) -> float:
    """Several good answers in a row, as each may come from another worker."""
    deadline = time.monotonic() + START_SECONDS
    first = None
    good = 0
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise BenchmarkError(f"the service ended at its start: {log.read_text()[-2_000:]}")
        try:
            status, body = get(port, path)
        except OSError:
            time.sleep(0.05)
            continue
        first = first or time.monotonic()
        well = status == 200 and (path != HEALTH or json.loads(body)["status"] == "ok")
        good = good + 1 if well else 0
        if good == 10:
            return time.monotonic() - first
        if not well:
            time.sleep(0.05)
    raise BenchmarkError(f"the service was not well after {START_SECONDS:.0f} seconds")


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """Uvicorn stops its workers; whoever is left after a while is killed with the group."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
