"""A data folder for `leaderboard serve --data`, with players in it: `backend/scripts/seed`."""

import argparse
import asyncio
from pathlib import Path

from app.core.embedded import start_servers
from benchmarks.seed import seed


def main() -> None:
    """Makes the folder. Its index is built when it is served for the first time."""
    parser = argparse.ArgumentParser(prog="backend/scripts/seed", description=__doc__)
    parser.add_argument("folder", type=Path, help="where nothing is yet")
    parser.add_argument("players", type=int, help="how many; their ids count from 1")
    given = parser.parse_args()
    if given.folder.exists():
        parser.error(f"{given.folder} exists")
    # What a crash would cost here is a minute at most, so nothing waits for the disk.
    quick = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
    with start_servers(given.folder, postgres_settings=quick) as servers:
        asyncio.run(seed(servers.database_url, servers.postgres_dsn, given.players))


if __name__ == "__main__":
    main()
