"""An embedded PostgreSQL: reached over a Unix socket, durable, tuned for a small machine."""

import contextlib
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

from app.core.embedded.binaries import postgres_binary
from app.core.embedded.cluster import DATABASE, USER, Cluster
from app.core.embedded.folder import POSTGRES_PORT, DataFolder
from app.core.embedded.keeper import Keeper
from app.core.embedded.locks import HeldLock
from app.core.embedded.pg_probe import probe
from app.core.embedded.server import Server

_TUNING = {
    "shared_buffers": "256MB",
    "max_connections": "100",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "pglz",  # the wheel is built without lz4
    "random_page_cost": "1.1",  # an SSD's
    "autovacuum_naptime": "15s",  # rows of boards are updated all the time
    "jit": "off",  # short statements: to compile one takes longer than to run it
}


class Postgres(Server):
    """One PostgreSQL server with one database."""

    name: ClassVar = "postgres"
    title: ClassVar = "PostgreSQL"
    # The fast shutdown: ends sessions and writes a checkpoint, so the next start needs no recovery.
    death_signal: ClassVar = signal.SIGINT
    stop_steps: ClassVar = ((signal.SIGINT, 20.0), (signal.SIGQUIT, 5.0))
    as_ordinary_user: ClassVar = True

    def __init__(
        self,
        folder: DataFolder,
        keeper: Keeper,
        settings: Mapping[str, str],
        *,
        supervised: bool,
    ) -> None:
        super().__init__(folder, keeper, supervised=supervised)
        self._settings = {**_TUNING, **settings}

    @property
    def dsn(self) -> str:
        """For asyncpg and libpq."""
        return f"postgresql://{USER}@/{DATABASE}?host={quote(str(self.folder.run))}"

    @property
    def url(self) -> str:
        """For SQLAlchemy with asyncpg."""
        return self.dsn.replace("postgresql:", "postgresql+asyncpg:", 1)

    def prepare(self, held: HeldLock) -> None:
        cluster = Cluster(self.folder.postgres, self.log, sync=self._settings.get("fsync") != "off")
        cluster.remove_unfinished()
        if not cluster.exists():
            cluster.create(
                lambda command, stdin: self._keeper.call(
                    lambda: self.spawn(command, held, signal.SIGKILL, stdin)
                )
            )

    def command(self) -> Sequence[str | Path]:
        # A list of folders to PostgreSQL: quoted, a name may have blanks.
        socket_folder = '"' + str(self.folder.run).replace('"', '""') + '"'
        settings = {
            "listen_addresses": "",
            "port": str(POSTGRES_PORT),
            "unix_socket_directories": socket_folder,
            "unix_socket_permissions": "0700",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_line_prefix": "%m [%p] ",
            "log_destination": "stderr",
            "logging_collector": "off",  # the keeper bounds the log
            # No values of players, such as e-mail addresses, in the log.
            "log_error_verbosity": "terse",
            "log_parameter_max_length": "0",
            "log_parameter_max_length_on_error": "0",
            **self._settings,
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [postgres_binary("postgres"), "-D", self.folder.postgres, *options]

    def probe(self) -> str | None:
        return probe(self.folder.postgres_socket, USER, DATABASE)

    def remove_leftovers(self) -> None:
        """Delete what names a process that is dead for sure.

        PostgreSQL would refuse to start if another program has that process id by now.
        """
        socket_path = self.folder.postgres_socket
        stale = (
            self.folder.postgres / "postmaster.pid",
            socket_path,
            socket_path.with_name(socket_path.name + ".lock"),
        )
        for path in stale:
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
