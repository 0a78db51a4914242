import fcntl
import os
import threading

import pytest
from embedded_helpers import Parent, living, sleeper, sql

from app.core.embedded import EmbeddedError, server, start_servers


def test_a_second_instance_is_refused_by_name(servers, data):
    with pytest.raises(EmbeddedError) as caught:
        start_servers(data)
    assert str(data) in str(caught.value)
    assert f"process {os.getpid()}" in str(caught.value)
    assert sql(servers, "select 1") == "1"


def test_a_second_process_is_refused_by_name(servers, data):
    with Parent(data) as second:
        assert f"{data} is in use by process {os.getpid()}" in second.wait_said()["error"]
        assert second.process.wait(10) == 1
    assert sql(servers, "select 1") == "1"


def test_a_folder_is_free_again_after_stop(start):
    for _ in range(2):
        start().stop()


@pytest.mark.parametrize("name", ["postgres", "valkey"])
def test_a_server_of_an_earlier_run_that_will_not_end(start, data, monkeypatch, name):
    monkeypatch.setattr(server, "LOCK_SECONDS", 0.2)
    with (data / f"{name}.lock").open("w") as held:
        held.write("4711\n")
        held.flush()
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(EmbeddedError, match=r"earlier run still uses .* \(process 4711\)"):
            start()
    assert start().postgres.alive


def test_stale_pid_files_that_name_a_living_process(start, data):
    with sleeper() as pid:
        stale = f"{pid}\n{data / 'postgres'}\n1\n5432\n{data / 'run'}\n\n  1 1\nready\n"
        (data / "postgres" / "postmaster.pid").write_text(stale)
        (data / "run" / ".s.PGSQL.5432.lock").write_text(stale)
        (data / "run" / "valkey.sock").touch()
        for name in ("owner", "postgres", "valkey"):
            (data / f"{name}.lock").write_text(f"{pid}\n")
        assert sql(start(), "select 1") == "1"
        assert living(pid)


def test_servers_outlive_the_thread_that_started_them(start):
    """The kernel's signal on a parent's death is one on the death of the parent's *thread*."""
    started = []
    thread = threading.Thread(target=lambda: started.append(start()))
    thread.start()
    thread.join()
    threading.Event().wait(0.3)
    assert sql(started[0], "select 1") == "1"
    assert started[0].valkey.alive
