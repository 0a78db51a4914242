"""One throw-away PostgreSQL and Valkey a run; every test has its own database and key prefix."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import httpx
import pytest
import redis
from sqlalchemy import make_url

from app.core.config import Settings
from app.core.embedded import EmbeddedServers, start_servers
from app.main import create_app

TEMPLATE = "leaderboard_template"
OWNER, SERVICE = "owner", "service"
"""The roles of tests' databases, as in docker-compose.yml: who owns the tables, and whom all
services run as. So each test also shows that the service's rights are enough."""


@pytest.fixture(scope="session")
def servers() -> Iterator[EmbeddedServers]:
    """Real servers, in a short path because sockets' names are bounded."""
    folder = Path(tempfile.mkdtemp(prefix="lb-"))
    try:
        with start_servers(
            folder,
            postgres_settings={"fsync": "off", "full_page_writes": "off", "max_connections": "200"},
        ) as running:
            yield running
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def url_of(servers: EmbeddedServers, name: str, role: str) -> str:
    """Of a database, for a role."""
    url = make_url(servers.database_url).set(username=role, database=name)
    return url.render_as_string(hide_password=False)


class Sandbox:
    """A fresh database and a key prefix of one's own, on the run's servers."""

    def __init__(self, servers: EmbeddedServers, name: str, role: str = SERVICE) -> None:
        self.servers = servers
        self.name = name
        self.role = role
        self.settings = self.make_settings()

    def make_settings(self, **changes: object) -> Settings:
        return Settings(
            _env_file=None,
            **{
                "database_url": self.url_as(self.role),
                "redis_url": self.servers.redis_url,
                "redis_prefix": f"{self.name}:",
                "sweep_interval": 0.5,
                "log_level": "warning",
                "rate_limits": False,
                "auth_mode": "open",
                **changes,
            },
        )

    def url_as(self, role: str) -> str:
        return url_of(self.servers, self.name, role)

    async def connect(self) -> asyncpg.Connection:
        """As the superuser, who may do anything."""
        return await asyncpg.connect(
            self.servers.postgres_dsn.replace("/leaderboard?", f"/{self.name}?")
        )

    def redis(self) -> redis.Redis:
        return redis.Redis.from_url(self.servers.redis_url)

    def forget_index(self) -> None:
        """What FLUSHALL does, to this sandbox alone and in one step as well."""
        with self.redis() as client:
            client.eval(
                "for _, key in ipairs(redis.call('KEYS', ARGV[1])) do redis.call('DEL', key) end",
                0,
                f"{self.name}:*",
            )

    @asynccontextmanager
    async def worker(self, *, wait: bool = True, **changes: object) -> AsyncIterator["Worker"]:
        """One worker of the service in this process, behind its real ASGI interface.

        `wait`: until the index is trusted and mirrored."""
        app = create_app(self.make_settings(**changes))
        async with app.router.lifespan_context(app) as state:
            transport = httpx.ASGITransport(_with_state(app, state), raise_app_exceptions=False)
            async with httpx.AsyncClient(
                transport=transport, base_url="http://localhost", timeout=60
            ) as client:
                worker = Worker(client, state)
                if wait:
                    await worker.ready()
                yield worker

    @asynccontextmanager
    async def serve(self, **changes: object) -> AsyncIterator[str]:
        """One worker behind real sockets in this process. Its host and port."""
        async with serve(create_app(self.make_settings(**changes))) as address:
            async with (
                httpx.AsyncClient(base_url=f"http://{address}") as client,
                asyncio.timeout(10),
            ):
                while (await client.get("/api/leaderboard/health")).json()["status"] != "ok":
                    await asyncio.sleep(0.02)
            yield address


def _with_state(app, state):
    async def wrapped(scope, receive, send):
        await app({**scope, "state": dict(state)}, receive, send)

    return wrapped


class Worker:
    """A client of one worker, with the service behind it."""

    def __init__(self, client: httpx.AsyncClient, state: dict) -> None:
        self.client = client
        self.state = state
        self.service = state["service"]
        self.standings = self.service.standings.of(self.service.boards.default)

    async def ready(self) -> None:
        async with asyncio.timeout(10):
            await self.standings.index.wait_trusted()
            while self.standings.follower.mirror is None:
                await asyncio.sleep(0.01)

    async def add_players(self, count: int, prefix: str = "player") -> list[int]:
        made = []
        for number in range(count):
            answer = await self.client.post("/api/users", json={"username": f"{prefix}-{number}"})
            assert answer.status_code == 201, answer.text
            made.append(answer.json()["user_id"])
        return made

    async def submit(self, user_id: int, score: int, *, key: str | None = None, **fields):
        headers = {} if key is None else {"Idempotency-Key": key}
        return await self.client.post(
            "/api/leaderboard/submit",
            json={"user_id": user_id, "score": score, **fields},
            headers=headers,
        )

    async def top(self, **query) -> list[dict]:
        answer = await self.client.get("/api/leaderboard/top", params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()["entries"]

    async def rank(self, user_id: int) -> dict:
        answer = await self.client.get(f"/api/leaderboard/rank/{user_id}")
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture(scope="session")
async def template(servers: EmbeddedServers) -> str:
    """A migrated database that tests copy: a copy takes milliseconds, a migration more."""
    from app.core.database import create_engine
    from app.services.schema import migrate

    connection = await asyncpg.connect(servers.postgres_dsn)
    await connection.execute(f"CREATE ROLE {SERVICE} LOGIN; CREATE ROLE {OWNER} LOGIN")
    await connection.execute(f"GRANT {SERVICE} TO {OWNER}")
    await connection.execute(f"CREATE DATABASE {TEMPLATE} OWNER {OWNER}")
    await connection.close()
    # For copies, whose owner is who makes them.
    connection = await asyncpg.connect(servers.postgres_dsn, database=TEMPLATE)
    await connection.execute(f"GRANT CREATE ON SCHEMA public TO {OWNER}")
    await connection.close()
    url = url_of(servers, TEMPLATE, OWNER)
    engine = create_engine(Settings(_env_file=None, database_url=url))
    await migrate(engine, partitions_ahead=1, service_role=SERVICE)
    await engine.dispose()
    return TEMPLATE


_count = iter(range(1_000_000))


@pytest.fixture
async def sandbox(servers: EmbeddedServers, template: str) -> AsyncIterator[Sandbox]:
    name = f"t{os.getpid()}_{next(_count)}"
    admin = await asyncpg.connect(servers.postgres_dsn)
    await admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    box = Sandbox(servers, name)
    await admin.close()
    yield box
    box.forget_index()
    admin = await asyncpg.connect(servers.postgres_dsn)  # the test may have restarted it
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()


@pytest.fixture
async def worker(sandbox: Sandbox) -> AsyncIterator[Worker]:
    async with sandbox.worker() as running:
        yield running


@asynccontextmanager
async def serve(app: object) -> AsyncIterator[str]:
    """A worker behind real sockets in this process, as production runs it. Its address."""
    import uvicorn

    config = uvicorn.Config(
        app,
        port=0,
        http="app.api.http_protocol:PatientProtocol",
        proxy_headers=False,
        ws="app.websocket.transport:FramesProtocol",
        ws_max_size=1_024,
        ws_per_message_deflate=False,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=5,
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server._serve())
    try:
        async with asyncio.timeout(20):
            while not server.started:
                if task.done():
                    task.result()
                await asyncio.sleep(0.01)
        yield f"127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
