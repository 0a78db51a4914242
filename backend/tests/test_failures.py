"""Every row of the failure table, made to happen on real servers under load."""

import asyncio
import os
import random
import signal
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from app.main import create_app
from app.services.verify import verify
from tests.conftest import serve

BACKEND = Path(__file__).parents[1]


@asynccontextmanager
async def process(sandbox, *, workers: int = 1, env: dict[str, str] | None = None, **changes):
    """The service as processes of its own. Its address and the supervisor's process."""
    settings = sandbox.make_settings(**changes)
    port = _free_port()
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "uvicorn", "--factory", "app.main:create_app",
        "--port", str(port), "--workers", str(workers), "--no-access-log",
        "--log-level", "error", "--http", "app.api.http_protocol:PatientProtocol",
        "--ws", "app.websocket.transport:FramesProtocol",
        cwd=BACKEND,
        env={
            **os.environ,
            "AUTH_MODE": "open",
            **{name.upper(): str(value) for name, value in settings.model_dump().items()
               if name in ("database_url", "redis_url", "redis_prefix", "sweep_interval",
                           "log_level", *changes)},
            **(env or {}),
        },
    )  # fmt: skip
    try:
        address = f"127.0.0.1:{port}"
        await healthy(address)
        yield address, child
    finally:
        if child.returncode is None:
            child.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(child.wait(), 15)
            except TimeoutError:
                child.kill()
                await child.wait()


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def healthy(address: str, seconds: float = 30) -> None:
    async with asyncio.timeout(seconds), httpx.AsyncClient(base_url=f"http://{address}") as client:
        while True:
            try:
                if (await client.get("/api/leaderboard/health")).json()["status"] == "ok":
                    return
            except (httpx.HTTPError, ValueError):
                pass
            await asyncio.sleep(0.05)


class Load:
    """Clients that submit with keys, and repeat with the same key until they are answered."""

    def __init__(
        self, addresses: list[str], players: list[int], *, writers: int = 8, name: str = "w"
    ) -> None:
        self.addresses = addresses
        self.name = name
        self.players = players
        self.answered: dict[str, tuple[int, int, int]] = {}
        self.sent: dict[str, tuple[int, int]] = {}
        self.repeats = self.refused = 0
        self.rng = random.Random(3)
        self._stop = False
        self._tasks = [asyncio.create_task(self._write(number)) for number in range(writers)]

    async def _write(self, writer: int) -> None:
        number = 0
        base = f"http://{self.addresses[writer % len(self.addresses)]}"
        async with httpx.AsyncClient(base_url=base, timeout=10) as client:
            while not self._stop:
                key = f"{self.name}{writer}-{number}"
                number += 1
                player, score = self.rng.choice(self.players), self.rng.randint(1, 9)
                self.sent[key] = (player, score)
                await self._until_answered(client, key, player, score)

    async def _until_answered(self, client, key: str, player: int, score: int) -> None:
        while True:
            try:
                answer = await client.post(
                    "/api/leaderboard/submit",
                    json={"user_id": player, "score": score},
                    headers={"Idempotency-Key": key},
                )
            except httpx.HTTPError:
                self.repeats += 1
            else:
                if answer.status_code == 200:
                    self.answered[key] = (player, score, answer.json()["session_id"])
                    return
                assert answer.status_code == 503, answer.text
                assert "retry-after" in answer.headers
                self.refused += 1
            await asyncio.sleep(0.02)

    async def stop(self) -> None:
        self._stop = True
        async with asyncio.timeout(30):
            await asyncio.gather(*self._tasks)


async def prepare(address: str, count: int = 30) -> list[int]:
    async with httpx.AsyncClient(base_url=f"http://{address}") as client:
        answers = [
            await client.post("/api/users", json={"username": f"p{number}"})
            for number in range(count)
        ]
    return [answer.json()["user_id"] for answer in answers]


async def check_ledger(sandbox, load: Load) -> None:
    """Whatever was answered is there, and everything that was sent is there once."""
    connection = await sandbox.connect()
    rows = await connection.fetch("SELECT id, user_id, score FROM game_sessions")
    await connection.close()
    stored = {row["id"]: (row["user_id"], row["score"]) for row in rows}
    assert load.answered.keys() == load.sent.keys()
    assert {each[2]: each[:2] for each in load.answered.values()} == stored


