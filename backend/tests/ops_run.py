"""What scripts/ops-test does, said line by line."""

import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import yaml

from app.core.embedded import start_servers
from tests.cli.cli_helpers import COMMAND, HEALTH, Service, environment, eventually, run
from tests.nginx_helpers import free_port
from tests.test_ops_files import OPS, PANELS, RULES

WORKERS = 2
SCRAPED_SECONDS = 30
INTERVAL = "1s"
RATE_INTERVAL = "10s"
"""In the place of $__rate_interval, of which Grafana would make four such intervals at least."""

started = time.monotonic()


def say(text: str) -> None:
    print(f"[{time.monotonic() - started:4.1f} s] {text}", flush=True)


def promtool(*arguments: str | Path, **more) -> str:
    """What it says. Raises where it finds something."""
    said = subprocess.run(
        ["promtool", *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, **more,
    )  # fmt: skip
    text = said.stdout.decode()
    assert said.returncode == 0, text
    return text


def configuration(folder: Path, target: str, key: str) -> Path:
    """The repository's, with a short interval, the key elsewhere, and an address for the name:
    there is no name server here that would know it."""
    shutil.copytree(OPS / "prometheus", folder)
    (folder / "key").write_text(key + "\n")
    config = yaml.safe_load((folder / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": INTERVAL, "evaluation_interval": INTERVAL}
    (job,) = config["scrape_configs"]
    assert job["authorization"]["credentials_file"].startswith("/run/secrets/"), job
    job["authorization"]["credentials_file"] = str(folder / "key")
    del job["dns_sd_configs"]
    job["static_configs"] = [{"targets": [target]}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    return folder / "prometheus.yml"


class Prometheus:
    """A running one."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=10)

    def ask(self, path: str, **parameters: str | float):
        answer = self._client.get(f"/api/v1/{path}", params=parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def is_ready(self) -> bool:
        return self._client.get("/-/ready").status_code == 200

    def targets(self) -> list[dict]:
        return self.ask("targets", state="active")["activeTargets"]

    def points(self, expression: str) -> int:
        """How many a panel would show of the time since the scrape began. NaN is none."""
        now = time.time()
        series = self.ask(
            "query_range", query=expression, start=now - SCRAPED_SECONDS / 2, end=now, step=1
        )["result"]
        return sum(value != "NaN" for each in series for _, value in each["values"])


@contextmanager
def prometheus(folder: Path, config: Path) -> Iterator[Prometheus]:
    address = f"127.0.0.1:{free_port()}"
    with (folder / "prometheus.stderr").open("w") as errors:
        process = subprocess.Popen(
            ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder / 'tsdb'}",
             f"--web.listen-address={address}"],
            stdout=errors, stderr=errors,
        )  # fmt: skip
        try:
            found = Prometheus(f"http://{address}")
            assert eventually(lambda: _quietly(found.is_ready)), "Prometheus is not ready"
            yield found
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


def _quietly(ask) -> bool:
    try:
        return ask()
    except httpx.TransportError:
        return False


def make_key(scope: str, settings: dict[str, str]) -> str:
    made = run("keys", "create", "--name", scope, "--scope", scope, **settings)
    assert made.returncode == 0, made.stderr
    return next(word for word in made.stdout.split() if word.startswith("lb_"))


@contextmanager
def traffic(url: str, key: str) -> Iterator[None]:
    """Scores, reads and sockets."""
    command = [*COMMAND, "demo", "--url", url, "--players", "500", "--rate", "30"]
    watch = [*COMMAND, "watch", "--url", url]
    with ExitStack() as stack:
        for each in (command, watch):
            process = stack.enter_context(
                subprocess.Popen(
                    each, cwd="/", env=environment(LEADERBOARD_KEY=key),
                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                )
            )  # fmt: skip
            stack.callback(process.terminate)
        yield


def play(url: str, key: str, seconds: float) -> None:
    """Reads what the demo does not, and sends scores that are refused."""
    until = time.monotonic() + seconds
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}) as client:
        while time.monotonic() < until:
            for path in ("top", "rank/1", "around/1"):
                client.get(f"/api/leaderboard/{path}")
            client.post("/api/leaderboard/submit", json={"user_id": 10**9, "score": 1})
            time.sleep(0.1)


def check_files(config: Path) -> None:
    alerts = config.parent / "alerts.yml"
    tests = alerts.with_name("alerts.test.yml")
    for what, path in (("check config", config), ("check rules", alerts), ("test rules", tests)):
        text = promtool(*what.split(), path)
        assert "SUCCESS" in text, text
        say(f"promtool {what}: passed")


def check_metrics(url: str, key: str) -> None:
    text = httpx.get(f"{url}/metrics", headers={"Authorization": f"Bearer {key}"}).text
    promtool("check", "metrics", input=text.encode())
    say(f"promtool check metrics: {text.count('# TYPE')} metrics, nothing to complain of")


def check_panels(found: Prometheus) -> None:
    """Every query has something to show of a service that works, under traffic."""
    empty = []
    for panel in PANELS:
        for target in panel["targets"]:
            expression = target["expr"].replace("$__rate_interval", RATE_INTERVAL)
            if not found.points(expression):
                empty.append(f"{panel['title']}: {expression}")
    assert not empty, empty
    say(f"{len(PANELS)} panels: all queries are answered, with something to show")


def check_alerts(found: Prometheus) -> None:
    (group,) = found.ask("rules")["groups"]
    read = {each["name"] for each in group["rules"]}
    assert read == {each["alert"] for each in RULES}, read
    for each in group["rules"]:
        assert each["health"] == "ok", each
    loud = {each["name"]: each["alerts"] for each in group["rules"] if each["state"] == "firing"}
    assert not loud, loud
    say(f"{len(RULES)} alerts: evaluated, none fires")


def main() -> None:
    missing = [name for name in ("prometheus", "promtool") if shutil.which(name) is None]
    if missing:
        sys.exit(
            f"ops-test: {' and '.join(missing)} is missing (Debian, Ubuntu: apt install prometheus)"
        )
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lb-ops-")))
        servers = stack.enter_context(start_servers(folder / "servers"))
        settings = {
            "DATABASE_URL": servers.database_url, "REDIS_URL": servers.redis_url,
            "AUTH_MODE": "closed", "AUTH_SECRET": secrets.token_urlsafe(48), "WEB_DIR": "",
        }  # fmt: skip
        service = stack.enter_context(Service(folder / "serve", f"--workers={WORKERS}", **settings))
        assert eventually(lambda: service.get(HEALTH)[1]["status"] == "ok", 60), service.said()
        reading, admin = make_key("read", settings), make_key("admin", settings)
        target = service.url.removeprefix("http://")
        config = configuration(folder / "prometheus", target, reading)
        check_files(config)
        check_metrics(service.url, reading)
        found = stack.enter_context(prometheus(folder, config))
        with traffic(service.url, admin):
            say(f"Prometheus scrapes a closed service under traffic, for {SCRAPED_SECONDS} s")
            play(service.url, admin, SCRAPED_SECONDS)
            (scraped,) = found.targets()
            assert scraped["health"] == "up", scraped
            (seen,) = found.ask("query", query="count(leaderboard_worker_cpu_seconds_total)")[
                "result"
            ]
            assert seen["value"][1] == str(WORKERS), seen
            say(f"the target is up, with {WORKERS} workers")
            check_panels(found)
            check_alerts(found)
    say("ops-test: passed")


if __name__ == "__main__":
    main()
