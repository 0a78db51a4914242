"""The service runs with a role that does not own its tables."""

import asyncio
import os
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import asyncpg
import pytest
from alembic import command

from app.cli.database import prepare_database
from app.cli.failures import CliError
from app.core.database import create_engine, raw_connection
from app.services import rights
from app.services.access.callers import Scope
from app.services.access.key_admin import KeyAdmin
from app.services.rank_index.past import overtake
from app.services.schema import ensure_partitions_of, run_alembic
from app.services.verify import verify
from tests.conftest import OWNER, SERVICE, Sandbox

MADE = """
SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace
AND (relkind IN ('r', 'p') AND NOT relispartition OR relname = 'event_id_seq')
"""
OWNED = "SELECT relname FROM pg_class WHERE relowner = $1::text::regrole"


@pytest.fixture
async def apart(servers, template):
    """An empty database that one role owns and another one uses, as a new volume of
    docker-compose.yml."""
    name = f"apart_{os.getpid()}"
    admin = await asyncpg.connect(servers.postgres_dsn)
    await admin.execute(f"CREATE DATABASE {name} OWNER {OWNER}")
    await admin.execute(f"REVOKE ALL ON DATABASE {name} FROM PUBLIC")
    await admin.execute(f"GRANT CONNECT ON DATABASE {name} TO {SERVICE}")
    box = Sandbox(servers, name)
    yield box
    box.forget_index()
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()


def as_owner(box):
    return box.make_settings(database_url=box.url_as(OWNER))


@asynccontextmanager
async def connected(box, role: str | None = None):
    """As the superuser, if no role is named."""
    connection = await asyncpg.connect(box.servers.postgres_dsn, user=role, database=box.name)
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def engine_of(settings, **arguments):
    engine = create_engine(settings, **arguments)
    try:
        yield engine
    finally:
        await engine.dispose()


async def initialize(box) -> None:
    """What `init --service-role` does in docker-compose.yml."""
    await prepare_database(as_owner(box), service_role=SERVICE)


@pytest.fixture
async def ready(apart):
    await initialize(apart)
    return apart


async def test_every_table_has_a_line(ready):
    """A new table needs one in `rights.RIGHTS`."""
    async with connected(ready) as connection:
        made = {row["relname"] for row in await connection.fetch(MADE)}
    assert made == rights.RIGHTS.keys() | rights.SEQUENCE_RIGHTS.keys()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_log SET reason = 'x'",
        "DELETE FROM audit_log",
        "TRUNCATE audit_log",
        "DELETE FROM audit_head",
        "TRUNCATE audit_head",
        "INSERT INTO audit_head (last_id, hash) VALUES (0, '')",
        "UPDATE audit_head SET last_id = last_id - 1",
        "UPDATE audit_head SET last_id = 1, hash = (SELECT hash FROM audit_log WHERE id = 1)",
        "UPDATE audit_head SET hash = ''",
        "ALTER TABLE audit_log DISABLE TRIGGER USER",
        "DROP TRIGGER append_only ON audit_log",
        "DROP TRIGGER follow_audit_log ON audit_head",
        "DROP TABLE audit_log",
        "DROP TABLE submission_keys",
        "DROP FUNCTION follow_audit_log CASCADE",
        "ALTER FUNCTION refuse_change RENAME TO other",
        "CREATE TABLE public.other (id int)",
        "CREATE TEMP TABLE audit_log (id int)",
        "CREATE SCHEMA other",
        "UPDATE game_sessions SET score = 0",
        "DELETE FROM game_sessions",
        "TRUNCATE game_sessions",
        "DROP INDEX idx_session_id",
        "UPDATE alembic_version SET version_num = '0001'",
        f"SET ROLE {OWNER}",
    ],
)
async def test_what_the_service_may_not_do(ready, statement):
    async with engine_of(ready.settings) as engine:
        for name in ("one", "two"):
            await KeyAdmin(engine).create(name, {Scope.READ}, "test")
    refused = (asyncpg.InsufficientPrivilegeError, asyncpg.RestrictViolationError)
    log = "SELECT (SELECT array_agg(a) FROM audit_log a), (SELECT h FROM audit_head h)"
    async with connected(ready, SERVICE) as connection:
        before = await connection.fetchrow(log)
        with pytest.raises(refused):
            await connection.execute(statement)
        assert await connection.fetchrow(log) == before


async def test_partitions_are_made_with_the_owners_rights(ready):
    old = [datetime(2019, month, 17, tzinfo=UTC) for month in (2, 12)]
    async with engine_of(ready.settings) as engine:
        made = await ensure_partitions_of(engine, old)
        assert made == ["game_sessions_2019_02", "game_sessions_2019_12"]
        assert await ensure_partitions_of(engine, old) == []
    bounds = "SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE relname = $1"
    async with connected(ready) as connection:
        assert await connection.fetchval(bounds, made[1]) == (
            "FOR VALUES FROM ('2019-12-01 00:00:00+00') TO ('2020-01-01 00:00:00+00')"
        )
        await connection.execute("SET ROLE pg_monitor")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("SELECT public.make_partition('2018-01-01')")


async def test_what_one_role_owned_is_taken_over_beside_its_service(apart):
    """As on a volume of the version before, while its backends run: no score is refused."""
    async with connected(apart) as admin:
        await admin.execute(f"GRANT CREATE ON SCHEMA public TO {SERVICE}")
    await prepare_database(apart.settings)
    async with apart.worker() as worker, connected(apart) as admin:
        players = await worker.add_players(4)
        answers: list[int] = []
        is_over = asyncio.Event()

        async def play(player: int) -> None:
            while not is_over.is_set():
                answers.append((await worker.submit(player, 1)).status_code)

        playing = [asyncio.create_task(play(player)) for player in players]
        # A transaction that holds a table for longer than one try.
        async with admin.transaction():
            await admin.execute("LOCK TABLE leaderboard IN ACCESS SHARE MODE")
            taking = asyncio.create_task(initialize(apart))
            await asyncio.sleep(0.7)
            assert not taking.done()
        await taking
        before = len(answers)
        while len(answers) < before + 20:
            await asyncio.sleep(0.01)
        is_over.set()
        await asyncio.gather(*playing)
        assert set(answers) == {200}
        assert await admin.fetch(OWNED, SERVICE) == []
    await initialize(apart)
    found: list[str] = []
    assert await verify(apart.settings, found.append) == 0, found


async def test_a_role_that_may_not_migrate_is_told_what_to_do(apart):
    with pytest.raises(CliError, match="run `leaderboard init` as the tables' owner"):
        await prepare_database(apart.settings)
    await initialize(apart)
    await prepare_database(apart.settings)
    async with engine_of(as_owner(apart)) as engine, engine.connect() as connection:
        await connection.run_sync(run_alembic(lambda config: command.downgrade(config, "0008")))
        await connection.commit()
    with pytest.raises(CliError, match="must be owner"):
        await prepare_database(apart.settings)


async def test_the_sequence_is_moved_on(ready):
    """What the service does after a restore, with `UPDATE` on the sequence and on the players."""
    async with engine_of(ready.settings) as engine, raw_connection(engine) as connection:
        assert await overtake(connection, 5_000) == 5_000
