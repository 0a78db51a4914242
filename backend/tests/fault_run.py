"""Runs the faults and prints what each has cost: `scripts/faults`."""

import asyncio
import shutil
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NamedTuple

import asyncpg
import httpx
from rich.console import Console
from rich.table import Table

from app.core.config import Settings
from app.core.database import create_engine
from app.core.embedded import EmbeddedServers, start_servers
from app.services.schema import migrate
from app.services.verify import verify
from tests.conftest import Sandbox
from tests.fault_relay import Relay
from tests.fault_watch import NEVER, Watch
from tests.faults import FAULTS, SETS_BACK, Place
from tests.test_failures import Load, prepare, process

BEST = 5
PLAYERS = 40
WRITERS = 2
CALM = 2.0
TOLD_WITHIN = 10.0
WHOLE_WITHIN = 30.0


class Row(NamedTuple):
    """What a fault has cost. `faults`: what must not be."""

    name: str
    lasted: float
    told: float
    whole: float
    answered: int
    refused: int
    repeated: int
    faults: list[str]
    untold: str
    words: str


async def _base(servers: EmbeddedServers, copies: Path) -> None:
    """Copies both servers' files, for the faults that set one back to them."""
    for server, name in ((servers.postgres, "postgres"), (servers.valkey, "valkey")):
        await asyncio.to_thread(server.stop)
        shutil.copytree(getattr(server.folder, name), copies / name, dirs_exist_ok=True)
        await asyncio.to_thread(server.start)


async def _play(address: str, players: list[int], score: int) -> None:
    async with httpx.AsyncClient(base_url=f"http://{address}", timeout=20) as client:
        for number, player in enumerate(players):
            body = {"user_id": player, "score": score - number}
            (await client.post("/api/leaderboard/submit", json=body)).raise_for_status()


async def _missing(sandbox: Sandbox, load: Load, since: int) -> list[str]:
    """What the ledger has too much or too little of, compared with the answers."""
    connection = await sandbox.connect()
    rows = await connection.fetch(
        "SELECT id, user_id, score FROM game_sessions WHERE id > $1", since
    )
    await connection.close()
    stored = {row["id"]: (row["user_id"], row["score"]) for row in rows}
    answered = {session: (user, score) for user, score, session in load.answered.values()}
    faults = []
    if lost := len(answered.items() - stored.items()):
        faults.append(f"{lost} answered scores are not in the ledger")
    if more := len(stored.keys() - answered.keys()):
        faults.append(f"{more} scores are in the ledger and were not answered")
    if open_ := len(load.sent) - len(load.answered):
        faults.append(f"{open_} scores were never answered")
    return faults


async def _run(name: str, place: Place, watch: Watch, addresses: list[str]) -> Row:
    seconds, make = FAULTS[name]
    is_set_back = name == SETS_BACK
    if is_set_back:
        await _base(place.servers, place.copies)
        await watch.until_whole(time.monotonic())
        await _play(addresses[0], [user_id for user_id, _ in watch.truth], 1_000)
    since = await _newest(place.sandbox)
    load = Load(addresses, place.players, writers=WRITERS, name=f"{time.monotonic()}-")
    await watch.ask_truth()
    await asyncio.sleep(CALM)
    if is_set_back:
        await load.stop()
    began = time.monotonic()
    async with make(place):
        if is_set_back:
            await watch.ask_truth()
            began, since = time.monotonic(), await _newest(place.sandbox)
            load = Load(addresses, place.players, writers=WRITERS, name=f"{time.monotonic()}-")
        await asyncio.sleep(seconds)
    ended = time.monotonic()
    whole, words = await watch.until_whole(ended)
    found: list[str] = []
    faults = []
    try:
        await load.stop()
    except Exception as error:  # noqa: BLE001 - a wrong answer, told in the table
        faults.append(f"load: {error!r:.200}")
    faults += await _missing(place.sandbox, load, since)
    if await verify(place.sandbox.settings, found.append):
        faults.append(f"verify: {found}")
    untold = watch.last_untold(began)
    told = 0.0 if untold is None else untold.at - began
    if told > TOLD_WITHIN:
        faults.append(f"wrong without a word: {untold.words}")
    if whole > WHOLE_WITHIN:
        faults.append("not whole")
    return Row(name, ended - began, told, whole, len(load.answered), load.refused, load.repeats,
               faults, untold.words if untold else "", words)  # fmt: skip