async def check_all(sandbox, load: Load) -> None:
    await check_ledger(sandbox, load)
    found: list[str] = []
    assert await verify(sandbox.settings, found.append) == 0, found


def children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [
        child for child in map(int, text.split())
        if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]  # fmt: skip


@pytest.mark.skipif(sys.platform != "linux", reason="finds workers through /proc")
@pytest.mark.timeout(240)
async def test_workers_killed_under_load_lose_nothing(sandbox):
    """kill -9 of a worker at a random moment, 20 times."""
    rng = random.Random(11)
    async with process(sandbox, workers=2) as (address, supervisor):
        load = Load([address], await prepare(address))
        killed = 0
        while killed < 20:
            await asyncio.sleep(rng.uniform(0.05, 0.6))
            found = children(supervisor.pid)
            if found:
                os.kill(rng.choice(found), signal.SIGKILL)
                killed += 1
        await load.stop()
        assert load.repeats > 0
        await healthy(address)
        await check_all(sandbox, load)


async def test_a_worker_that_stops_finishes_what_it_took(sandbox):
    async with process(sandbox) as (address, child):
        players = await prepare(address, 5)
        async with httpx.AsyncClient(base_url=f"http://{address}", timeout=20) as client:
            sent = [
                asyncio.create_task(
                    client.post(
                        "/api/leaderboard/submit/batch",
                        json={"submissions": [{"user_id": p, "score": 1} for p in players] * 100},
                    )
                )
                for _ in range(6)
            ]
            await asyncio.sleep(0.05)
            child.send_signal(signal.SIGTERM)
            answers = await asyncio.gather(*sent, return_exceptions=True)
        await asyncio.wait_for(child.wait(), 15)
    accepted = sum(
        result["status"] == "accepted"
        for answer in answers
        if isinstance(answer, httpx.Response)
        for result in answer.json().get("results", ())
    )
    assert accepted > 0
    connection = await sandbox.connect()
    assert await connection.fetchval("SELECT count(*) FROM game_sessions") == accepted
    await connection.close()


class Reader:
    """Asks both workers for the leader all the time: an answer that is not exact is an error."""

    def __init__(self, addresses: list[str], leader: int, total: int) -> None:
        self.leader, self.total = leader, total
        self.sources: set[str] = set()
        self.answers = 0
        self._tasks = [asyncio.create_task(self._read(address)) for address in addresses]

    async def _read(self, address: str) -> None:
        async with httpx.AsyncClient(base_url=f"http://{address}", timeout=20) as client:
            while True:
                rank = await client.get(f"/api/leaderboard/rank/{self.leader}")
                page = await client.get("/api/leaderboard/top?limit=1")
                for answer in (rank, page):
                    assert answer.status_code == 200, answer.text
                    self.sources.add(answer.headers["leaderboard-source"])
                assert (rank.json()["rank"], rank.json()["score"]) == (1, self.total)
                assert page.json()["entries"][0]["user_id"] == self.leader
                self.answers += 2
                await asyncio.sleep(0.01)

    async def stop(self) -> None:
        for task in self._tasks:
            if task.done():
                task.result()
            task.cancel()
        await asyncio.wait(self._tasks)
        assert self.answers > 10


@asynccontextmanager
async def under_load(sandbox):
    """Two workers, writers and readers on both; afterwards nothing may be lost or differ."""
    async with sandbox.serve() as one, sandbox.serve() as two:
        players = await prepare(one)
        leader, *others = players
        async with httpx.AsyncClient(base_url=f"http://{one}") as client:
            first = await client.post(
                "/api/leaderboard/submit",
                json={"user_id": leader, "score": 10**9},
                headers={"Idempotency-Key": "leader"},
            )
        load = Load([one, two], others)
        load.sent["leader"] = (leader, 10**9)
        load.answered["leader"] = (leader, 10**9, first.json()["session_id"])
        reader = Reader([one, two], leader, 10**9)
        await asyncio.sleep(0.3)
        yield load, reader
        await asyncio.sleep(0.3)
        await load.stop()
        await reader.stop()
        for address in (one, two):
            await healthy(address)
        await check_all(sandbox, load)


async def test_a_flushed_index_comes_back_and_no_submission_fails(sandbox):
    async with under_load(sandbox) as (load, _):
        for _ in range(4):
            sandbox.forget_index()
            await asyncio.sleep(0.4)
        assert (load.refused, load.repeats) == (0, 0)


