"""An embedded Valkey: Redis protocol over a Unix socket, kept on disk by its append-only file."""

import contextlib
import signal
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

from app.core.embedded.binaries import valkey_binary
from app.core.embedded.errors import EmbeddedError
from app.core.embedded.folder import DataFolder
from app.core.embedded.keeper import Keeper
from app.core.embedded.server import Server

_PROBE_SECONDS = 1.0
_BUSY = ("-LOADING", "-BUSY")


class Valkey(Server):
    """One valkey-server; what it answered is on disk a second later."""

    name: ClassVar = "valkey"
    title: ClassVar = "Valkey"
    death_signal: ClassVar = signal.SIGTERM
    stop_steps: ClassVar = ((signal.SIGTERM, 10.0),)

    def __init__(
        self,
        folder: DataFolder,
        keeper: Keeper,
        settings: Mapping[str, str],
        *,
        supervised: bool,
    ) -> None:
        super().__init__(folder, keeper, supervised=supervised)
        self._settings = settings

    @property
    def url(self) -> str:
        """For redis-py."""
        return f"unix://{quote(str(self.folder.valkey_socket))}"

    def command(self) -> Sequence[str | Path]:
        settings = {
            "port": "0",
            "unixsocket": str(self.folder.valkey_socket),
            "unixsocketperm": "700",
            "dir": str(self.folder.valkey),
            "daemonize": "no",
            "logfile": "",  # to standard output, which is the log file
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            # To refuse a write is better than to forget an entry of a board without a word.
            "maxmemory-policy": "noeviction",
            "enable-debug-command": "no",
            "enable-module-command": "no",
            **self._settings,
        }
        options = [part for name, value in settings.items() for part in (f"--{name}", value)]
        return [valkey_binary(), *options]

    def probe(self) -> str | None:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_PROBE_SECONDS)
            connection.connect(str(self.folder.valkey_socket))
            connection.sendall(b"PING\r\n")
            answer = connection.recv(256).decode(errors="replace").strip()
        if answer == "+PONG":
            return None
        if answer.startswith(_BUSY):
            return answer
        raise EmbeddedError(f"Valkey does not serve: {answer or 'it closed the connection'}")

    def remove_leftovers(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            self.folder.valkey_socket.unlink()