async def _newest(sandbox: Sandbox) -> int:
    connection = await sandbox.connect()
    try:
        return await connection.fetchval("SELECT last_value FROM event_id_seq")
    finally:
        await connection.close()


async def _all(servers: EmbeddedServers, names: list[str], copies: Path) -> list[Row]:
    engine = create_engine(Settings(_env_file=None, database_url=servers.database_url))
    await migrate(engine, partitions_ahead=1)
    await engine.dispose()
    sandbox = Sandbox(servers, "leaderboard")
    usual = Settings(_env_file=None).sweep_interval
    sandbox.settings = sandbox.make_settings(sweep_interval=usual, log_level="error")
    database = Relay(str(servers.postgres.folder.postgres_socket))
    cache = Relay(str(servers.postgres.folder.valkey_socket))
    far = {
        "database_url": f"postgresql://leaderboard@127.0.0.1:{await database.start()}/leaderboard"
        "?sslmode=disable",
        "redis_url": f"redis://127.0.0.1:{await cache.start()}",
    }
    rows = []
    async with AsyncExitStack() as stack:
        interval = sandbox.settings.sweep_interval
        far_one, _ = await stack.enter_async_context(
            process(sandbox, sweep_interval=interval, **far)
        )
        two, supervisor = await stack.enter_async_context(
            process(sandbox, workers=2, sweep_interval=interval)
        )
        best, players = (made := await prepare(two, PLAYERS))[:BEST], made[BEST:]
        await _play(two, best, 10**9)
        place = Place(sandbox, supervisor.pid, database, cache, players, copies)
        await _base(servers, copies)
        watch = Watch(servers.postgres_dsn, [far_one, two], BEST)
        await watch.ask_truth()
        await watch.start()
        await watch.until_whole(time.monotonic())
        for name in names:
            try:
                row = await _run(name, place, watch, [far_one, two])
            except (OSError, asyncpg.PostgresError, TimeoutError) as error:
                row = Row(name, 0, NEVER, NEVER, 0, 0, 0, [repr(error)], "", "")
            rows.append(row)
            print(row, flush=True)
        await watch.stop()
    await database.close()
    await cache.close()
    return rows


def _show(rows: list[Row]) -> None:
    table = Table(title="3 workers, light traffic; times in s")
    titles = "fault,lasted,right or told,whole,scores,503,repeated,ledger,verify"
    for title in titles.split(","):
        table.add_column(title, justify="left" if title == "fault" else "right")
    for row in rows:
        in_ledger = "once" if not any("ledger" in each for each in row.faults) else "WRONG"
        agrees = "agrees" if not any("verify" in each for each in row.faults) else "DIFFERS"
        table.add_row(row.name, f"{row.lasted:.1f}", f"{row.told:.1f}", f"{row.whole:.1f}",
                      str(row.answered), str(row.refused), str(row.repeated), in_ledger,
                      agrees)  # fmt: skip
    Console(width=132).print(table)
    for row in rows:
        for each in row.faults:
            print(f"{row.name}: {each}; last seen: {row.words}")


def main() -> int:
    """0 if every fault was told in time and the service was whole by itself, 1 otherwise."""
    wanted = sys.argv[1:]
    names = [name for name in FAULTS if not wanted or any(part in name for part in wanted)]
    folder = Path(tempfile.mkdtemp(prefix="lb-"))
    try:
        with start_servers(folder / "s", postgres_settings={"max_connections": "120"}) as servers:
            rows = asyncio.run(_all(servers, names, folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    _show(rows)
    is_well = not any(row.faults for row in rows)
    print("faults: passed" if is_well else "faults: FAILED")
    return 0 if is_well else 1


if __name__ == "__main__":
    sys.exit(main())