async def test_a_killed_redis_fails_no_submission(sandbox, servers):
    async with under_load(sandbox) as (load, reader):
        servers.valkey.kill()
        await asyncio.sleep(1.5)
        servers.valkey.kill()
        await asyncio.sleep(1.5)
        assert (load.refused, load.repeats) == (0, 0)
        assert "database" in reader.sources


async def test_redis_away_for_a_while(sandbox, servers):
    async with under_load(sandbox) as (load, reader):
        servers.valkey.stop()
        try:
            await asyncio.sleep(2)
        finally:
            servers.valkey.start()
        reader.sources.clear()
        await asyncio.sleep(1.5)
        assert "index" in reader.sources
        assert (load.refused, load.repeats) == (0, 0)


async def test_a_slow_redis(sandbox):
    async with under_load(sandbox) as (load, reader):
        with sandbox.redis() as client:
            client.execute_command("CLIENT", "PAUSE", "2000", "ALL")
        await asyncio.sleep(2.5)
        assert "database" in reader.sources
        assert (load.refused, load.repeats) == (0, 0)


async def test_a_read_only_redis(sandbox):
    async with under_load(sandbox) as (load, reader):
        with sandbox.redis() as client:
            client.execute_command("REPLICAOF", "127.0.0.1", "1")
            try:
                await asyncio.sleep(1.5)
            finally:
                client.execute_command("REPLICAOF", "NO", "ONE")
        assert "database" in reader.sources
        assert (load.refused, load.repeats) == (0, 0)


async def test_postgresql_restarted(sandbox, servers):
    """Writes answer 503 for the outage, reads from the index go on, nothing answered is lost."""
    async with under_load(sandbox) as (load, reader):
        servers.postgres.stop()
        try:
            await asyncio.sleep(1.0)
        finally:
            servers.postgres.start()
        await asyncio.sleep(0.5)
        assert load.refused > 0
        assert reader.sources == {"index"}
        answered = len(load.answered)
        await asyncio.sleep(1.0)
        assert len(load.answered) > answered


async def test_postgresql_killed(sandbox, servers):
    async with under_load(sandbox):
        servers.postgres.kill()
        await asyncio.sleep(2.5)


async def test_a_writer_that_died_before_the_index_is_swept_up(sandbox):
    """What a worker committed and could not index: there after a sweep, seen by watchers."""
    async with sandbox.worker() as worker:
        ada, bo = await worker.add_players(2)
        await worker.submit(ada, 5)
        connection = await sandbox.connect()
        # As the ledger looks when a worker dies between its commit and the index.
        async with connection.transaction():
            await connection.execute("SELECT FROM users WHERE id = $1 FOR NO KEY UPDATE", bo)
            session = await connection.fetchval(
                "INSERT INTO game_sessions (user_id, score, game_mode) VALUES ($1, 9, 'x') "
                "RETURNING id", bo,
            )  # fmt: skip
            await connection.execute(
                "INSERT INTO leaderboard (board_id, season, user_id, total_score, achieved_id, "
                "achieved_at, version, games_played, decided, wins) "
                "VALUES (1, 1, $1, 9, $2, now(), $2, 1, 0, 0)", bo, session,
            )  # fmt: skip
        await connection.close()
        async with asyncio.timeout(5):
            while [each["user_id"] for each in await worker.top()] != [bo, ada]:
                await asyncio.sleep(0.05)
        found: list[str] = []
        assert await verify(sandbox.settings, found.append) == 0, found


