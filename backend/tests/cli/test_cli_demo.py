"""`leaderboard demo`, `watch --once` and the maintenance commands beside a running service."""

import itertools

from cli_helpers import run

from app.cli.demo.names import usernames
from app.core.names import clean_name, name_key


def test_demo_fills_the_board_and_plays(service):
    done = run("demo", "--data", service.data, "--players", 60, "--seconds", 2, "--rate", 40)

    assert done.returncode == 0, done.stderr
    assert "60 players" in done.stdout
    assert "10 of them new" in done.stdout  # the fixture made fifty
    assert "0 rejected" in done.stdout
    assert "errors 0" in done.stdout
    status, top = service.get("/api/leaderboard/top?limit=1000")
    assert status == 200
    assert top["total_players"] == 60
    assert {entry["username"] for entry in top["entries"]} == set(itertools.islice(usernames(), 60))


def test_names_are_valid_and_unique():
    names = list(itertools.islice(usernames(), 20_000))
    assert [clean_name(name) for name in names] == names
    assert len({name_key(name) for name in names}) == len(names)
    assert names[:100] == list(itertools.islice(usernames(), 100))


def test_watch_once(service):
    _, top = service.get("/api/leaderboard/top?limit=3")
    best = top["entries"][0]

    done = run("watch", "--once", "--top", 3, "--player", best["user_id"], "--data", service.data)

    assert done.returncode == 0, done.stderr
    assert best["username"] in done.stdout
    assert f"{best['total_score']:,}" in done.stdout
    assert "You: rank 1 of" in done.stdout


def test_watch_for_an_unknown_player(service):
    done = run("watch", "--once", "--player", 10**9, "--data", service.data)
    assert done.returncode == 1
    assert "no player" in done.stderr


def test_maintenance_beside_the_service(service):
    for command in ("migrate", "rebuild", "verify"):
        done = run(command, "--data", service.data)
        assert done.returncode == 0, done.stderr
    assert "All agree" in done.stdout
    assert service.is_well()


def test_verify_without_a_service(data):
    done = run("verify", "--data", data)
    assert done.returncode == 0, done.stdout + done.stderr
