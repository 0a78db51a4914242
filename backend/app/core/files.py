"""The one way to write a file: it appears under its name when it is whole and on disk.

Until then it has a name in the same folder that nobody can guess and that was not there before, so
a link that somebody has planted is never followed. Only the owner can read it.
"""

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
_LONGEST_NAME = 200
"""Bytes of the name that the unfinished file has in its own name; file systems take 255."""


@contextmanager
def new_file(path: Path, *, replaces: bool = False, is_durable: bool = True) -> Iterator[TextIO]:
    """A text file in UTF-8; gone if the block fails.

    `replaces`: an older file of that name is replaced at the end, and a link of that name itself,
    not what it points to. Otherwise raises FileExistsError. `is_durable`: it survives a power cut.
    Raises OSError.
    """
    start = os.fsencode(path.name)[:_LONGEST_NAME].decode("utf-8", "ignore")
    unfinished = path.with_name(f".{start}.{secrets.token_hex(8)}.unfinished")
    descriptor = os.open(unfinished, _NEW, 0o600)
    try:
        with open(descriptor, "w", encoding="utf-8", newline="") as out:  # noqa: PTH123
            yield out
            out.flush()
            if is_durable:
                os.fsync(descriptor)
        _publish(unfinished, path, replaces=replaces)
    finally:
        with suppress(FileNotFoundError):
            unfinished.unlink()
    if is_durable:
        _sync_folder(path.absolute().parent)


def _publish(unfinished: Path, path: Path, *, replaces: bool) -> None:
    if replaces:
        unfinished.replace(path)
        return
    try:
        # Unlike a renaming, this fails if there is something by now.
        path.hardlink_to(unfinished)
    except FileExistsError as error:
        raise _exists(path) from error
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        refuse_existing(path)
        unfinished.rename(path)


def refuse_existing(path: Path) -> None:
    """Raises FileExistsError if there is something of that name, a link to nothing included."""
    if os.path.lexists(path):
        raise _exists(path)


def _exists(path: Path) -> FileExistsError:
    return FileExistsError(errno.EEXIST, "is there already: choose another name", str(path))


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
