"""What the tests of the command line share: real processes on real servers."""

import contextlib
import http.client
import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

BACKEND = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "app.cli"]
HEALTH = "/api/leaderboard/health"


def environment(**changes):
    """Ours, without what would lead the command to other servers."""
    own = {name: value for name, value in os.environ.items() if not name.endswith("_URL")}
    return {**own, "PYTHONPATH": str(BACKEND), "LOG_LEVEL": "warning", **changes}


def run(*arguments, cwd=None, timeout=60, **changes):
    """A command until it ends."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        cwd=cwd or "/",
        env=environment(**changes),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def living(pid):
    """Whether a process with that id runs; a zombie that nobody has reaped yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def children(pid):
    """All that descend from a process, itself not included."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError):
            for child in (task / "children").read_text().split():
                found += [int(child), *children(int(child))]
    return found


def workers(pid):
    """The worker processes of a supervisor."""
    return [child for child in children(pid) if "spawn_main" in command_line(child)]


def ours(pid):
    """Workers and servers: all that must be gone when the command is. Python's own tracker of
    processes ends a moment after its parent."""
    return [child for child in children(pid) if "resource_tracker" not in command_line(child)]


def command_line(pid):
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    return ""


def eventually(condition, timeout=15.0):
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, http.client.HTTPException):
            if condition():
                return True
        time.sleep(0.05)
    return False


class Service:
    """`leaderboard serve` on a data folder, on a free port."""

    def __init__(self, data, *arguments, wait=True, **changes):
        self.data = data
        self.errors = (data.parent / f"{data.name}.stderr").open("w+")
        self.process = subprocess.Popen(
            [*COMMAND, "serve", "--port", "0", "--data", str(data), *arguments],
            cwd="/",
            env=environment(**changes),
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            start_new_session=True,
        )
        if wait:
            self.url = self.wait_ready()

    @property
    def pid(self):
        return self.process.pid

    def wait_ready(self, timeout=60):
        """The address out of the line that says so."""
        assert select.select([self.process.stdout], [], [], timeout)[0], self.said()
        line = self.process.stdout.readline()
        assert line.startswith("Leaderboard is ready at http://127.0.0.1:"), self.said()
        return line.split()[-1]

    def said(self):
        self.errors.seek(0)
        return self.errors.read()

    def get(self, path):
        connection = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=10)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def is_well(self):
        return self.get(HEALTH)[0] == 200

    def end(self, number=signal.SIGTERM):
        """Send a signal; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout=40)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        started = children(self.pid) if self.process.poll() is None else []
        if self.process.poll() is None:
            self.end(signal.SIGKILL)
        self.process.stdout.close()
        self.errors.close()
        assert eventually(lambda: not any(map(living, started)))
