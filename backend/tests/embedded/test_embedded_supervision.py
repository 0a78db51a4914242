import logging
import os
import signal
import time

import pytest
from embedded_helpers import eventually, living, sql, valkey

from app.core.backoff import Backoff
from app.core.embedded import EmbeddedError


def ping(servers):
    with valkey(servers) as client:
        return client.ping()


def test_a_killed_valkey_comes_back_with_its_data(servers):
    with valkey(servers) as client:
        client.config_set("appendfsync", "always")
        client.set("kept", 43)
    old = servers.valkey.pid
    os.kill(old, signal.SIGKILL)
    assert eventually(lambda: servers.valkey.pid not in {None, old} and ping(servers))
    with valkey(servers) as client:
        assert client.get("kept") == b"43"


def test_a_killed_postgres_comes_back_with_its_data(servers):
    sql(servers, "drop table if exists kept; create table kept as select 42 as value")
    old = servers.postgres.pid
    servers.postgres.kill()
    assert eventually(lambda: servers.postgres.pid not in {None, old})
    assert eventually(lambda: sql(servers, "select value from kept") == "42")


def test_both_at_once_and_again(servers):
    for _ in range(2):
        old = {servers.postgres.pid, servers.valkey.pid}
        servers.valkey.kill()
        servers.postgres.kill()
        assert eventually(
            lambda old=old: (
                not old & {servers.postgres.pid, servers.valkey.pid, None}
                and ping(servers)
                and sql(servers, "select 1") == "1"
            )
        )


def test_a_stopped_server_stays_stopped_until_started(servers):
    servers.valkey.stop()
    time.sleep(0.4)
    assert not servers.valkey.alive
    servers.valkey.start()
    assert ping(servers)


def test_start_of_a_server_that_runs_or_is_coming_back(servers):
    servers.valkey.start()
    servers.valkey.kill()
    servers.valkey.start()
    assert ping(servers)


def test_a_server_that_ignores_signals_is_killed(servers, monkeypatch, caplog):
    steps = ((signal.SIGINT, 0.1), (signal.SIGQUIT, 0.1))
    monkeypatch.setattr(type(servers.postgres), "stop_steps", steps)
    pid = servers.postgres.pid
    os.kill(pid, signal.SIGSTOP)
    servers.postgres.stop()
    assert not living(pid)
    assert "PostgreSQL ignored SIGINT" in caplog.text
    assert "PostgreSQL ignored SIGQUIT" in caplog.text


def test_without_supervision_the_dead_stay_dead(start):
    servers = start(supervise=False)
    servers.valkey.kill()
    servers.postgres.kill()
    time.sleep(0.4)
    assert (servers.valkey.pid, servers.postgres.pid) == (None, None)
    servers.postgres.start()
    servers.valkey.start()
    assert ping(servers)
    assert sql(servers, "select 1") == "1"


def test_a_server_that_cannot_come_back_is_tried_again(servers, data, monkeypatch, caplog):
    caplog.set_level(logging.WARNING)

    def no_command():
        raise EmbeddedError("the binary is gone")

    with monkeypatch.context() as broken:
        broken.setattr(servers.valkey, "command", no_command)
        servers.valkey.kill()
        assert eventually(lambda: "cannot be restarted: the binary is gone" in caplog.text)
    assert eventually(lambda: ping(servers))


def test_pauses_double_up_to_a_bound_and_start_anew_after_a_stable_life(monkeypatch):
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    backoff = Backoff()
    backoff.started()
    assert [backoff.schedule() for _ in range(8)] == pytest.approx(
        [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
    )
    backoff.started()
    now += 11
    assert backoff.schedule() == pytest.approx(0.1)
