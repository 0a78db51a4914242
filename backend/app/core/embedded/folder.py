"""The layout of a data folder, and what must hold before servers may use it."""

import os
import stat
from pathlib import Path

from app.core.embedded.errors import EmbeddedError

# sun_path has 108 bytes on Linux with the final zero, 104 on macOS.
MAX_SOCKET_PATH = 107 if os.uname().sysname == "Linux" else 103
POSTGRES_PORT = 5432  # only a part of the socket's name: nothing listens on TCP


class DataFolder:
    """Paths inside one data folder. The locks lie outside `run`, which a user may well empty."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.run = self.root / "run"
        self.logs = self.root / "log"
        self.postgres = self.root / "postgres"
        self.valkey = self.root / "valkey"
        self.postgres_socket = self.run / f".s.PGSQL.{POSTGRES_PORT}"
        self.valkey_socket = self.run / "valkey.sock"

    def lock_path(self, name: str) -> Path:
        return self.root / f"{name}.lock"

    def log_path(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def prepare(self) -> None:
        """Create what is missing, private to the user. Raises EmbeddedError, OSError."""
        self._check_name()
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (self.run, self.logs, self.valkey):
            _private(folder)

    def _check_name(self) -> None:
        longest = max(len(os.fsencode(path)) for path in (self.postgres_socket, self.valkey_socket))
        if longest > MAX_SOCKET_PATH:
            raise EmbeddedError(
                f"the data folder's name is {longest - MAX_SOCKET_PATH} bytes too long for a Unix "
                f"socket in it ({self.root}): choose a shorter --data"
            )
        if "," in str(self.root):
            # Drivers read a comma in `host` as the start of the next host.
            raise EmbeddedError(
                f"the data folder's name has a comma ({self.root}): choose another --data"
            )


def _private(folder: Path) -> None:
    """Make or narrow one of our own folders to mode 0700: the sockets ask for no password."""
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise EmbeddedError(f"{folder} is not a folder: move it away or choose another --data")
    if found.st_uid != os.geteuid():
        raise EmbeddedError(f"{folder} belongs to user {found.st_uid}: choose another --data")
    if stat.S_IMODE(found.st_mode) != 0o700:  # noqa: PLR2004
        folder.chmod(0o700)
