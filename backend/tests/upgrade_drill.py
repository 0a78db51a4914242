"""What scripts/upgrade-drill does, said line by line."""

import asyncio
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from itertools import count
from pathlib import Path

import asyncpg
import httpx
from websockets.asyncio.client import connect

from app.core.embedded import EmbeddedServers, start_servers
from tests.cli.cli_helpers import BACKEND, HEALTH, Service, environment, eventually, run

CLIENTS = 24
"""Players who go on playing."""
SEED = """
import asyncio, sys
from benchmarks.seed import seed
asyncio.run(seed(sys.argv[1], sys.argv[2], int(sys.argv[3])))
"""
ORDER = "SELECT user_id FROM leaderboard ORDER BY total_score DESC, achieved_id"

started = time.monotonic()


def say(text: str) -> None:
    print(f"[{time.monotonic() - started:5.1f} s] {text}", flush=True)


@contextmanager
def worktree(ref: str, folder: Path) -> Iterator[Path]:
    """The backend as it was."""
    git = ("git", "-C", str(BACKEND))
    subprocess.run([*git, "worktree", "add", "--quiet", "--detach", str(folder), ref], check=True)
    try:
        yield folder / BACKEND.name
    finally:
        subprocess.run([*git, "worktree", "remove", "--force", str(folder)], check=True)


class Traffic:
    """Players of whom each sends a score after the other, again and again with the same key until
    it is answered; to the servers in turn."""

    def __init__(self, *urls: str) -> None:
        self.urls = list(urls)
        self.answered: dict[int, tuple[int, int]] = {}
        """(player, score) by session."""
        self.again: Counter[str] = Counter()
        self.longest = 0.0
        """Seconds from sending a score to its answer."""
        self._sent = count()
        self._flowing = False

    @asynccontextmanager
    async def flowing(self) -> AsyncIterator[None]:
        """Returns when all that was sent is answered."""
        self._flowing = True
        async with httpx.AsyncClient(timeout=30) as client, asyncio.TaskGroup() as group:
            for player in range(1, CLIENTS + 1):
                group.create_task(self._play(client, player))
            try:
                yield
            finally:
                self._flowing = False

    async def _play(self, client: httpx.AsyncClient, player: int) -> None:
        while self._flowing:
            number = next(self._sent)
            score = 1 + number * 7_919 % 1_000
            began = time.monotonic()
            session_id = await self._send(client, player, score, f"drill-{number}")
            self.longest = max(self.longest, time.monotonic() - began)
            assert session_id not in self.answered, (session_id, self.answered)
            self.answered[session_id] = (player, score)
            await asyncio.sleep(0.02)

    async def _send(self, client: httpx.AsyncClient, player: int, score: int, key: str) -> int:
        body, headers = {"user_id": player, "score": score}, {"Idempotency-Key": key}
        for attempt in count():
            url = self.urls[(player + attempt) % len(self.urls)]
            try:
                answer = await client.post(
                    f"{url}/api/leaderboard/submit", json=body, headers=headers
                )
            except httpx.TransportError as error:
                self.again[type(error).__name__] += 1
            else:
                if answer.status_code == 200:
                    return answer.json()["session_id"]
                assert answer.status_code == 503, answer.text
                assert "retry-after" in answer.headers, answer.headers
                self.again["503"] += 1
            await asyncio.sleep(0.1)
        raise AssertionError


class Watcher:
    """A player's socket on one server, whose rank is what was pushed last."""

    def __init__(self, url: str, player: int) -> None:
        self.player = player
        self.rank: int | None = None
        self._address = f"{url.replace('http', 'ws')}/ws/leaderboard/{player}"

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        async with connect(self._address) as socket:
            reading = asyncio.create_task(self._read(socket))
            yield
            reading.cancel()

    async def _read(self, socket) -> None:
        async for message in socket:
            for line in message.splitlines():
                frame = json.loads(line)
                if frame["type"] == "snapshot" and frame["me"]:
                    self.rank = frame["me"]["rank"]
                elif frame["type"] == "rank":
                    self.rank = frame["rank"]


