"""Closed services at the command line: secrets, the first key, keys, boards, the audit log."""

import json
import secrets
import stat
import urllib.error
import urllib.request

import pytest
from cli_helpers import Service, eventually, run
from test_cli_refusals import one_line

from app.services.access.tokens import Tokens

GOOD = secrets.token_urlsafe(48)


def ask(service, path, key=None, method="GET", body=None):
    """(status, document)"""
    headers = {"Content-Type": "application/json"}
    if key is not None:
        headers["Authorization"] = f"Bearer {key}"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(service.url + path, data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def greeting(service):
    """What `serve` says below its first line."""
    return [service.process.stdout.readline() for _ in range(5)]


def good(done):
    assert done.returncode == 0, done.stderr
    return done.stdout


# What a closed service needs

PLACEHOLDERS = (
    "changeme-changeme-changeme-changeme", "my-very-secret-and-long-secret-text",
    "0123456789" * 4, "a" * 64, "abab" * 16, "correct-horse-battery-PASSWORD-staple",
    "this-is-the-default-of-the-tutorial", "leaderboard-leaderboard-leaderboard",
)  # fmt: skip


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_an_address_that_others_reach_is_closed(tmp_path, host):
    said = one_line(run("serve", "--host", host, "--port", 0, "--data", tmp_path / "d"))
    assert "the closed mode needs a secret: set AUTH_SECRET or AUTH_SECRET_FILE" in said
    assert not (tmp_path / "d").exists()


def test_open_is_refused_where_others_reach_it(tmp_path):
    said = one_line(run("serve", "--host", "0.0.0.0", "--data", tmp_path / "d", AUTH_MODE="open"))
    assert "AUTH_MODE=open works on loopback alone" in said
    said = one_line(run("serve", "--auth", "--data", tmp_path / "d", AUTH_MODE="open"))
    assert "choose one" in said


@pytest.mark.parametrize(
    ("secret", "why"),
    [
        ("", "the closed mode needs a secret"),
        ("x9" * 15, "has 30 characters and needs at least 32"),
        *((each, "looks like a placeholder") for each in PLACEHOLDERS),
    ],
)
def test_a_secret_that_is_none(tmp_path, secret, why):
    """From the environment or from a file, and never shown."""
    arguments = ("serve", "--port", 0, "--data", tmp_path / "d")
    said = one_line(run(*arguments, AUTH_MODE="closed", AUTH_SECRET=secret))
    assert why in said
    file = tmp_path / "secret"
    file.write_text(f"{secret}\n")
    again = one_line(run(*arguments, AUTH_MODE="closed", AUTH_SECRET_FILE=str(file)))
    assert (why if secret else "AUTH_SECRET_FILE has nothing in it") in again
    assert not secret or secret not in said + again


def test_secrets_in_files(tmp_path):
    arguments = ("serve", "--port", 0, "--data", tmp_path / "d")
    missing = str(tmp_path / "nothing")
    for name in ("AUTH_SECRET", "DATABASE_URL", "REDIS_URL"):
        said = one_line(run(*arguments, **{f"{name}_FILE": missing}))
        assert f"{name}_FILE cannot read {missing}: No such file" in said
    file = tmp_path / "secret"
    file.write_bytes(b"\xff\xfe")
    assert "it is no text" in one_line(run(*arguments, AUTH_SECRET_FILE=str(file)))
    file.write_text(GOOD)
    said = one_line(run(*arguments, AUTH_SECRET_FILE=str(file), AUTH_SECRET=GOOD))
    assert "give one of the two" in said
    assert GOOD not in said
    file.write_text("postgresql+asyncpg://nobody:hidden@127.0.0.1:1/none\n")
    said = one_line(
        run("migrate", "--wait", 0, DATABASE_URL_FILE=str(file), REDIS_URL="redis://127.0.0.1:1")
    )
    assert "no database at" in said
    assert "hidden" not in said


# A closed service


def test_a_closed_service_from_its_first_key_on(data):
    with Service(data, "--auth", "--workers", "2") as service:
        (exported,) = [line for line in greeting(service) if "LEADERBOARD_KEY=" in line]
        admin = exported.strip().partition("LEADERBOARD_KEY=")[2]
        secret = data / "auth_secret"
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600
        assert ask(service, "/api/auth")[1]["mode"] == "closed"
        assert ask(service, "/api/keys")[0] == 401
        assert ask(service, "/api/keys", admin)[0] == 200

        # The demo and the terminal's board find their way in with it.
        options = ("--data", data, "--players", 20, "--rate", 20, "--seconds", 1)
        assert "LEADERBOARD_KEY" in one_line(run("demo", *options))
        assert "does not know this key" in one_line(run("demo", *options, "--key", "lb_x"))
        assert "0 rejected" in good(run("demo", *options, LEADERBOARD_KEY=admin))
        private = run("boards", "set", "global", "--private", "--data", data)
        assert good(private) == "global: read by keys and players; scores from keys.\n"
        refused = one_line(run("watch", "--once", "--data", data))
        assert "LEADERBOARD_KEY" in refused
        watched = run("watch", "--once", "--data", data, "--key", admin)
        assert "20 players" in good(watched)

        assert service.end() == 0
        assert admin not in service.said()
    # Started again there is no second first key.
    with Service(data, "--auth") as service:
        assert not [line for line in greeting(service) if "LEADERBOARD_KEY=" in line]
        assert ask(service, "/api/keys", admin)[0] == 200
        assert service.end() == 0
    # Without --auth, on loopback, it is open, and says so.
    with Service(data) as service:
        assert any(line.startswith("Open mode") for line in greeting(service))
        assert ask(service, "/api/auth")[1]["caller"]["kind"] == "open"
        assert ask(service, "/api/keys")[0] == 200
        assert service.end() == 0


def test_keys_and_their_acts_beside_a_running_service(data):
    with Service(data, "--auth") as service:
        made = run("keys", "create", "--name", "server", "--scope", "submit", "--data", data)
        key = good(made).strip()
        assert "shown this once" in made.stderr
        assert key not in made.stderr
        assert eventually(lambda: ask(service, "/api/auth", key)[0] == 200, 1)
        assert ask(service, "/api/users", key, "POST", {"username": "Nova"})[0] == 201
        token = ask(service, "/api/auth/player-token", key, "POST", {"user_id": 1})
        assert token[0] == 200
        new = good(run("keys", "rotate", key[:11], "--overlap", 0, "--data", data)).strip()
        listed = good(run("keys", "list", "--data", data))
        assert [each in listed for each in (key[:11], new[:11], "expired", "first admin")] == [
            True, True, True, True,
        ]  # fmt: skip
        assert not [each for each in (key, new) if each in listed]
        revoked = run("keys", "revoke", new[:11], "--reason", "It leaked.", "--data", data)
        assert good(revoked) == f"{new[:11]} (server) is revoked.\n"
        assert "There is no key 'nothing'" in one_line(
            run("keys", "revoke", "nothing", "--data", data)
        )
        assert "There is no board" in one_line(
            run("boards", "set", "nothing", "--private", "--data", data)
        )
        told = good(run("audit", "--data", data))
        *listed, _, newest = told.splitlines()[1:]
        acts = [line.split()[4] for line in listed]
        assert acts == ["token.make"] * acts.count("token.make") + [
            "key.revoke", "key.rotate", "key.create", "key.create",
        ]  # fmt: skip
        assert "It leaked." in told
        assert "os:" in told
        # With the folder's secret, which has sealed what the service and the commands did.
        assert good(run("verify", "--data", data)).splitlines()[-1] == "All agree."
        kept = run("verify", "--at", newest, "--data", data)
        assert f"Audit log: {newest}\n" in good(kept)
        bad = run("verify", "--at", f"{newest[:-1]}x", "--data", data)
        assert "NUMBER:HASH" in one_line(bad)
        noted = run("verify", "--at", f"99:{'0' * 64}", "--data", data)
        assert noted.returncode == 1
        assert "audit: row 99, which was noted, is not there" in noted.stdout
        assert eventually(lambda: ask(service, "/api/auth", new)[0] == 401, 1)
        assert service.end() == 0
        secret = (data / "auth_secret").read_text().strip()
        assert not [each for each in (key, new, secret) if each in service.said()]
    with Service(data, "--auth") as service:  # the same secret: tokens that it signs are good
        guest = Tokens(secret, 600).issue(1).text
        assert ask(service, "/api/auth", guest)[1]["caller"]["user_id"] == 1
        assert ask(service, "/api/auth", token[1]["token"])[0] == 401, "it ended with its key"
        assert service.end() == 0


def test_commands_without_a_running_service(data):
    """They start the data folder's servers for themselves."""
    assert "There are no keys." in good(run("keys", "list", "--data", data))
    assert "Nothing was done yet." in good(run("audit", "--data", data))
    made = run("keys", "create", "--name", "ops", "--scope", "read", "--scope", "admin",
               "--days", 7, "--data", data)  # fmt: skip
    assert good(made).startswith("lb_")
    listed = good(run("boards", "list", "--data", data))
    assert listed.splitlines()[1].split() == ["global", "Global", "everybody", "keys"]


def test_bad_options(data):
    for arguments in (
        ("keys", "create", "--name", " ", "--scope", "read"),
        ("keys", "create", "--name", "x" * 65, "--scope", "read"),
        ("keys", "create", "--name", "x", "--scope", "root"),
        ("keys", "create", "--name", "x"),
        ("keys", "create", "--name", "x", "--scope", "read", "--days", 0),
        ("keys", "create", "--name", "x", "--scope", "read", "--reason", "a\nb"),
        ("boards", "set", "global", "--name", "\u202e"),
        ("audit", "--limit", 0),
    ):
        refused = run(*arguments, "--data", data)
        assert refused.returncode == 2
        assert "Traceback" not in refused.stderr
    said = one_line(run("watch", "--once", "--url", "127.0.0.1:1", LEADERBOARD_KEY="lb_\u00e9"))
    assert "copied whole" in said