@pytest.mark.parametrize("others", [True, False])
async def test_a_slow_transaction_is_not_swept_past(sandbox, others):
    """A number drawn early and committed late must not fall below the watermark: neither while
    later transactions end, nor when it is itself the newest one that there is."""
    async with sandbox.worker(sweep_interval=0.1) as worker:
        ada, bo = await worker.add_players(2)
        await worker.submit(ada, 1)
        slow = await sandbox.connect()
        transaction = slow.transaction()
        await transaction.start()
        await slow.execute("SELECT FROM users WHERE id = $1 FOR NO KEY UPDATE", bo)
        session = await slow.fetchval(
            "INSERT INTO game_sessions (user_id, score, game_mode) VALUES ($1, 9, 'x') "
            "RETURNING id", bo,
        )  # fmt: skip
        for _ in range(6):
            if others:
                await worker.submit(ada, 1)
            await asyncio.sleep(0.15)
        await slow.execute(
            "INSERT INTO leaderboard (board_id, season, user_id, total_score, achieved_id, "
            "achieved_at, version, games_played, decided, wins) "
            "VALUES (1, 1, $1, 9, $2, now(), $2, 1, 0, 0)", bo, session,
        )  # fmt: skip
        await transaction.commit()
        await slow.close()
        async with asyncio.timeout(5):
            while [each["user_id"] for each in await worker.top()] != [bo, ada]:
                await asyncio.sleep(0.05)


async def test_clocks_that_differ_change_nothing(sandbox, tmp_path):
    """A worker whose host is an hour ahead: order and times come from the database."""
    (tmp_path / "sitecustomize.py").write_text(
        "import time, datetime\n"
        "real = time.time\n"
        "time.time = lambda: real() + 3600\n"
        "class Ahead(datetime.datetime):\n"
        "    @classmethod\n"
        "    def now(cls, tz=None):\n"
        "        return cls.fromtimestamp(time.time(), tz)\n"
        "datetime.datetime = Ahead\n"
    )
    async with (
        sandbox.worker() as worker,
        process(sandbox, env={"PYTHONPATH": str(tmp_path)}) as (address, _),
        httpx.AsyncClient(base_url=f"http://{address}") as ahead,
    ):
        ada, bo = await worker.add_players(2)
        answer = await ahead.post("/api/leaderboard/submit", json={"user_id": ada, "score": 5})
        assert answer.status_code == 200
        await worker.submit(bo, 5)
        entries = await worker.top()
        assert [each["user_id"] for each in entries] == [ada, bo]
        assert entries[0]["achieved_at"] < entries[1]["achieved_at"]


async def test_an_index_of_another_database_is_not_believed(sandbox):
    async with sandbox.worker() as worker:
        (ada,) = await worker.add_players(1)
        await worker.submit(ada, 5)
    connection = await sandbox.connect()
    await connection.execute("TRUNCATE leaderboard, game_sessions, player_events")
    await connection.execute("SELECT setval('event_id_seq', 1, false)")
    await connection.close()
    async with sandbox.worker() as worker:
        assert await worker.top() == []


async def test_a_restart_is_right_from_the_first_answer_on(sandbox):
    """With the index gone, and with the index as it was some scores ago."""
    async with sandbox.worker() as worker:
        players = await worker.add_players(30)
        for number, player in enumerate(players):
            await worker.submit(player, number)
    for index_is_there in (True, False):
        if not index_is_there:
            sandbox.forget_index()
        # Not waiting for health: the very first answers count.
        app = create_app(sandbox.make_settings())
        async with serve(app) as address, httpx.AsyncClient(base_url=f"http://{address}") as client:
            for rank, player in enumerate(reversed(players), 1):
                found = (await client.get(f"/api/leaderboard/rank/{player}")).json()
                assert (found["rank"], found["total_players"]) == (rank, 30)


async def test_a_full_disk_refuses_writes_and_loses_nothing(tmp_path):
    """PostgreSQL on a disk of its own that fills up: 503 for scores, reads go on, and when
    there is room again so do writes."""
    probe = await asyncio.create_subprocess_exec(
        "unshare", "--user", "--map-root-user", "--mount", "true",
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    if await probe.wait():
        pytest.skip("this machine lets nobody mount a small disk of their own")
    script = BACKEND / "tests" / "full_disk.py"
    disk = tmp_path / "d"
    disk.mkdir()
    mount = f'mount -t tmpfs -o size=170m tmpfs "{disk}" && exec "$@"'
    child = await asyncio.create_subprocess_exec(
        "unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, "sh",
        sys.executable, str(script), str(disk),
        cwd=BACKEND, env={**os.environ, "PYTHONPATH": str(BACKEND)},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    said, errors = await asyncio.wait_for(child.communicate(), 100)
    assert child.returncode == 0, errors.decode()[-3000:]
    assert said.decode().split() == ["refused", "told", "read", "written", "verified"]
    log = errors.decode()
    assert log.count("scores can't be stored") == 1
    assert '"why": "disk full"' in log
