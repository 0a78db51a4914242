"""What can't work is said in one line, with exit code 1."""

import socket

import pytest
from cli_helpers import run


def one_line(done):
    assert done.returncode == 1, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("leaderboard: ")
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def test_port_taken(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = one_line(run("serve", "--port", port, "--data", tmp_path / "d"))
    assert f"port {port} on 127.0.0.1 is taken" in said
    assert not (tmp_path / "d").exists()


@pytest.mark.parametrize("given", ["DATABASE_URL", "REDIS_URL"])
def test_only_one_server_given(tmp_path, given):
    said = one_line(run("serve", "--data", tmp_path / "d", **{given: "redis://localhost"}))
    assert f"{given} is set and" in said


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("postgresql+asyncpg://nobody@127.0.0.1:1/none", "no database at"),
        ("postgresql://nobody@127.0.0.1:1/none", "postgresql+asyncpg://"),
        ("nonsense", "DATABASE_URL is not usable"),
    ],
)
def test_database_that_is_not_there(url, why):
    redis = "redis://127.0.0.1:1"
    said = one_line(run("migrate", "--wait", 0, DATABASE_URL=url, REDIS_URL=redis))
    assert why in said


def test_bad_settings(tmp_path):
    said = one_line(run("serve", "--data", tmp_path / "d", LIVE_TOP="0", DATABASE_POOL_SIZE="x"))
    assert "LIVE_TOP" in said
    assert "DATABASE_POOL_SIZE" in said


def test_nothing_to_verify(tmp_path):
    assert "there is no data in" in one_line(run("verify", "--data", tmp_path / "d"))


@pytest.mark.parametrize("command", [("watch", "--once"), ("demo",)])
def test_no_service_there(command):
    assert "http://127.0.0.1:1" in one_line(run(*command, "--url", "127.0.0.1:1"))
