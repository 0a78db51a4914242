"""What is said at the start fits the place where the service runs."""

import shlex
from pathlib import Path

import pytest

from app.cli import serve, supervisor
from app.cli.folder import DEFAULT_DATA


def hints(text):
    return [
        line.split(maxsplit=2)[2]
        for line in text.splitlines()
        if line.startswith("  ") and " it " in line
    ]


@pytest.mark.parametrize(
    ("place", "command"), [("quickstart", "./quickstart.sh"), ("", "leaderboard")]
)
def test_hints_find_the_service_that_gives_them(monkeypatch, place, command):
    monkeypatch.setenv("LEADERBOARD_PLACE", place)
    said = serve.ready_text("http://127.0.0.1:9000", "closed", Path("/tmp/my data"), None)
    assert [shlex.split(each) for each in hints(said)] == [
        [command, "demo", "--data", "/tmp/my data"],
        [command, "watch", "--data", "/tmp/my data"],
    ]
    assert f"{command} keys create --data '/tmp/my data'" in said
    assert "--data" not in serve.ready_text("http://x", "closed", DEFAULT_DATA, None)


@pytest.mark.parametrize(
    ("code", "events", "why"),
    [
        (-9, "low 0\nhigh 0\noom 3\noom_kill 2\n", "killed (SIGKILL): out of memory"),
        (-9, "oom_kill 0\n", "killed by SIGKILL"),
        (-9, None, "killed by SIGKILL"),
        (-11, "oom_kill 2\n", "killed by SIGSEGV"),
        (1, "", "it ended with exit code 1"),
    ],
)
def test_why_a_worker_ended(monkeypatch, tmp_path, code, events, why):
    file = tmp_path / "memory.events"
    if events is not None:
        file.write_text(events)
    monkeypatch.setattr(supervisor, "OOM_EVENTS", (tmp_path / "none", file))
    assert supervisor.why_ended(code).startswith(why)
