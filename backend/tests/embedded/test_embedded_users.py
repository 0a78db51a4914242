"""The servers run for root (whom PostgreSQL refuses) and for a normal user.

A user namespace shows a process either id, whoever runs the tests. One more test runs as another
user for real, which only root can arrange.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from embedded_helpers import Parent, living

from app.core.embedded.binaries import postgres_binary

AS_ROOT = ("unshare", "--user", "--map-root-user")
AS_NORMAL_USER = ("unshare", "--user", "--map-user=1000", "--map-group=1000")
NOBODY = 65534


def require(prefix):
    if shutil.which("unshare") is None or subprocess.run([*prefix, "true"], check=False).returncode:
        pytest.skip("no user namespaces here")


@pytest.mark.parametrize(("prefix", "euid"), [(AS_ROOT, 0), (AS_NORMAL_USER, 1000)])
def test_as_seen_by(prefix, euid, tmp_path):
    require(prefix)
    with Parent(tmp_path / "d", prefix=prefix) as parent:
        said = parent.wait_said()
        assert "error" not in said
        assert said.pop("euid") == euid
        assert parent.end() == 0
        assert not any(living(pid) for pid in parent.pids)


def test_root_where_namespaces_are_not_allowed(tmp_path):
    require(AS_ROOT)
    forbid = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"'
    with Parent(tmp_path / "d", prefix=(*AS_ROOT, "sh", "-c", forbid, "sh")) as parent:
        error = parent.wait_said()["error"]
        assert "run as a normal user, or set DATABASE_URL" in error
        assert "\n" not in error
        assert parent.process.wait(10) == 1


def python_for_nobody():
    """An interpreter that another user can run; ours may lie in a private home."""
    check = "import sys; sys.exit(sys.version_info < (3, 11))"
    for candidate in (sys.executable, shutil.which("python3", path="/usr/local/bin:/usr/bin")):
        try:
            done = subprocess.run(
                [candidate, "-c", check],
                user=NOBODY,
                group=NOBODY,
                extra_groups=[],
                capture_output=True,
                check=False,
            )
        except (OSError, TypeError):
            continue
        if done.returncode == 0:
            return candidate
    return None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_as_another_user():
    python = python_for_nobody()
    if python is None:
        pytest.skip("no Python 3.11 that another user may run")
    packages = postgres_binary("postgres").parents[3]
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        os.chown(folder, NOBODY, NOBODY)
        path = os.pathsep.join([str(Path(__file__).parents[2]), str(packages)])
        with Parent(
            Path(folder) / "d",
            python=python,
            env={"PYTHONPATH": path, "HOME": folder, "PYTHONDONTWRITEBYTECODE": "1"},
            cwd="/",
            user=NOBODY,
            group=NOBODY,
            extra_groups=[],
        ) as parent:
            said = parent.wait_said()
            assert "error" not in said, said
            assert said.pop("euid") == NOBODY
            assert (Path(folder) / "d" / "postgres").stat().st_uid == NOBODY
            assert parent.end() == 0
