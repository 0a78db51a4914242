"""Files are written in one way: new, whole, private, and past whatever somebody planted there."""

import ast
import os
import stat
from pathlib import Path

import pytest

from app.cli.folder import Address
from app.cli.mode import _own_secret
from app.cli.provision import write_private
from app.core import files
from app.core.files import new_file

APP = Path(__file__).parents[2] / "app"
WRITERS = {
    "core/files.py",
    # Logs, locks and process files of servers that run in a folder of mode 0700.
    "core/embedded/locks.py",
    "core/embedded/process.py",
    "core/embedded/shim.py",
}
"""Where a file may be opened for writing."""


def opens_for_writing(call):
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name in ("write_text", "write_bytes", "touch", "mkstemp", "NamedTemporaryFile", "fdopen"):
        return True
    said = ast.unparse(call)
    if name == "open" and "os.open" in said:
        return "O_WRONLY" in said or "O_RDWR" in said or "O_CREAT" in said
    words = [each.value for each in ast.walk(call) if isinstance(each, ast.Constant)]
    modes = [each for each in words if isinstance(each, str) and set(each) <= set("rwaxbt+")]
    return name == "open" and any(set(each) & set("wax+") for each in modes if each)


def test_one_place_opens_files_for_writing():
    found = {
        str(path.relative_to(APP))
        for path in APP.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and opens_for_writing(node)
    }
    assert found == WRITERS


@pytest.fixture
def victim(tmp_path):
    file = tmp_path / "victim"
    file.write_text("precious")
    file.chmod(0o666)
    yield file
    assert file.read_text() == "precious"
    assert stat.S_IMODE(file.stat().st_mode) == 0o666


@pytest.mark.parametrize("plant", [os.symlink, os.link])
def test_what_was_planted_is_not_written_to(tmp_path, victim, plant):
    target = tmp_path / "out.csv"
    for name in (".out.csv.unfinished", ".out.csv.new", "out.csv.tmp", ".out.csv"):
        plant(victim, tmp_path / name)
    with new_file(target) as out:
        out.write("private")
    assert target.read_text() == "private"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


@pytest.mark.parametrize("plant", [os.symlink, os.link])
def test_what_was_planted_under_a_guessed_name_is_refused(tmp_path, victim, monkeypatch, plant):
    monkeypatch.setattr(files.secrets, "token_hex", lambda size: "0" * 2 * size)
    plant(victim, tmp_path / f".out.csv.{'0' * 16}.unfinished")
    with pytest.raises(FileExistsError), new_file(tmp_path / "out.csv") as out:
        out.write("private")


@pytest.mark.parametrize("plant", [os.symlink, os.link])
def test_a_link_of_the_same_name_is_refused_or_replaced_itself(tmp_path, victim, plant):
    target = tmp_path / "out.csv"
    plant(victim, target)
    with pytest.raises(FileExistsError, match="choose another name"), new_file(target) as out:
        out.write("private")
    with new_file(target, replaces=True) as out:
        out.write("private")
    assert not target.is_symlink()
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_a_link_to_nothing_is_refused(tmp_path):
    (tmp_path / "out").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError), new_file(tmp_path / "out") as out:
        out.write("private")
    assert not (tmp_path / "elsewhere").exists()


def test_who_comes_second_does_not_overwrite(tmp_path):
    with pytest.raises(FileExistsError), new_file(tmp_path / "out") as late:
        late.write("late")
        (tmp_path / "out").write_text("first")
    assert (tmp_path / "out").read_text() == "first"


def test_nothing_is_left_of_what_failed_and_names_are_never_the_same(tmp_path):
    seen = set()
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), new_file(tmp_path / ("x" * 255)) as out:
            (left,) = tmp_path.iterdir()
            seen.add(left)
            assert stat.S_IMODE(left.stat().st_mode) == 0o600
            out.write(str(1 // 0))
    assert len(seen) == 3
    assert list(tmp_path.iterdir()) == []


def test_secrets_keys_and_addresses_go_the_same_way(tmp_path, victim):
    for name in ("auth_secret", "key", "address"):
        (tmp_path / f".{name}.new").symlink_to(victim)
        (tmp_path / f"{name}.{os.getpid()}").symlink_to(victim)
    secret = _own_secret(tmp_path).read_text()
    assert len(secret) > 32
    assert _own_secret(tmp_path).read_text() == secret
    (tmp_path / "key").symlink_to(victim)
    write_private(tmp_path / "key", "lb_key")
    Address(tmp_path).publish("http://127.0.0.1:1")
    for name in ("auth_secret", "key", "address"):
        assert not (tmp_path / name).is_symlink()
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
