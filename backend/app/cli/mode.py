"""Open or closed: what `leaderboard serve` starts as, and what it needs for that."""

import getpass
import os
import secrets
from contextlib import suppress
from pathlib import Path

import structlog

from app.cli import listening
from app.cli.backing import SECRET_FILE, uses_own_servers
from app.cli.failures import CliError, load_settings
from app.core.config import Settings
from app.core.database import create_engine
from app.core.files import new_file
from app.services.access.audit import Act, record
from app.services.access.callers import Scope
from app.services.access.key_admin import KeyAdmin
from app.services.access.sealing import Sealer
from app.services.access.secret import BadSecretError, checked_secret

log = structlog.get_logger(__name__)


def choose(settings: Settings, host: str, data: Path, *, auth: bool) -> None:
    """Decides on the mode; all processes find it in the environment. Raises CliError.

    Open only where the address is a loopback one: then it is the default.
    """
    exposed = not listening.is_loopback(host)
    told = settings.auth_mode if "auth_mode" in settings.model_fields_set else None
    if auth and told == "open":
        raise CliError("AUTH_MODE is open and --auth is given: choose one of the two")
    if exposed and told == "open":
        raise CliError(
            f"AUTH_MODE=open works on loopback alone, and {host} can be reached from other "
            "machines: leave AUTH_MODE out, and give a secret or --auth"
        )
    mode = told or ("closed" if exposed or auth else "open")
    if mode == "open":
        own = data / SECRET_FILE
        if own.exists() and not settings.auth_secret and uses_own_servers(settings):
            os.environ["AUTH_SECRET_FILE"] = str(own.absolute())  # it seals the audit log
        log.info("open mode: everybody on this machine may do everything, others nothing")
    else:
        if auth and not settings.auth_secret:
            # Not the secret itself: the environment is inherited by all that is started.
            os.environ["AUTH_SECRET_FILE"] = str(_own_secret(data).absolute())
        try:
            checked_secret(load_settings())
        except BadSecretError as error:
            raise CliError(str(error)) from error
        log.info("closed mode: callers need a key or a player's token")
    os.environ["AUTH_MODE"] = mode


def _own_secret(data: Path) -> Path:
    """The file with the data folder's secret, made the first time."""
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = data / SECRET_FILE
    if not path.exists():
        with suppress(FileExistsError), new_file(path) as file:
            file.write(secrets.token_urlsafe(48) + "\n")
    return path


async def first_admin_key(settings: Settings) -> str | None:
    """A key for whoever starts the first closed service on a database; None if there is one."""
    engine = create_engine(settings)
    try:
        keys = KeyAdmin(engine, Sealer.of(settings))
        if await keys.has_admin():
            return None
        made = await keys.create(
            "first admin", {Scope.ADMIN}, operator(), reason="made by serve --auth"
        )
        return made.text
    finally:
        await engine.dispose()


async def record_act(settings: Settings, act: Act) -> None:
    """Notes in the audit log what a command does."""
    engine = create_engine(settings)
    try:
        await record(engine, act, Sealer.of(settings))
    finally:
        await engine.dispose()


def operator() -> str:
    """The user of the operating system, as the audit log names them."""
    try:
        return f"os:{getpass.getuser()}"
    except (OSError, KeyError):  # a user id without a name
        return f"os:{os.getuid()}"
