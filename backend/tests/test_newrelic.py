"""New Relic's agent in its developer mode: what it records, and that it costs nothing without a
license key."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import Sandbox

SCRIPT = Path(__file__).with_name("observed_worker.py")


def observe(sandbox: Sandbox, **env: str) -> tuple[dict, str]:
    """What was recorded, and what was logged."""
    settings = sandbox.settings
    clean = {name: value for name, value in os.environ.items() if "NEW_RELIC" not in name}
    done = subprocess.run(
        [sys.executable, str(SCRIPT)],
        env={
            **clean,
            "PYTHONPATH": str(SCRIPT.parents[1]),
            "DATABASE_URL": settings.database_url,
            "REDIS_URL": settings.redis_url,
            "REDIS_PREFIX": settings.redis_prefix,
            "AUTH_MODE": "open",
            **env,
        },
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


def test_transactions_and_events_are_recorded(sandbox: Sandbox) -> None:
    found, log = observe(
        sandbox, NEW_RELIC_LICENSE_KEY="of no account", NEW_RELIC_DEVELOPER_MODE="true"
    )
    assert "Traceback" not in log, log
    names = found["transactions"]
    hot = "WebTransaction/Hot/"
    assert names.count(hot + "POST /api/leaderboard/submit") == 2
    assert names.count(hot + "POST /api/leaderboard/submit/batch") == 1
    assert names.count(hot + "GET /api/leaderboard/top") == 1
    assert names.count(hot + "GET /api/leaderboard/rank/{user_id}") == 2
    assert names.count(hot + "GET /api/leaderboard/around/{user_id}") == 1
    assert any("users" in name for name in names), names
    assert any("health" in name for name in names), names
    assert found["errors"] == []
    assert "Supportability/Logging/Forwarding/Python/disabled" in found["metrics"]

    batches = [event for kind, event in found["events"] if kind == "LeaderboardSubmits"]
    assert [(each["accepted"], each["replayed"], each["refused"]) for each in batches] == [
        (3, 0, 0), (1, 0, 0), (1, 0, 0),
    ]  # fmt: skip
    assert all(0 < each["seconds"] < 60 for each in batches)
    rounds = [event for kind, event in found["events"] if kind == "LeaderboardFanOut"]
    assert rounds
    assert rounds[0]["board"] == "global"
    assert rounds[0]["clients"] == 1


def test_nothing_of_it_is_there_without_a_key(sandbox: Sandbox) -> None:
    found, _ = observe(sandbox)
    assert found == {"imported": False}


def test_nothing_of_it_is_there_with_an_empty_file(sandbox: Sandbox, tmp_path: Path) -> None:
    place = tmp_path / "license_key"
    place.write_text("")
    found, _ = observe(sandbox, NEW_RELIC_LICENSE_KEY_FILE=str(place))
    assert found == {"imported": False}


def test_the_key_may_be_in_a_file(sandbox: Sandbox, tmp_path: Path) -> None:
    place = tmp_path / "license_key"
    place.write_text("eu01xx of no account\n")
    found, _ = observe(
        sandbox, NEW_RELIC_LICENSE_KEY_FILE=str(place), NEW_RELIC_DEVELOPER_MODE="true"
    )
    assert (found["key"], found["host"]) == ("eu01xx of no account", "collector.eu01.nr-data.net")
    assert found["transactions"]
