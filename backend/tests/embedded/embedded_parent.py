"""A parent process for tests: runs the servers on a folder until it is told to end.

    embedded_parent.py <data folder> [<setting=value of PostgreSQL>...]

Says one line of JSON once they answer (or why they don't), and needs the standard library alone.
"""

import json
import os
import signal
import sys
from pathlib import Path

from app.core.embedded import EmbeddedError, start_servers


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    settings = dict(argument.split("=", 1) for argument in sys.argv[2:])
    try:
        servers = start_servers(Path(sys.argv[1]), postgres_settings=settings)
    except EmbeddedError as error:
        say(error=str(error))
        sys.exit(1)
    with servers:
        say(euid=os.geteuid(), postgres=servers.postgres.pid, valkey=servers.valkey.pid)
        signal.pause()


def say(**fields):
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
