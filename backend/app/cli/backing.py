"""Which PostgreSQL and Valkey a command uses: given ones, those of a running service, its own."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import SecretStr

from app.cli.failures import CliError, load_settings
from app.core.config import Settings
from app.core.embedded.folder import DataFolder
from app.core.embedded.locks import FileLock
from app.core.embedded.servers import EmbeddedServers
from app.services.service import OTHER_CONNECTIONS

MIN_FREE_BYTES = 100 * 1024 * 1024
"""A new PostgreSQL with its first log segments takes some 60 MB."""

SECRET_FILE = "auth_secret"  # noqa: S105 - a name

SPARE_CONNECTIONS = 30
"""Beside the workers' pools: other commands, the superuser's reserve."""


def uses_own_servers(settings: Settings) -> bool:
    """Whether the embedded servers are needed. Raises CliError if only one URL is set."""
    given = {
        name.upper(): name in settings.model_fields_set and bool(getattr(settings, name))
        for name in ("database_url", "redis_url")
    }
    if all(given.values()):
        return False
    if any(given.values()):
        have, lack = sorted(given, key=lambda name: not given[name])
        raise CliError(
            f"{have} is set and {lack} is not: set both, or neither for the embedded servers"
        )
    return True


@contextmanager
def started(data: Path, settings: Settings, *, workers: int) -> Iterator[None]:
    """The embedded servers, for as long as the block lasts; all processes find their URLs in the
    environment. Raises EmbeddedError, CliError.
    """
    _check_room(data)
    connections = workers * (settings.database_pool_size + OTHER_CONNECTIONS) + SPARE_CONNECTIONS
    with EmbeddedServers(
        data, postgres_settings={"max_connections": str(max(100, connections))}
    ) as servers:
        _announce(servers)
        yield


@contextmanager
def reached(data: Path) -> Iterator[Settings]:
    """Settings whose servers answer, for a command beside a service or without one.

    Raises CliError, EmbeddedError.
    """
    settings = load_settings()
    if not uses_own_servers(settings):
        yield settings
    elif _is_served(data):
        _announce(EmbeddedServers(data))  # never started here: it only knows the sockets' names
        yield _with_own_secret(load_settings(), data)
    elif not DataFolder(data).postgres.is_dir():
        raise CliError(f"there is no data in {data}: choose another --data, or serve first")
    else:
        with started(data, settings, workers=1):
            yield _with_own_secret(load_settings(), data)


def _with_own_secret(settings: Settings, data: Path) -> Settings:
    """With the folder's secret, which seals the audit log, unless another one is set."""
    path = data / SECRET_FILE
    if settings.auth_secret or not path.is_file():
        return settings
    return settings.model_copy(update={"auth_secret": SecretStr(path.read_text().strip())})


def _is_served(data: Path) -> bool:
    """Whether a living process has its servers on this folder."""
    lock = FileLock(DataFolder(data).lock_path("owner"))
    if not lock.path.exists():
        return False
    held = lock.try_acquire()
    if held is None:
        return True
    held.close()
    return False


def _announce(servers: EmbeddedServers) -> None:
    os.environ["DATABASE_URL"] = servers.database_url
    os.environ["REDIS_URL"] = servers.redis_url


def _check_room(data: Path) -> None:
    """A full disk is said before a new PostgreSQL is begun that it has no room for."""
    if DataFolder(data).postgres.is_dir():
        return
    place = data.absolute()
    while not place.exists():
        place = place.parent
    disk = os.statvfs(place)
    free = disk.f_bavail * disk.f_frsize
    if free < MIN_FREE_BYTES:
        raise CliError(
            f"the disk is full: {free >> 20} MB free at {data}, "
            f"at least {MIN_FREE_BYTES >> 20} MB are needed"
        )
