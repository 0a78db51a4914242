"""PostgreSQL and Redis of a provider: with TLS, users and poolers; what can't work is refused."""

import shutil
import subprocess
import time

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from app.cli.database import prepare_database
from app.cli.failures import CliError, describe
from app.cli.redis_check import check_redis
from app.core.database import create_engine, is_away, raw_connection
from app.core.embedded.binaries import valkey_binary
from app.core.embedded.folder import POSTGRES_PORT
from app.core.redis import create_client
from app.services.sql_standings import SlowLane
from tests.nginx_helpers import free_port
from tests.tls_front import make_certificate, tls_in_front

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl")


async def ask(settings, query="SELECT current_database()"):
    engine = create_engine(settings)
    try:
        async with engine.connect() as connection:
            return (await connection.execute(text(query))).scalar_one()
    finally:
        await engine.dispose()


@needs_openssl
async def test_postgresql_by_tls(sandbox, servers, tmp_path):
    context = make_certificate(tmp_path)
    socket = f"{make_url(servers.postgres_dsn).query['host']}/.s.PGSQL.{POSTGRES_PORT}"
    async with tls_in_front(socket, context, asked_for=True) as (port, encrypted):
        place = f"leaderboard@localhost:{port}/{sandbox.name}"
        authority = tmp_path / "ca.pem"
        for form in (
            f"postgres://{place}?sslmode=require",
            f"postgresql+asyncpg://{place}?ssl=require",
            f"postgresql://{place}?sslmode=verify-full&sslrootcert={authority}&channel_binding=prefer",
        ):
            assert await ask(sandbox.make_settings(database_url=form)) == sandbox.name, form
        assert len(encrypted) == 3
        # The certificate is none that the system knows.
        unknown = sandbox.make_settings(database_url=f"postgres://{place}?sslmode=verify-full")
        with pytest.raises(Exception, match="certificate"):
            await ask(unknown)
        plain = sandbox.make_settings(database_url=f"postgres://{place}?sslmode=disable")
        with pytest.raises(Exception) as hung_up:
            await ask(plain)
        assert is_away(hung_up.value)


async def test_statements_behind_a_pooler_have_names_of_their_own(sandbox):
    """As after a transaction on another server connection: nothing that was prepared is known."""
    url = f"{sandbox.settings.database_url}&pgbouncer=true"
    settings = sandbox.make_settings(database_url=url, database_pool_size=2)
    engine = create_engine(settings)
    try:
        for _ in range(3):
            async with engine.connect() as connection:
                found = await connection.execute(text("SELECT :n + 1"), {"n": 1})
                assert found.scalar_one() == 2
                await connection.execute(text("DEALLOCATE ALL"))
            async with raw_connection(engine) as raw:
                assert await raw.fetchval("SELECT $1::int + 1", 1) == 2
                await raw.execute("DEALLOCATE ALL")
                assert await raw.fetchval("SELECT count(*) FROM pg_prepared_statements") == 0
    finally:
        await engine.dispose()


@pytest.mark.parametrize("pooled", [False, True])
async def test_the_fall_back_asks_for_its_session_as_all_others_do(sandbox, monkeypatch, pooled):
    """A pooler refuses connections that ask for more, and a URL's options hold for all of them."""
    asked = []
    connect = asyncpg.connect

    async def watched(*args, **kwargs):
        asked.append(kwargs["server_settings"])
        return await connect(*args, **kwargs)

    monkeypatch.setattr(asyncpg, "connect", watched)
    more = "&pgbouncer=true" if pooled else "&options=-c+work_mem%3D1234kB"
    lane = SlowLane(sandbox.make_settings(database_url=f"{sandbox.settings.database_url}{more}"))
    try:
        async with lane.snapshot() as raw:
            shown = [
                await raw.fetchval(f"SHOW {name}")
                for name in ("jit", "max_parallel_workers_per_gather", "application_name")
            ]
            assert shown == ["off", "0", "leaderboard fall-back"]
            if not pooled:
                assert await raw.fetchval("SHOW work_mem") == "1234kB"
    finally:
        await lane.close()
    assert set(asked[0]) == {"application_name", "timezone"} | (set() if pooled else {"options"})


