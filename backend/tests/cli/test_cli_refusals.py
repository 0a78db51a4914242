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


@pytest.mark.parametrize(
    ("given", "url"), [("DATABASE_URL", "postgresql://h/d"), ("REDIS_URL", "redis://localhost")]
)
def test_only_one_server_given(tmp_path, given, url):
    said = one_line(run("serve", "--data", tmp_path / "d", **{given: url}))
    assert f"{given} is set and" in said


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("postgresql+asyncpg://nobody@127.0.0.1:1/none", "no database at"),
        ("postgres://nobody@127.0.0.1:1/none?sslmode=require", "no database at"),
        ("nonsense", "DATABASE_URL is no URL"),
    ],
)
def test_database_that_is_not_there(url, why):
    redis = "redis://127.0.0.1:1"
    said = one_line(run("migrate", "--wait", 0, DATABASE_URL=url, REDIS_URL=redis))
    assert why in said


@pytest.mark.parametrize("command", ["verify", "export games", "backup", "restore"])
def test_commands_on_a_database_that_is_not_there(tmp_path, command):
    file = tmp_path / "games.csv"
    if command == "restore":
        file.touch()
    given = {"DATABASE_URL": "postgresql://u:secret@127.0.0.1:1/x", "REDIS_URL": "redis://[::1]:1"}
    done = run(*command.split(), *([] if command == "verify" else [file]), **given)
    *bar, said = done.stderr.splitlines()
    assert (done.returncode, said[:40]) == (1, "leaderboard: no database at DATABASE_URL")
    assert len(bar) <= 1, done.stderr
    assert "secret" not in done.stderr


def test_bad_settings(tmp_path):
    wrong = {"LIVE_TOP": "0", "DATABASE_POOL_SIZE": "x", "LOG_LEVEL": "nope", "TIERS": "gold"}
    done = run("serve", "--data", tmp_path / "d", ALLOWED_ORIGINS="a.io", **wrong)
    assert (done.returncode, done.stdout) == (1, "")
    assert sorted(done.stderr.splitlines()) == [
        f"leaderboard: {fault}"
        for fault in (
            "ALLOWED_ORIGINS has a.io, an origin without a scheme: write https://a.io",
            "DATABASE_POOL_SIZE must be a whole number (it is x)",
            "LIVE_TOP must be at least 1 (it is 0)",
            "LOG_LEVEL must be debug, info, warning or error (it is nope)",
            'TIERS must be pairs of a name and a percentile, as in [["Gold", 70], ["Bronze", 0]]',
        )
    ]


def test_nothing_to_verify(tmp_path):
    assert "there is no data in" in one_line(run("verify", "--data", tmp_path / "d"))


@pytest.mark.parametrize("command", [("watch", "--once"), ("demo",)])
def test_no_service_there(command):
    assert "http://127.0.0.1:1" in one_line(run(*command, "--url", "127.0.0.1:1"))


def test_a_scope_that_is_none():
    done = run("keys", "create", "--name", "game", "--scope", "bogus")
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert last == "Error: Invalid value for '--scope': bogus is not one of read, submit, admin"
