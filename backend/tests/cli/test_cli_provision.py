"""What a deployment gets before it runs: its secrets, made once, and the first admin key."""

import os
import stat

import pytest
from cli_helpers import run
from test_cli_refusals import one_line

from app.core.config import Settings
from app.services.access.secret import checked_secret

FILES = {
    "postgres/superuser_password", "postgres/password", "redis/password", "redis/redis.conf",
    "backend/auth_secret", "backend/database_url", "backend/redis_url",
    "grafana/admin_password", "grafana/secret_key",
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


def test_secrets_are_made_once_and_shown_to_nobody(tmp_path):
    into = tmp_path / "secrets"
    first = run("secrets", into, "--postgres-host", "db", "--redis-host", "cache")
    made = contents(into)
    assert made.keys() == FILES
    password, index = made["postgres/password"].strip(), made["redis/password"].strip()
    for text in (made[name].strip() for name in FILES):
        assert text not in good(first) + first.stderr
    assert made["redis/redis.conf"] == f"requirepass {index}\n"
    assert made["backend/redis_url"] == f"redis://:{index}@cache:6379/0\n"
    assert f":{password}@db/leaderboard" in made["backend/database_url"]
    assert len({made[name] for name in FILES}) == len(FILES)
    for name in FILES:
        assert mode(into / name) == 0o600
        assert mode((into / name).parent) == 0o700

    again = run("secrets", into, "--postgres-host", "db", "--redis-host", "cache")
    assert "All are in" in good(again)
    assert contents(into) == made


def test_what_is_missing_is_made_and_what_is_there_stays(tmp_path):
    good(run("secrets", tmp_path))
    before = contents(tmp_path)
    (tmp_path / "backend/database_url").unlink()
    (tmp_path / "backend/auth_secret").unlink()
    (tmp_path / "backend/.redis_url.new").write_text("half a dr")  # left by one that died
    said = good(run("secrets", tmp_path, "--redis-host", "cache"))
    assert "backend/auth_secret, backend/database_url, backend/redis_url" in said
    after = contents(tmp_path)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"backend/auth_secret", "backend/redis_url"}
    assert "half a dr" not in after["backend/redis_url"]


def test_the_service_takes_them_as_files(tmp_path):
    good(run("secrets", tmp_path))
    settings = Settings(
        _env_file=None,
        auth_secret_file=tmp_path / "backend/auth_secret",
        database_url_file=tmp_path / "backend/database_url",
        redis_url_file=tmp_path / "backend/redis_url",
    )
    assert checked_secret(settings)
    assert settings.database_url.startswith("postgresql+asyncpg://leaderboard:")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can hand a folder over")
def test_folders_are_handed_to_their_readers(tmp_path):
    places = [f"--owner={tmp_path}/postgres=999", f"--owner={tmp_path}/data=998"]
    for _ in range(2):
        good(run("secrets", tmp_path, *places))
        for name, user in (("postgres/password", 999), ("postgres", 999), ("data", 998)):
            assert (tmp_path / name).stat().st_uid == user
        assert (tmp_path / "backend/auth_secret").stat().st_uid == 0
        assert mode(tmp_path / "data") == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can hand a folder over")
def test_a_folder_of_one_is_read_by_a_group(tmp_path):
    shared = tmp_path / "redis"
    for _ in range(2):
        good(run("secrets", tmp_path, f"--owner={shared}=998:65534"))
        assert (shared.stat().st_uid, shared.stat().st_gid, mode(shared)) == (998, 65534, 0o2750)
        for file in shared.iterdir():
            assert (file.stat().st_uid, file.stat().st_gid, mode(file)) == (998, 65534, 0o640)
    assert mode(tmp_path / "postgres/password") == 0o600


def test_an_owner_that_is_none(tmp_path):
    assert "give a folder" in one_line(run("secrets", tmp_path, "--owner", "postgres"))
    assert "give a folder" in one_line(run("secrets", tmp_path, "--owner", "a=postgres"))
    assert "give a folder" in one_line(run("secrets", tmp_path, "--owner", "a=1:nogroup"))


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
