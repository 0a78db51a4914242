"""The two servers of one data folder as one thing: started together, stopped together."""

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from app.core.embedded.errors import EmbeddedError
from app.core.embedded.folder import DataFolder
from app.core.embedded.keeper import Keeper
from app.core.embedded.locks import FileLock, HeldLock
from app.core.embedded.postgres import Postgres
from app.core.embedded.valkey import Valkey


def start_servers(
    data_dir: Path,
    *,
    postgres_settings: Mapping[str, str] | None = None,
    valkey_settings: Mapping[str, str] | None = None,
    supervise: bool = True,
) -> "EmbeddedServers":
    """Start both servers on `data_dir` and wait until they answer. Raises EmbeddedError.

    `supervise`: whether a server that dies is started again.
    """
    return EmbeddedServers(
        data_dir,
        postgres_settings=postgres_settings,
        valkey_settings=valkey_settings,
        supervise=supervise,
    ).start()


class EmbeddedServers:
    """A PostgreSQL and a Valkey on one data folder, for this process alone; a context manager.

    To be started and stopped once; each of the two can be stopped and started in between.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        postgres_settings: Mapping[str, str] | None = None,
        valkey_settings: Mapping[str, str] | None = None,
        supervise: bool = True,
    ) -> None:
        self._folder = DataFolder(data_dir)
        self._owner = FileLock(self._folder.lock_path("owner"))
        self._held: HeldLock | None = None
        self._keeper = Keeper()
        self.postgres = Postgres(
            self._folder, self._keeper, postgres_settings or {}, supervised=supervise
        )
        self.valkey = Valkey(
            self._folder, self._keeper, valkey_settings or {}, supervised=supervise
        )

    @property
    def database_url(self) -> str:
        """For SQLAlchemy with asyncpg."""
        return self.postgres.url

    @property
    def postgres_dsn(self) -> str:
        """For a plain asyncpg.connect()."""
        return self.postgres.dsn

    @property
    def redis_url(self) -> str:
        """For redis-py."""
        return self.valkey.url

    def start(self) -> Self:
        """Start both and wait until they answer. Raises EmbeddedError; then nothing is left."""
        if self._keeper.is_alive():
            return self
        with contextlib.ExitStack() as undo:
            undo.callback(self.stop)
            try:
                self._folder.prepare()
                self._take_folder()
                self._keeper.start()
                self.valkey.launch()
                self.postgres.launch()
                self.valkey.wait_ready()
                self.postgres.wait_ready()
            except OSError as error:
                raise EmbeddedError(
                    f"cannot start the servers in {self._folder.root}: {error}"
                ) from error
            undo.pop_all()
        return self

    def stop(self) -> None:
        """Stop both in order, Valkey's file and PostgreSQL's checkpoint written; may be repeated.

        The app must have let go of them before.
        """
        if self._keeper.is_alive():
            self.valkey.ask_to_stop()
            self.postgres.ask_to_stop()
            self.valkey.wait_stopped()
            self.postgres.wait_stopped()
            self._keeper.close()
        if self._held is not None:
            self._held.close()
            self._held = None

    def _take_folder(self) -> None:
        held = self._owner.try_acquire()
        if held is None:
            raise EmbeddedError(
                f"the data folder {self._folder.root} is in use by {self._owner.owner()}: "
                "stop it, or choose another --data"
            )
        self._held = held
        held.write_owner(os.getpid())

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
