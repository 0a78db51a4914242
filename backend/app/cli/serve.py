"""`leaderboard serve`: the service, with servers of its own where none are given."""

import asyncio
import logging
from contextlib import ExitStack, nullcontext
from typing import Annotated

import structlog
import typer

from app.cli import backing, listening
from app.cli.database import prepare_database
from app.cli.failures import CliError, load_settings, one_clear_line
from app.cli.folder import DEFAULT_DATA, Address, DataOption, published_address
from app.cli.readiness import announced
from app.cli.stopping import stopped_by_signals
from app.core.logging import configure_logging

log = structlog.get_logger(__name__)


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 takes any free one.")] = 8000,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Processes that serve.")] = 1,
    data: DataOption = DEFAULT_DATA,
    expose: Annotated[
        bool, typer.Option("--expose", help="Allow an address that other machines reach.")
    ] = False,
) -> None:
    """Run the service. Starts PostgreSQL and Valkey itself unless DATABASE_URL and REDIS_URL
    are set.
    """
    with one_clear_line(), stopped_by_signals(), ExitStack() as stack:
        settings = load_settings()
        configure_logging(settings.log_level)
        own_servers = backing.uses_own_servers(settings)
        exposed = not listening.is_loopback(host)
        if exposed and not expose:
            raise CliError(
                f"{host} can be reached from other machines, and everything is open until "
                "accounts exist: add --expose if that is meant"
            )
        listener = stack.enter_context(listening.bind(host, port))
        if exposed:
            log.warning("everything is open to whoever reaches this address", host=host)

        stack.enter_context(
            backing.started(data, settings, workers=workers) if own_servers else nullcontext()
        )
        settings = load_settings()
        asyncio.run(prepare_database(settings))
        listening.listen(listener)

        url = listening.url_of(listener)
        address = stack.enter_context(published_address(data))
        stack.enter_context(announced(url, lambda: _announce(url, address)))
        # Imported late: a refusal above should come at once.
        from app.cli import supervisor

        supervisor.run(supervisor.configure(settings, workers), listener)


def _announce(url: str, address: Address) -> None:
    try:
        address.publish(url)
    except OSError as error:
        logging.getLogger(__name__).warning("the address is not published: %s", error)
    typer.echo(
        f"Leaderboard is ready at {url}\n"
        f"  API documentation  {url}/docs\n"
        f"  fill it            ./quickstart.sh demo\n"
        f"  watch it           ./quickstart.sh watch\n"
        f"Stop it with Ctrl-C."
    )