async def test_a_pooler_that_was_not_said_is_told(sandbox):
    engine = create_engine(sandbox.settings)
    try:
        async with engine.connect() as connection:
            await connection.execute(text("SELECT 1"))
            await connection.execute(text("DEALLOCATE ALL"))
            with pytest.raises(DBAPIError) as refused:
                await connection.execute(text("SELECT 1"))
    finally:
        await engine.dispose()
    assert describe(refused.value).endswith("add pgbouncer=true to DATABASE_URL")


async def test_a_database_that_can_not_be_written_to(sandbox):
    connection = await sandbox.connect()
    await connection.execute(
        f"ALTER DATABASE {sandbox.name} SET default_transaction_read_only = on"
    )
    await connection.close()
    with pytest.raises(CliError, match="name the primary"):
        await prepare_database(sandbox.settings, wait=0)


@pytest.fixture
def valkey(tmp_path):
    """A Valkey of the test's own: `start` gives its socket."""
    running = []

    def start(*options):
        socket = tmp_path / "r.sock"
        running.append(
            subprocess.Popen(
                [
                    valkey_binary(),
                    "--port",
                    "0",
                    "--unixsocket",
                    socket,
                    "--dir",
                    tmp_path,
                    *options,
                ],
                stdout=subprocess.DEVNULL,
            )
        )
        deadline = time.monotonic() + 20
        while not socket.exists():
            assert time.monotonic() < deadline, "Valkey does not start"
            time.sleep(0.01)
        return socket

    yield start
    for process in running:
        process.kill()
        process.wait()


USERS = ("--user", "lb", "on", ">p@ss", "~*", "&*", "+@all", "--user", "default", "off")


async def refused(sandbox, url):
    with pytest.raises(CliError) as caught:
        await check_redis(sandbox.make_settings(redis_url=url, redis_timeout=5))
    return str(caught.value)


@needs_openssl
async def test_redis_by_tls_with_a_user(sandbox, valkey, tmp_path):
    socket = valkey(*USERS)
    context = make_certificate(tmp_path)
    async with tls_in_front(str(socket), context, asked_for=False) as (port, encrypted):
        for form in (f"ssl_ca_certs={tmp_path / 'ca.pem'}", "ssl_cert_reqs=none"):
            url = f"rediss://lb:p%40ss@localhost:{port}/0?{form}"
            settings = sandbox.make_settings(redis_url=url, redis_timeout=5)
            await check_redis(settings)
            client = create_client(settings, lambda _: None, timeout=5, connections=1)
            try:
                assert await client.execute_command("ACL", "WHOAMI") == b"lb"
            finally:
                await client.aclose()
        assert len(encrypted) == 4
        for user in ("lb:wrong@", "", ":p%40ss@"):
            said = await refused(sandbox, f"rediss://{user}localhost:{port}/0?ssl_cert_reqs=none")
            assert "the user or the password of REDIS_URL" in said


async def test_a_redis_that_can_not_be_written_to(sandbox, valkey):
    socket = valkey("--replicaof", "127.0.0.1", "1")
    assert "name the primary" in await refused(sandbox, f"unix://{socket}")


async def test_a_cluster_is_refused(sandbox, valkey):
    # A cluster listens on TCP as well.
    socket = valkey("--port", str(free_port()), "--cluster-enabled", "yes", "--cluster-port", "0")
    assert "Redis Cluster" in await refused(sandbox, f"unix://{socket}")


async def test_a_redis_that_is_away_is_no_reason_not_to_start(sandbox, tmp_path):
    await check_redis(sandbox.make_settings(redis_url=f"unix://{tmp_path}/none"))
