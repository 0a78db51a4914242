import os
import signal

import pytest
from embedded_helpers import FAST, Parent, eventually, living, sql, valkey

DURABLE = {"shared_buffers": "16MB"}


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGHUP, -signal.SIGHUP)])
def test_an_ended_parent_has_stopped_both_in_order(data, number, code):
    """SIGTERM is handled; on SIGHUP the parent just ends, and the kernel tells the servers."""
    log = data / "log" / "postgres.log"
    before = len(log.read_text())
    with Parent(data) as parent:
        assert parent.wait_said()["postgres"]
        assert parent.end(number) == code
        if number == signal.SIGTERM:
            assert not any(living(pid) for pid in parent.pids)
        assert eventually(lambda: not any(living(pid) for pid in parent.pids))
    assert "database system is shut down" in log.read_text()[before:]


def test_after_a_killed_parent_both_go_and_the_next_start_has_the_data(data, start):
    with Parent(data, settings=DURABLE) as parent:
        parent.wait_said()
        write(data)
        parent.end(signal.SIGKILL)
        servers = start()  # at once: it waits for the old ones
        assert not any(living(pid) for pid in parent.pids)
    assert_written(servers)


def test_after_all_three_were_killed_the_data_is_there(data, start):
    with Parent(data, settings=DURABLE) as parent:
        parent.wait_said()
        write(data)
        for pid in parent.pids:
            os.kill(pid, signal.SIGKILL)
        parent.end(signal.SIGKILL)
    assert (data / "postgres" / "postmaster.pid").exists()
    assert_written(start())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("moment", ["postgres.unfinished", "postgres.unfinished/base/1/PG_VERSION"])
def test_a_first_start_that_was_ended_is_made_good_by_the_next(tmp_path, start, moment, number):
    data = tmp_path / "first"
    with Parent(data, settings=FAST) as parent:
        assert eventually((data / moment).exists)
        assert parent.end(number) == (0 if number == signal.SIGTERM else -number)
    assert not (data / "postgres").exists()
    servers = start(data)
    assert sql(servers, "select current_database()") == "leaderboard"
    assert not (data / "postgres.unfinished").exists()


class Folder:
    """The addresses of servers that another process runs."""

    def __init__(self, data):
        self.postgres_dsn = f"postgresql://leaderboard@/leaderboard?host={data / 'run'}"
        self.redis_url = f"unix://{data / 'run' / 'valkey.sock'}"


def write(data):
    servers = Folder(data)
    sql(servers, "drop table if exists kept; create table kept as select 42 as value")
    with valkey(servers) as client:
        # Answers once the append-only file is on disk, so the test need not wait for its second.
        client.config_set("appendfsync", "always")
        client.set("kept", 43)


def assert_written(servers):
    assert sql(servers, "select value from kept") == "42"
    with valkey(servers) as client:
        assert client.get("kept") == b"43"
