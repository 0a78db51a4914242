"""Files that appear under their name when they are whole and on disk."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from app.cli.failures import CliError


def refuse_existing(file: Path) -> None:
    """Raises CliError if the file can't be made new."""
    if file.exists():
        raise CliError(f"{file} is there already: choose another name")
    if not file.absolute().parent.is_dir():
        raise CliError(f"there is no folder {file.absolute().parent}")


@contextmanager
def new_file(file: Path) -> Iterator[TextIO]:
    """A text file for its owner's eyes alone; gone if the block fails. Raises OSError."""
    unfinished = file.with_name(f".{file.name}.unfinished")
    try:
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "w", encoding="utf-8", newline="") as out:  # noqa: PTH123
            yield out
            out.flush()
            os.fsync(out.fileno())
        unfinished.rename(file)
        _sync_folder(file.absolute().parent)
    finally:
        with suppress(FileNotFoundError):
            unfinished.unlink()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
