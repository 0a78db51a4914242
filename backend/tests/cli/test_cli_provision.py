"""What a deployment gets before it runs: its secrets, made once, and the first admin key."""

import os
import stat
import subprocess
from pathlib import Path

import pytest
from cli_helpers import run

from app.core.config import Settings
from app.services.access.secret import checked_secret

SCRIPT = Path(__file__).parents[2] / "docker" / "secrets.sh"
FILES = {
    "postgres/superuser_password", "postgres/owner_password", "postgres/password",
    "redis/password", "redis/password_previous", "redis/redis.conf",
    "backend/auth_secret", "backend/auth_secret_previous", "backend/database_url",
    "backend/redis_url", "admin/database_url", "grafana/admin_password", "grafana/secret_key",
}  # fmt: skip


def good(done):
    assert done.returncode == 0, done.stderr
    return done.stdout


def contents(folder):
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in folder.rglob("*")
        if path.is_file()
    }


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def secrets(folder, *words):
    done = subprocess.run(
        ["bash", SCRIPT, *words], capture_output=True, text=True, check=False,
        env={**os.environ, "SECRETS": str(folder), "REDIS_DATA": str(folder / "redis-data")},
    )  # fmt: skip
    for text in contents(folder).values():
        assert len(text) < 20 or text.strip() not in done.stdout + done.stderr
    return done


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can hand a folder over")


@as_root
def test_secrets_are_made_once_and_shown_to_nobody(tmp_path):
    good(secrets(tmp_path))
    made = contents(tmp_path)
    assert made.keys() == FILES
    password, owner, index = (
        made[f"{name}"].strip()
        for name in ("postgres/password", "postgres/owner_password", "redis/password")
    )
    assert made["redis/redis.conf"] == f"requirepass {index}\n"
    assert made["backend/redis_url"] == f"redis://:{index}@redis:6379/0\n"
    assert f"//leaderboard:{password}@postgres/leaderboard" in made["backend/database_url"]
    assert f"//leaderboard_owner:{owner}@postgres/leaderboard" in made["admin/database_url"]
    filled = [text for text in made.values() if text.strip()]
    assert len(set(filled)) == len(filled) == len(FILES) - 2
    for name in FILES:
        assert mode(tmp_path / name) == 0o600
        assert mode((tmp_path / name).parent) == 0o700
    assert good(secrets(tmp_path)) == ""
    assert contents(tmp_path) == made


@as_root
def test_what_is_missing_is_made_and_what_is_there_stays(tmp_path):
    """As after an upgrade, or a run that died."""
    good(secrets(tmp_path))
    before = contents(tmp_path)
    for name in ("postgres/owner_password", "backend/auth_secret_previous", "backend/redis_url"):
        (tmp_path / name).unlink()
    good(secrets(tmp_path))
    after = contents(tmp_path)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"postgres/owner_password", "admin/database_url"}


@as_root
def test_secrets_are_rotated(tmp_path):
    good(secrets(tmp_path))
    before = contents(tmp_path)

    def changed(*words):
        good(secrets(tmp_path, *words))
        after = contents(tmp_path)
        return {name for name in FILES if before[name] != after[name]}, after

    signing = {"backend/auth_secret", "backend/auth_secret_previous"}
    names, after = changed("rotate", "auth")
    assert names == signing
    assert after["backend/auth_secret_previous"] == before["backend/auth_secret"]
    names, after = changed("forget", "auth")
    assert names == {"backend/auth_secret"}
    names, after = changed("rotate", "database")
    assert names == {"backend/auth_secret", "postgres/password", "backend/database_url"}
    assert after["postgres/password"].strip() in after["backend/database_url"]
    names, after = changed("rotate", "redis")
    assert names >= {"redis/password", "redis/redis.conf", "backend/redis_url"}
    assert after["redis/password_previous"] == before["redis/password"]
    assert secrets(tmp_path, "rotate", "all").returncode == 2
    assert contents(tmp_path) == after


@as_root
def test_the_service_takes_them_as_files(tmp_path):
    good(secrets(tmp_path))
    settings = Settings(
        _env_file=None,
        auth_secret_file=tmp_path / "backend/auth_secret",
        auth_secret_previous_file=tmp_path / "backend/auth_secret_previous",
        database_url_file=tmp_path / "backend/database_url",
        redis_url_file=tmp_path / "backend/redis_url",
    )
    assert checked_secret(settings)
    assert settings.database_url.startswith("postgresql+asyncpg://leaderboard:")


@as_root
def test_folders_are_handed_to_their_readers(tmp_path):
    for _ in range(2):
        good(secrets(tmp_path))
        for name, user in (("postgres/password", 999), ("postgres", 999), ("redis-data", 999),
                           ("backend/auth_secret", 10001), ("grafana", 472)):  # fmt: skip
            assert (tmp_path / name).stat().st_uid == user
        shared = tmp_path / "prometheus"
        assert (shared.stat().st_uid, shared.stat().st_gid, mode(shared)) == (10001, 65534, 0o2750)


def test_the_first_admin_key_is_written_once(data, tmp_path):
    place = tmp_path / "admin" / "first_admin_key"
    first = run("init", "--data", data, "--key-file", place)
    key = place.read_text().strip()
    assert key.startswith("lb_")
    assert key not in good(first) + first.stderr
    assert str(place) in first.stdout
    assert (mode(place), mode(place.parent)) == (0o600, 0o700)

    again = good(run("init", "--data", data, "--key-file", place))
    assert "There is an admin key. The first one was written to" in again
    assert place.read_text().strip() == key
    place.unlink()
    assert "keys create" in good(run("init", "--data", data, "--key-file", place))
    assert not place.exists()


def test_no_key_is_made_that_can_not_be_kept(data, tmp_path):
    (tmp_path / "file").write_text("")
    failed = run("init", "--data", data, "--key-file", tmp_path / "file" / "key")
    assert failed.returncode == 1
    assert "There are no keys." in good(run("keys", "list", "--data", data))


def test_prometheus_has_a_key_that_lives(data, tmp_path):
    place = tmp_path / "prometheus" / "key"
    (tmp_path / "prometheus").mkdir(mode=0o700)
    words = ("init", "--data", data, "--key-file", tmp_path / "admin", "--read-key-file", place)

    def keys():
        return good(run("keys", "list", "--data", data)).splitlines()

    first = run(*words)
    key = place.read_text().strip()
    assert key.startswith("lb_")
    assert key not in good(first) + first.stderr
    assert mode(place) == 0o600
    prefix = key.split("_")[1]
    (made,) = (line for line in keys() if prefix in line)
    assert {"prometheus", "read", "active"} <= set(made.split())

    assert "for Prometheus" not in good(run(*words))
    assert place.read_text().strip() == key

    good(run("keys", "revoke", prefix, "--data", data))
    assert f"A key for Prometheus is in {place}." in good(run(*words))
    second = place.read_text().strip()
    place.write_text("")  # an init that died between the two
    good(run(*words))
    third = place.read_text().strip()
    place.unlink()
    good(run(*words))
    assert len({key, second, third, place.read_text().strip()}) == 4
    assert sum(" prometheus " in line for line in keys()) == 4
    assert sum("first admin" in line for line in keys()) == 1
