"""What the tests of the embedded servers share."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import redis

from app.core.embedded.binaries import postgres_binary

BACKEND = Path(__file__).parents[2]
PARENT = Path(__file__).with_name("embedded_parent.py")

# Durability against power failures costs seconds here and isn't what most tests are about.
FAST = {"fsync": "off", "full_page_writes": "off", "shared_buffers": "16MB"}


def sql(servers, statement):
    """One value, through psql: a client that shares nothing with ours."""
    command = [postgres_binary("psql"), "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1"]
    done = subprocess.run(
        [*command, "-d", servers.postgres_dsn, "-c", statement],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@contextlib.contextmanager
def valkey(servers):
    with contextlib.closing(redis.Redis.from_url(servers.redis_url)) as client:
        yield client


def living(pid):
    """Whether a process with that id runs; a zombie that nobody has reaped yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def eventually(condition, timeout=10.0):
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, redis.RedisError, AssertionError):
            if condition():
                return True
        time.sleep(0.02)
    return False


class Parent:
    """A process that runs embedded_parent.py."""

    def __init__(self, data, *, prefix=(), settings=FAST, python=sys.executable, **options):
        arguments = [f"{name}={value}" for name, value in settings.items()]
        environment = {**os.environ, "PYTHONPATH": str(BACKEND), **options.pop("env", {})}
        self.process = subprocess.Popen(
            [*prefix, python, PARENT, data, *arguments],
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            **options,
        )
        self.said = {}

    @property
    def pids(self):
        return self.said["postgres"], self.said["valkey"]

    def wait_said(self):
        """What it says once its servers answer, or after they failed to."""
        line = self.process.stdout.readline()
        self.said = json.loads(line) if line else {}
        return self.said

    def end(self, number=signal.SIGTERM):
        """Send a signal; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout=30)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdout.close()
        if self.process.poll() is None:
            self.end(signal.SIGKILL)
        assert eventually(lambda: not any(living(pid) for pid in self.said.values() if pid))


@contextlib.contextmanager
def sleeper():
    """A living process of this user that has nothing to do with any server."""
    with subprocess.Popen(["sleep", "600"]) as process:
        try:
            yield process.pid
        finally:
            process.kill()
