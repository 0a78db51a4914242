"""The first start: a database cluster that exists whole or not at all."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from app.core.embedded.binaries import postgres_binary
from app.core.embedded.errors import EmbeddedError
from app.core.embedded.process import log_size, log_tail

USER = "leaderboard"
DATABASE = "leaderboard"

_STEP_SECONDS = 120.0

Command = Sequence[str | Path]
Spawn = Callable[[Command, IO[bytes] | None], "subprocess.Popen[bytes]"]


class Cluster:
    """PostgreSQL's data in `path`; made under another name and renamed when it is complete."""

    def __init__(self, path: Path, log: Path, *, sync: bool = True) -> None:
        self.path = path
        self._unfinished = path.with_name(path.name + ".unfinished")
        self._log = log
        self._sync = sync

    def exists(self) -> bool:
        return self.path.exists()

    def remove_unfinished(self) -> None:
        """Delete what a killed first start left."""
        if self._unfinished.exists():
            shutil.rmtree(self._unfinished)

    def create(self, spawn: Spawn) -> None:
        """Initialise a cluster with its database. Raises EmbeddedError, OSError."""
        try:
            self._run(spawn, self._initdb())
            with tempfile.TemporaryFile() as statements:
                statements.write(f"CREATE DATABASE {DATABASE};\n".encode())
                statements.seek(0)
                self._run(spawn, self._single_user(), statements)
            if self._sync:
                _fsync_folder(self._unfinished)
            self._unfinished.rename(self.path)
            if self._sync:
                _fsync_folder(self.path.parent)
        finally:
            # After a failure, such as a full disk, give the space back at once.
            shutil.rmtree(self._unfinished, ignore_errors=True)

    def _initdb(self) -> Command:
        return [
            postgres_binary("initdb"),
            *("-D", self._unfinished),
            *("--username", USER),
            # The builtin provider sorts alike on every machine: no index breaks with a new libc.
            *("--encoding=UTF8", "--locale=C", "--locale-provider=builtin"),
            "--builtin-locale=C.UTF-8",
            # No password: the socket lies in a folder of mode 0700, and nothing listens on TCP.
            *("--auth-local=trust", "--auth-host=reject"),
            "--no-instructions",
            *([] if self._sync else ["--no-sync"]),
        ]

    def _single_user(self) -> Command:
        return [
            postgres_binary("postgres"),
            "--single",
            *([] if self._sync else ["-F"]),
            *("-c", "exit_on_error=on"),
            *("-D", self._unfinished),
            "postgres",
        ]

    def _run(self, spawn: Spawn, command: Command, stdin: IO[bytes] | None = None) -> None:
        mark = log_size(self._log)
        process = spawn(command, stdin)
        try:
            code = process.wait(_STEP_SECONDS)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        if code != 0:
            problem = "took too long" if code is None else f"failed with code {code}"
            said = log_tail(self._log, mark)
            raise EmbeddedError(f"the first start of PostgreSQL {problem}: {said}")


def _fsync_folder(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
