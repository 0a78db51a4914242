import os
import stat
import time

import asyncpg
import pytest
import redis.asyncio
from embedded_helpers import FAST, sql, valkey
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from app.core.embedded import EmbeddedError, start_servers
from app.core.embedded.process import bound_log, log_tail


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


async def test_the_urls_work_with_our_clients(start, own_data):
    servers = start(own_data.rename(own_data.with_name("a b%c&d=e")))
    engine = create_async_engine(servers.database_url)
    async with engine.connect() as connection:
        row = (await connection.execute(text("select current_user, current_database()"))).one()
    await engine.dispose()
    assert tuple(row) == ("leaderboard", "leaderboard")
    connection = await asyncpg.connect(servers.postgres_dsn)
    assert await connection.fetchval("select 1") == 1
    await connection.close()
    async with redis.asyncio.from_url(servers.redis_url) as client:
        assert await client.ping()


def test_a_first_start_makes_a_private_folder_and_leaves_its_parent_alone(tmp_path):
    tmp_path.chmod(0o755)
    data = tmp_path / "d"
    with start_servers(data, postgres_settings=FAST) as servers:
        assert [sql(servers, "show server_encoding"), sql(servers, "show data_checksums")] == [
            "UTF8",
            "on",
        ]
        assert sql(servers, "show listen_addresses") == ""
        with valkey(servers) as client:
            assert client.config_get("port") == {"port": "0"}
        assert mode(data / "run") == mode(data / "valkey") == mode(data / "postgres") == 0o700
        assert mode(data / "run" / "valkey.sock") == 0o700
    assert mode(tmp_path) == 0o755


def test_an_open_folder_for_the_sockets_is_narrowed(start, data):
    (data / "run").chmod(0o777)
    start()
    assert mode(data / "run") == 0o700


def test_durable_by_default_and_there_again_in_a_second(start):
    servers = start(postgres_settings={})
    assert sql(servers, "show fsync") == "on"
    assert sql(servers, "show wal_compression") == "pglz"
    sql(servers, "drop table if exists kept; create table kept as select 42 as value")
    with valkey(servers) as client:
        assert client.config_get("append*")["appendonly"] == "yes"
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        client.set("kept", 43)
    servers.stop()
    servers.stop()  # once more does no harm
    assert (servers.postgres.pid, servers.valkey.pid) == (None, None)

    began = time.monotonic()
    servers = start(postgres_settings={})
    assert time.monotonic() - began < 1.0
    assert sql(servers, "select value from kept") == "42"
    with valkey(servers) as client:
        assert client.get("kept") == b"43"


def test_a_ctrl_c_at_the_terminal_is_for_the_app_alone(servers):
    assert os.getsid(servers.postgres.pid) != os.getsid(0)
    assert os.getsid(servers.valkey.pid) != os.getsid(0)


def test_to_start_what_runs_changes_nothing(servers):
    pids = (servers.postgres.pid, servers.valkey.pid)
    with servers.start() as same:
        assert (same.postgres.pid, same.valkey.pid) == pids


def test_settings_of_the_caller_win(start):
    servers = start(
        postgres_settings={**FAST, "max_connections": "17"}, valkey_settings={"databases": "3"}
    )
    assert sql(servers, "show max_connections") == "17"
    with valkey(servers) as client:
        assert client.config_get("databases") == {"databases": "3"}


@pytest.mark.parametrize(("name", "reason"), [("x" * 100, "too long"), ("a,b", "comma")])
def test_a_name_that_no_socket_can_have(tmp_path, name, reason):
    with pytest.raises(EmbeddedError, match=reason) as caught:
        start_servers(tmp_path / name)
    assert "--data" in str(caught.value)
    assert not (tmp_path / name).exists()


def test_the_longest_name_works(start, own_data):
    longest = 107 - len("/run/.s.PGSQL.5432")
    folder = own_data.rename(own_data.parent / ("x" * (longest - len(str(own_data.parent)) - 1)))
    assert sql(start(folder), "select 1") == "1"


def test_a_log_is_bounded_while_it_is_written(tmp_path):
    log = tmp_path / "postgres.log"
    with log.open("ab") as server_side:
        server_side.write(b"x" * 2000)
        server_side.flush()
        bound_log(log, limit=1000)
        server_side.write(b"after\n")
    assert log.read_bytes() == b"after\n"
    assert (tmp_path / "postgres.log.old").stat().st_size == 2000


def test_the_end_of_a_log_is_one_line_and_prefers_reasons(tmp_path):
    log = tmp_path / "postgres.log"
    assert "cannot be read" in log_tail(log)
    log.write_text("old\n")
    mark = log.stat().st_size
    assert log_tail(log, mark) == f"it said nothing (log: {log})"
    with log.open("a") as file:
        file.write("1 LOG:  starting\n1 FATAL:  no\n1 HINT:  do\n1 LOG:  shut down\n")
    assert log_tail(log, mark) == f"1 FATAL:  no | 1 HINT:  do (log: {log})"
