"""What scripts/compose-test asks of Prometheus in the stack."""

import json
import subprocess
import time
from collections.abc import Callable
from urllib.parse import quote

PROFILE = ("--profile", "observe")
WORKERS = quote("count by (instance) (leaderboard_worker_cpu_seconds_total)")
Compose = Callable[..., str]


def missing_image(compose: Compose) -> str | None:
    """The name of Prometheus' image if this machine has none. (Tests pull nothing.)"""
    config = json.loads(compose(*PROFILE, "config", "--format", "json"))
    image = config["services"]["prometheus"]["image"]
    look = ["docker", "image", "inspect", image]
    there = subprocess.run(look, capture_output=True, check=False).returncode == 0
    return None if there else image


def observed(compose: Compose, *, backends: int, workers: int) -> str:
    """Starts Prometheus beside so many backends, and waits until it has scraped each of their
    workers with its key and has worked out every rule once. Says what was found."""
    compose(*PROFILE, "up", "-d", "--wait", "--no-recreate", "prometheus")
    ends = time.monotonic() + 90
    while not (found := _look(compose, backends, workers)):
        assert time.monotonic() < ends, compose(*PROFILE, "logs", "--tail", "20", "prometheus")
        time.sleep(2)
    return found


def _look(compose: Compose, backends: int, workers: int) -> str | None:
    targets = _ask(compose, "targets")["activeTargets"]
    rules = [rule for group in _ask(compose, "rules")["groups"] for rule in group["rules"]]
    assert rules, "Prometheus has no rules"
    assert not any(each["health"] == "err" for each in rules), rules
    series = _ask(compose, f"query?query={WORKERS}")["result"]
    counted = [int(each["value"][1]) for each in series]
    well = (
        [each["health"] for each in targets] == ["up"] * backends
        and all(each["health"] == "ok" for each in rules)
        and counted == [workers] * backends
    )
    return f"{len(targets)} targets up, {len(rules)} rules ok" if well else None


def _ask(compose: Compose, path: str) -> dict:
    place = f"http://127.0.0.1:9090/api/v1/{path}"
    command = ("exec", "-T", "prometheus", "wget", "-q", "-O", "-", place)
    return json.loads(compose(*PROFILE, *command))["data"]
