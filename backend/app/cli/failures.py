"""What goes wrong at a command line ends in one line on standard error and exit code 1."""

import errno
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer
from asyncpg import DuplicatePreparedStatementError, InvalidSQLStatementNameError
from pydantic import ValidationError
from pydantic_settings import SettingsError
from sqlalchemy.exc import ArgumentError, DBAPIError, InvalidRequestError, SQLAlchemyError

from app.core.config import FROM_FILES, Settings
from app.core.embedded import EmbeddedError
from app.core.settings_faults import faults_of

_OF_THE_USER = (
    errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENAMETOOLONG,
    errno.ELOOP, errno.EISDIR, errno.ENOTDIR,
)  # fmt: skip
"""What a user can act on: room, rights and names."""


class CliError(Exception):
    """A command can't do what it was asked for. Each argument is one line to act on."""


@contextmanager
def one_clear_line() -> Iterator[None]:
    """Turns the failures that a user can act on into that line; others are defects and show."""
    try:
        yield
    except CliError as error:
        _end(*map(str, error.args))
    except EmbeddedError as error:
        _end(str(error))
    except SQLAlchemyError as error:
        _end(f"the database: {describe(error)}")
    except (ConnectionError, TimeoutError, socket.gaierror) as error:
        # The driver's own: SQLAlchemy does not wrap what fails before there is a connection.
        _end(f"no database at DATABASE_URL: {describe(error)}")
    except OSError as error:
        if error.errno == errno.EEXIST and error.filename:
            _end(f"{error.filename} {error.strerror}")
        if error.errno not in _OF_THE_USER:
            raise
        _end(f"cannot write {error.filename or 'a file'}: {error.strerror}")


def _end(*messages: str) -> None:
    for message in messages:
        typer.echo(f"leaderboard: {' '.join(message.split())}", err=True)
    sys.exit(1)


def load_settings() -> Settings:
    """The settings of the environment. Raises CliError, naming each that is wrong."""
    try:
        return Settings()
    except ValidationError as error:
        raise CliError(*faults_of(error, Settings, set(FROM_FILES))) from error
    except SettingsError as error:
        raise CliError(f"bad settings: {error}") from error


def cause(error: BaseException) -> BaseException:
    """The driver's own error, where SQLAlchemy has wrapped one."""
    if isinstance(error, DBAPIError) and error.orig is not None:
        return error.orig.__cause__ or error.orig
    return error


def describe(error: BaseException) -> str:
    """An error in one line, without the statement and the driver's wrapping."""
    error = cause(error)
    if isinstance(error, DuplicatePreparedStatementError | InvalidSQLStatementNameError):
        return "a pooler of transactions is in front of it: add pgbouncer=true to DATABASE_URL"
    text = " ".join(str(error).split())
    if isinstance(error, ArgumentError | InvalidRequestError):
        text = f"DATABASE_URL is not usable: {text}"
    return text or type(error).__name__
