"""`leaderboard serve`: the service, with servers of its own where none are given."""

import asyncio
import logging
import os
import shlex
from contextlib import ExitStack, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import structlog
import typer

from app.cli import backing, listening, mode
from app.cli.database import prepare_database
from app.cli.failures import load_settings, one_clear_line
from app.cli.folder import DEFAULT_DATA, Address, DataOption, published_address
from app.cli.readiness import announced
from app.cli.redis_check import check_redis
from app.cli.stopping import stopped_by_signals
from app.core.config import Settings
from app.core.logging import configure_logging

log = structlog.get_logger(__name__)

PLACE = "LEADERBOARD_PLACE"
"""Says by what the command was started, for the words at its start."""
CONTAINER = "container"
QUICKSTART = "quickstart"


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 takes any free one.")] = 8000,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Processes that serve.")] = 1,
    data: DataOption = DEFAULT_DATA,
    auth: Annotated[
        bool,
        typer.Option(
            "--auth",
            help="Run closed, with a secret and a first admin key made for this data folder.",
        ),
    ] = False,
) -> None:
    """Run the service. Starts PostgreSQL and Valkey itself unless DATABASE_URL and REDIS_URL
    are set.

    On a loopback address everything is open to this machine, unless AUTH_MODE=closed or --auth.
    """
    with one_clear_line(), stopped_by_signals(), ExitStack() as stack:
        settings = load_settings()
        configure_logging(settings.log_level)
        own_servers = backing.uses_own_servers(settings)
        mode.choose(settings, host, data, auth=auth)
        if not os.environ.get("WORKERS"):
            os.environ["WORKERS"] = str(workers)
        if workers > 1:
            folder = stack.enter_context(TemporaryDirectory(prefix="leaderboard-metrics-"))
            os.environ["METRICS_DIR"] = folder
        listener = stack.enter_context(listening.bind(host, port))

        stack.enter_context(
            backing.started(data, settings, workers=workers) if own_servers else nullcontext()
        )
        settings = load_settings()
        asyncio.run(prepare_database(settings))
        asyncio.run(check_redis(settings))
        first_key = asyncio.run(mode.first_admin_key(settings)) if auth else None
        listening.listen(listener)

        url = listening.url_of(listener)
        address = stack.enter_context(published_address(data))
        stack.enter_context(
            announced(url, lambda: _announce(url, address, settings, data, first_key))
        )
        # Imported late: a refusal above should come at once.
        from app.cli import supervisor

        config = supervisor.configure(settings, workers)
        supervisor.run(config, listener, settings.drain_seconds)


def _announce(
    url: str, address: Address, settings: Settings, data: Path, first_key: str | None
) -> None:
    try:
        address.publish(url)
    except OSError as error:
        logging.getLogger(__name__).warning("the address is not published: %s", error)
    if os.environ.get(PLACE) == CONTAINER:
        callers = str(settings.public_url or "see `docker compose port web 8080`")
        log.info("ready", listens_on=url, callers_come_to=callers)
        return
    typer.echo(ready_text(url, settings.auth_mode, data, first_key))


def ready_text(url: str, auth_mode: str, data: Path, first_key: str | None) -> str:
    """What a person at a terminal can do next, in commands that find this service."""
    command = "./quickstart.sh" if os.environ.get(PLACE) == QUICKSTART else "leaderboard"
    where = "" if data == DEFAULT_DATA else f" --data {shlex.quote(str(data))}"
    return (
        f"Leaderboard is ready at {url}\n"
        f"  API documentation  {url}/docs\n"
        f"  fill it            {command} demo{where}\n"
        f"  watch it           {command} watch{where}\n"
        f"{_say_mode(auth_mode, f'{command} keys create{where}', first_key)}"
        "Stop it with Ctrl-C."
    )


def _say_mode(auth_mode: str, make_key: str, first_key: str | None) -> str:
    if auth_mode == "open":
        return "Open mode: everybody on this machine may do everything, others nothing.\n"
    if first_key is None:
        return f"Closed mode: keys are made with {make_key}.\n"
    return (
        "Closed mode. The first admin key, shown this once (demo and watch take it from there):\n"
        f"  export LEADERBOARD_KEY={first_key}\n"
    )
