"""The data folder as the commands know it: where it is, and which address is served from it."""

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from app.cli.failures import CliError
from app.core.files import new_file

DEFAULT_DATA = Path(__file__).parents[3] / "data"
"""Beside `backend/`, whatever the current folder is."""

DEFAULT_URL = "http://127.0.0.1:8000"

DataOption = Annotated[
    Path,
    typer.Option(
        "--data", metavar="DIR", show_default="data/ of the repository",
        help="The folder that holds everything.",
    ),
]  # fmt: skip

UrlOption = Annotated[
    str | None,
    typer.Option(
        "--url", show_default="the service that runs on the data folder",
        help="Address of a running service.",
    ),
]  # fmt: skip

KeyOption = Annotated[
    str | None,
    typer.Option(
        "--key", envvar="LEADERBOARD_KEY", show_envvar=True, show_default=False,
        help="An API key, for a closed service. Other users can see it here: better in the "
        "environment.",
    ),
]  # fmt: skip


@contextmanager
def published_address(data: Path) -> Iterator["Address"]:
    """The file by which other commands find the service; gone when the block ends."""
    address = Address(data)
    try:
        yield address
    finally:
        address.withdraw()


class Address:
    """`address` in a data folder: the URL of the service that runs on it."""

    def __init__(self, data: Path) -> None:
        self._path = data / "address"
        self._url = ""

    def publish(self, url: str) -> None:
        """Writes it whole or not at all: a reader never sees half a URL. Raises OSError."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with new_file(self._path, replaces=True, is_durable=False) as file:
            file.write(f"{url}\n")
        self._url = url

    def withdraw(self) -> None:
        # Another instance (on servers of its own) may have published since.
        if self._url and self.read() == self._url:
            self._path.unlink(missing_ok=True)

    def read(self) -> str | None:
        with contextlib.suppress(OSError):
            return self._path.read_text().strip() or None
        return None


def find_url(url: str | None, data: Path) -> str:
    """The address that was given, else the one published in `data`, else the default one."""
    found = url or Address(data).read() or DEFAULT_URL
    if "://" not in found:
        found = f"http://{found}"
    return found.rstrip("/")


def clean_key(key: str | None) -> str | None:
    """The key as a header may carry it. Raises CliError."""
    key = (key or "").strip() or None
    if key is not None and not (key.isascii() and key.isprintable()):
        raise CliError("the key has characters that no key has: was it copied whole?")
    return key