async def both_serve(traffic: Traffic, database: asyncpg.Connection) -> None:
    """What either server says and pushes is what the other one does, and what SQL says."""
    async with AsyncExitStack() as stack:
        watchers = [
            Watcher(url, player) for url in traffic.urls for player in range(1, CLIENTS + 1)
        ]
        for watcher in watchers:
            await stack.enter_async_context(watcher.watching())
        async with traffic.flowing():
            await asyncio.sleep(4)
        await asyncio.sleep(1)
        order = {row[0]: rank for rank, row in enumerate(await database.fetch(ORDER), 1)}
        pushed = [(each.player, each.rank) for each in watchers]
        assert all(rank == order[player] for player, rank in pushed), pushed
    async with httpx.AsyncClient(timeout=30) as client:
        for player in range(1, CLIENTS + 1):
            games = []
            for url in traffic.urls:
                answer = await client.get(f"{url}/api/leaderboard/rank/{player}")
                assert answer.json()["rank"] == order[player], (answer.json(), order)
                page = await client.get(f"{url}/api/users/{player}/sessions?limit=100")
                games.append(page.json()["sessions"])
                graph = await client.get(f"{url}/api/users/{player}/history")
                assert graph.status_code == 200, graph.text
            assert games[0], "no games"
            assert all(each == games[0] for each in games), games
    say(f"  {CLIENTS} players: ranks by SQL, asked of both and pushed by both are the same, "
        "and so are their games")  # fmt: skip


async def check_ledger(traffic: Traffic, database: asyncpg.Connection, before: int) -> None:
    """Every answered score is in the ledger, and nothing else that was not there before."""
    rows = await database.fetch(
        "SELECT id, user_id, score FROM game_sessions WHERE id = ANY($1::bigint[])",
        list(traffic.answered),
    )
    found = [(row["id"], (row["user_id"], row["score"])) for row in rows]
    assert len(found) == len(traffic.answered), (len(found), len(traffic.answered))
    assert dict(found) == traffic.answered, (dict(found), traffic.answered)
    games = await database.fetchval("SELECT count(*) FROM game_sessions")
    assert games == before + len(found), (games, before, len(found))
    say(f"  {len(found):,} answered scores are in the ledger once; sent again: "
        f"{dict(traffic.again) or 'none'}")  # fmt: skip


def seed(servers: EmbeddedServers, players: int, settings: dict[str, str]) -> None:
    command = (sys.executable, "-c", SEED, servers.database_url, servers.postgres_dsn, str(players))
    subprocess.run(command, cwd="/", env=environment(**settings), check=True)


async def serve(stack: AsyncExitStack, data: Path, settings: dict[str, str]) -> Service:
    """A server that has its index, until the stack ends."""
    service = stack.enter_context(await asyncio.to_thread(Service, data, **settings))
    assert await asyncio.to_thread(
        eventually, lambda: service.get(HEALTH)[1]["status"] == "ok", timeout=60
    ), service.said()
    return service


async def drill(servers: EmbeddedServers, old_backend: Path, folder: Path, players: int) -> None:
    place = {
        "DATABASE_URL": servers.database_url, "REDIS_URL": servers.redis_url,
        "RATE_LIMITS": "false",
    }  # fmt: skip
    then = {**place, "PYTHONPATH": str(old_backend)}
    await asyncio.to_thread(seed, servers, players, then)
    database = await asyncpg.connect(servers.postgres_dsn)
    before = await database.fetchval("SELECT count(*) FROM game_sessions")
    schema = "SELECT version_num FROM alembic_version"
    say(f"{players:,} players with {before:,} games, schema {await database.fetchval(schema)}")
    async with AsyncExitStack() as stack:
        old = await serve(stack, folder / "old", then)
        traffic = Traffic(old.url)
        say("the version before serves; this version starts beside it and migrates")
        async with traffic.flowing():
            await asyncio.sleep(2)
            usual, traffic.longest = traffic.longest, 0.0
            new = await serve(stack, folder / "new", place)
        say(f"  schema {await database.fetchval(schema)}; writes were held up for "
            f"{traffic.longest:.2f} s at most (before: {usual:.2f} s), "
            f"{traffic.again['503']} were refused and sent again")  # fmt: skip
        traffic.urls.append(new.url)
        say("both serve")
        await both_serve(traffic, database)
        say("the old one is stopped, under traffic")
        async with traffic.flowing():
            await asyncio.sleep(1)
            code = await asyncio.to_thread(old.end, signal.SIGTERM)
            assert code == 0, f"the old version ended with {code}"
            traffic.urls.remove(old.url)
            await asyncio.sleep(1)
        verified = await asyncio.to_thread(run, "verify", **place)
        assert "All agree." in verified.stdout, verified.stdout + verified.stderr
        say("  leaderboard verify: all agree")
        await check_ledger(traffic, database, before)
    await database.close()


def main() -> None:
    ref, players = sys.argv[1:]
    with (
        tempfile.TemporaryDirectory(prefix="lb-upgrade-") as name,
        worktree(ref, Path(name) / "before") as old_backend,
        start_servers(Path(name) / "servers") as servers,
    ):
        try:
            asyncio.run(drill(servers, old_backend, Path(name), int(players)))
        except BaseException:
            for said in Path(name).glob("*.stderr"):
                print(said, said.read_text()[-10_000:], sep="\n")
            raise
    say("upgrade-drill: passed")


if __name__ == "__main__":
    main()
