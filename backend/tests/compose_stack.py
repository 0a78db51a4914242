"""What scripts/compose-test does: the compose stack on a real engine, said line by line."""

import argparse
import asyncio
import contextlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests import compose_observe, compose_rolling
from tests.nginx_helpers import free_port

TOP = Path(__file__).parents[2]
PROJECT = "leaderboard-compose-test"
SERVICES = ("web", "backend", "redis", "postgres")
IMAGES = (f"{PROJECT}-backend", f"{PROJECT}-web")
PORT = free_port()
SITE = f"http://127.0.0.1:{PORT}"
API = f"{SITE}/api"
ENVIRONMENT = {**os.environ, "WEB_PORT": f"127.0.0.1:{PORT}"}
ROLLING = "a rolling restart of 3 backends: no request fails, every socket comes back"
COME_BACK = (1012, 1013, 4408)
COMPOSE = ("docker", "compose", "-p", PROJECT, "-f", str(TOP / "docker-compose.yml"))
SLOWER = ("-f", str(TOP / "backend" / "tests" / "compose_rolling.yml"))

started = time.monotonic()


def say(text: str) -> None:
    print(f"[{time.monotonic() - started:5.0f} s] {text}", flush=True)


def run(*command: str, stdin: str | None = None) -> str:
    """Standard output and error of a command that must succeed."""
    done = subprocess.run(
        command, env=ENVIRONMENT, cwd=TOP, input=stdin, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout}"
    return done.stdout


def compose(*arguments: str, also: tuple[str, ...] = ()) -> str:
    """`also`: further files, as options."""
    return run(*COMPOSE, *also, *arguments)


def curl(path: str, body: object = None, **headers: str) -> dict:
    given = [part for name, value in headers.items() for part in ("-H", f"{name}: {value}")]
    if body is not None:
        given += ["-H", "content-type: application/json", "-d", json.dumps(body)]
    return json.loads(run("curl", "-sS", *given, f"{SITE}{path}"))


def containers(service: str) -> list[str]:
    return compose(*compose_observe.PROFILE, "ps", "-q", service).split()


def inspect(container: str, what: str) -> str:
    return run("docker", "inspect", "-f", what, container).strip()


def wait_healthy(service: str) -> float:
    """Seconds until all of its containers are."""
    began = time.monotonic()
    while time.monotonic() - began < 120:
        states = [inspect(each, "{{.State.Health.Status}}") for each in containers(service)]
        if states and set(states) == {"healthy"}:
            return time.monotonic() - began
        time.sleep(0.3)
    raise AssertionError(f"{service} is not healthy: {states}\n{compose('logs', service)}")


def up(*arguments: str, also: tuple[str, ...] = ()) -> None:
    began = time.monotonic()
    compose("up", "-d", "--wait", *arguments, also=also)
    say(f"up -d --wait {' '.join(arguments)}: healthy after {time.monotonic() - began:.0f} s")


def first_admin_key() -> str:
    place = "/run/secrets/admin/first_admin_key"
    key = compose("run", "--rm", "--no-deps", "-T", "--entrypoint", "cat", "init", place).strip()
    assert re.fullmatch(r"lb_\S+", key), key
    return key


class Load:
    """Players of whom each sends a score after the other, again and again with the same key until
    it is answered; what was answered is noted."""

    def __init__(self, players: list[int], key: str) -> None:
        self.totals = Counter(dict.fromkeys(players, 0))
        self.answered = Counter(dict.fromkeys(players, 0))
        self.again = Counter()
        self._key = key
        self._stop = False

    async def run(self) -> None:
        async with httpx.AsyncClient(
            base_url=API, timeout=35, headers={"Authorization": f"Bearer {self._key}"}
        ) as client:
            await asyncio.gather(*(self._play(client, player) for player in self.totals))

    async def _play(self, client: httpx.AsyncClient, player: int) -> None:
        number = 0
        while not self._stop:
            number += 1
            score = random.randint(-50, 1_000)
            body = {"user_id": player, "score": score}
            headers = {"Idempotency-Key": f"{player}-{number}-{os.getpid()}-{id(self)}"}
            while True:
                try:
                    answer = await client.post("/leaderboard/submit", json=body, headers=headers)
                except httpx.TransportError as error:
                    self.again[type(error).__name__] += 1
                else:
                    if answer.status_code == 200:
                        break
                    assert answer.status_code in (429, 503), answer.text
                    assert "retry-after" in answer.headers, answer.headers
                    self.again[answer.status_code] += 1
                await asyncio.sleep(0.2)
            self.totals[player] += score
            self.answered[player] += 1

    def stop(self) -> None:
        self._stop = True

    async def check(self) -> None:
        """Every answered score counts, and counts once."""
        headers = {"Authorization": f"Bearer {self._key}"}
        async with httpx.AsyncClient(base_url=API, headers=headers, timeout=30) as client:
            for player, total in self.totals.items():
                if self.answered[player]:
                    answer = (await client.get(f"/leaderboard/rank/{player}")).json()
                    assert answer["score"] == total, (player, answer, total)
        found = sql("SELECT user_id, count(*), sum(score) FROM game_sessions GROUP BY user_id")
        ledger = {int(user): (int(games), int(total)) for user, games, total in found}
        for player, total in self.totals.items():
            if self.answered[player]:
                assert ledger[player] == (self.answered[player], total), player


def sql(query: str) -> list[list[str]]:
    """As the superuser, whose password only PostgreSQL's own container has."""
    command = (
        "PGPASSWORD=$(cat /run/secrets/postgres/superuser_password) "
        'psql -h 127.0.0.1 -U postgres -d leaderboard -At -c "$0"'
    )
    said = compose("exec", "-T", "postgres", "sh", "-c", command, query)
    return [line.split("|") for line in said.splitlines()]


def verify() -> None:
    said = compose("exec", "-T", "backend", "leaderboard", "verify")
    assert "All agree." in said, said


def new_players(count: int, key: str, prefix: str) -> list[int]:
    with httpx.Client(base_url=API, headers={"Authorization": f"Bearer {key}"}) as client:
        made = [
            client.post("/users", json={"username": f"{prefix}-{number}"})
            for number in range(count)
        ]
    return [each.json()["user_id"] for each in made]


class NotRunError(Exception):
    """A step can't be tried on this machine."""


not_run: list[str] = []
"""Steps that were not tried, and why not: never told as ok."""


@contextlib.contextmanager
def step(what: str) -> Iterator[None]:
    try:
        yield
    except NotRunError as why:
        say(f"{what}: NOT RUN: {why}")
        not_run.append(f"{what} ({why})")
        return
    except BaseException:
        say(f"{what}: FAILED")
        raise
    say(f"{what}: ok")


def verdict() -> str:
    """The last line: what passed, and what nobody knows."""
    if not not_run:
        return "compose-test: passed"
    return f"compose-test: passed, but NOT RUN: {'; '.join(not_run)}"


def by_curl() -> None:
    key = f"Bearer {first_admin_key()}"
    refused = curl("/api/users", {"username": "x"})
    assert refused["code"] == "unauthenticated", refused
    nova = curl("/api/users", {"username": "Nova"}, Authorization=key)["user_id"]
    sent = curl("/api/leaderboard/submit", {"user_id": nova, "score": 1500}, Authorization=key)
    assert sent["new_rank"] == 1, sent
    top = curl("/api/leaderboard/top")
    assert top["entries"][0]["username"] == "Nova", top
    ranked = curl(f"/api/leaderboard/rank/{nova}")
    assert ranked["score"] == 1500, ranked
    health = curl("/api/leaderboard/health")
    assert (health["status"], health["auth"]) == ("ok", "closed"), health
    page = run("curl", "-sSi", "-H", "accept: text/html", f"{SITE}/players/{nova}")
    assert " 200 " in page.splitlines()[0], page.splitlines()[0]
    assert "/assets/" in page, page


def kept() -> None:
    before, key = curl("/api/leaderboard/top"), first_admin_key()
    compose("down")
    up()
    after = curl("/api/leaderboard/top")
    assert after["entries"] == before["entries"], (after["entries"], before["entries"])
    assert first_admin_key() == key, "another first admin key"
    verify()


async def kill_each(key: str) -> None:
    load = Load(new_players(16, key, "kill"), key)
    playing = asyncio.create_task(load.run())
    await asyncio.sleep(3)
    for service in SERVICES:
        (container,) = await asyncio.to_thread(containers, service)
        before = int(inspect(container, "{{.RestartCount}}"))
        count = sum(load.answered.values())
        os.kill(int(inspect(container, "{{.State.Pid}}")), signal.SIGKILL)
        await asyncio.sleep(1)
        seconds = await asyncio.to_thread(wait_healthy, service)
        restarts = int(inspect(container, "{{.RestartCount}}"))
        assert restarts == before + 1, f"{service}: {restarts} restarts, {before} before"
        now = sum(load.answered.values())
        async with asyncio.timeout(60):
            while sum(load.answered.values()) < now + 200:
                await asyncio.sleep(0.1)
        say(f"  kill -9 {service}: healthy after {1 + seconds:.1f} s, scores answered {count}+")
    load.stop()
    await playing
    while curl("/api/leaderboard/health")["status"] != "ok":
        await asyncio.sleep(0.2)
    await load.check()
    verify()
    say(f"  {sum(load.answered.values())} scores answered and in the ledger once; "
        f"sent again after {dict(load.again)}")  # fmt: skip


class Watcher:
    """A player's socket, whose rank is what was pushed last."""

    def __init__(self, player: int, key: str) -> None:
        self.player = player
        self.rank: int | None = None
        self._headers = {"Authorization": f"Bearer {key}"}

    async def run(self) -> None:
        """Comes back where it is told to come back later, as the app does."""
        while True:
            try:
                await self._watch()
            except ConnectionClosed as closed:
                if closed.rcvd is None or closed.rcvd.code not in COME_BACK:
                    raise
            await asyncio.sleep(0.3)

    async def _watch(self) -> None:
        place = f"{SITE.replace('http', 'ws')}/ws/leaderboard/{self.player}"
        async with connect(place, additional_headers=self._headers) as socket:
            async for message in socket:
                for line in message.splitlines():
                    frame = json.loads(line)
                    if frame["type"] == "snapshot" and frame["me"]:
                        self.rank = frame["me"]["rank"]
                    elif frame["type"] == "rank":
                        self.rank = frame["rank"]


async def three_backends(key: str) -> None:
    load = Load(new_players(24, key, "scale"), key)
    watchers = [Watcher(player, key) for player in load.totals]
    playing = asyncio.create_task(load.run())
    await asyncio.sleep(2)
    watching = [asyncio.create_task(each.run()) for each in watchers]
    await asyncio.sleep(6)
    load.stop()
    await playing
    await load.check()
    await asyncio.sleep(2)
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=API, headers=headers) as client:
        for watcher in watchers:
            asked = [
                (await client.get(f"/leaderboard/rank/{watcher.player}")).json()["rank"]
                for _ in range(6)
            ]
            assert set(asked) == {watcher.rank}, (watcher.player, watcher.rank, asked)
    exact = sql("SELECT user_id FROM leaderboard ORDER BY total_score DESC, achieved_id")
    order = {int(user): place for place, (user,) in enumerate(exact, 1)}
    wrong = {each.player: each.rank for each in watchers if order[each.player] != each.rank}
    assert not wrong, (wrong, order)
    for task in watching:
        task.cancel()
    await asyncio.gather(*watching, return_exceptions=True)
    said = compose("logs", "--no-log-prefix", "--tail", "3000", "web")
    asked = set(re.findall(r'"backend":"([0-9.]+):8000', said))
    addresses = {
        inspect(each, f'{{{{(index .NetworkSettings.Networks "{PROJECT}_api").IPAddress}}}}')
        for each in containers("backend")
    }
    assert len(addresses) == 3, addresses
    assert addresses <= asked, (addresses, asked)
    verify()
    say(f"  {sum(load.answered.values())} scores, {len(watchers)} sockets over 3 backends: "
        "ranks pushed, asked for and by SQL are the same")  # fmt: skip


async def rolling(key: str) -> None:
    await asyncio.to_thread(up, "--scale", "backend=3", also=SLOWER)
    players, (last,) = new_players(1_000, key, "roll"), new_players(1, key, "last")
    restart = (str(TOP / "backend" / "scripts" / "rolling-restart"), *COMPOSE[2:], *SLOWER)
    nginx = int(inspect(containers("web")[0], "{{.State.Pid}}"))
    load, seen = await compose_rolling.roll(
        PORT, nginx, key, players, last, restart, ENVIRONMENT, say
    )
    found = sql("SELECT user_id FROM leaderboard ORDER BY total_score DESC, achieved_id")
    ranks = {int(user): rank for rank, (user,) in enumerate(found, 1)}
    compose_rolling.check(load, seen, [ranks[each] for each in players], say)
    ((games,),) = sql(f"SELECT count(*) FROM game_sessions WHERE user_id BETWEEN {players[0]} "
                      f"AND {players[-1]}")  # fmt: skip
    assert int(games) == load.answers["write 200"], (int(games), load.answers["write 200"])
    left = containers("backend")
    assert len(left) == 3, left
    verify()


def only_the_web_port() -> None:
    for service in SERVICES:
        for container in containers(service):
            bound = json.loads(inspect(container, "{{json .NetworkSettings.Ports}}"))
            published = {port: each for port, each in bound.items() if each}
            assert published.keys() == ({"8080/tcp"} if service == "web" else set()), service
    networks = "{{range $name, $each := .NetworkSettings.Networks}}{{$each.IPAddress}} {{end}}"
    ports = {"web": 8080, "backend": 8000, "redis": 6379, "postgres": 5432}
    reached = {
        service
        for service, port in ports.items()
        for address in inspect(containers(service)[0], networks).split()
        if is_open_from_front(address, port)
    }
    assert reached == {"web"}, reached


def is_open_from_front(address: str, port: int) -> bool:
    """From a container beside Nginx on the only network that is published."""
    done = subprocess.run(
        ["docker", "run", "--rm", "--network", f"{PROJECT}_front", "--entrypoint", "bash",
         "redis:7", "-c", f"timeout 2 bash -c '</dev/tcp/{address}/{port}'"],
        capture_output=True, check=False,
    )  # fmt: skip
    return done.returncode == 0


def no_secret_is_seen() -> None:
    names = ("postgres", "redis", "backend", "admin", "grafana", "prometheus")
    mounts = [part for name in names for part in ("-v", f"{PROJECT}_{name}-secrets:/s/{name}:ro")]
    look = ("docker", "run", "--rm", "--user", "0:0", *mounts, "--entrypoint", "sh", IMAGES[0])
    modes = run(*look, "-c", "stat -c '%a %u %n' /s/*/* /s/*").splitlines()
    for line in modes:
        mode, user, path = line.split()
        reader = path.split("/")[2]
        assert mode in (("640", "2750") if reader == "prometheus" else ("600", "700")), line
        assert int(user) == {"postgres": 999, "redis": 999, "grafana": 472}.get(reader, 10001), line
    text = run(*look, "-c", "cat /s/*/*")
    words = {word for word in re.split(r"[\s:@/]+", text) if len(word) >= 32}
    assert len(words) >= 5, len(words)
    everything = compose(*compose_observe.PROFILE, "ps", "-aq").split()
    alive = compose(*compose_observe.PROFILE, "ps", "-q").split()
    places = {
        "inspect": run("docker", "inspect", *everything, *IMAGES),
        "history": "".join(run("docker", "history", "--no-trunc", each) for each in IMAGES),
        "logs": compose(*compose_observe.PROFILE, "logs"),
        "processes": "".join(run("docker", "top", each, "-eo", "pid,args") for each in alive),
        "environment": "".join(run("docker", "exec", each, "env") for each in alive),
    }
    for place, seen in places.items():
        assert seen, f"nothing to look through in {place}"
        for word in words:
            assert word not in seen, f"a secret is in {place}"


def hardened(*services: str) -> None:
    for service in services:
        (container, *_) = containers(service)
        user = run("docker", "exec", container, "id", "-u").strip()
        assert user != "0", service
        said = subprocess.run(
            ["docker", "exec", container, "sh", "-c", "echo x > /probe"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert "Read-only file system" in said.stderr, (service, said)
        memory = inspect(container, "{{.HostConfig.Memory}}")
        assert int(memory) > 0, f"{service}: memory limit {memory}"
        kept = run("docker", "exec", container, "grep", "CapEff", "/proc/1/status")
        assert kept.split()[1].strip("0") == "", (service, kept)


def observe() -> None:
    missing = compose_observe.missing_image(compose)
    if missing is not None:
        raise NotRunError(f"there is no image {missing}")
    say(f"  {compose_observe.observed(compose, backends=3, workers=2)}")
    hardened("prometheus")
    (container,) = containers("prometheus")
    published = json.loads(inspect(container, "{{json .HostConfig.PortBindings}}"))
    assert not published, published


def browser(key: str) -> None:
    app = TOP / "frontend"
    npx = shutil.which("npx")
    if npx is None or not (app / "node_modules/@playwright").exists():
        raise NotRunError("there is no npx, or nothing in frontend/node_modules")
    done = subprocess.run(
        [npx, "playwright", "test", "--grep", "@anywhere", "--workers", "1"],
        env={**os.environ, "E2E_URL": SITE, "E2E_KEY": key}, cwd=app,
        text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    say(f"  {done.stdout.strip().splitlines()[-1].strip()}")


def drill(key: str) -> None:
    """PostgreSQL's and Redis' volumes are lost, and what a backup has is there again."""
    before = curl("/api/leaderboard/top?limit=1000")
    scripts = TOP / "backend" / "scripts"
    with tempfile.TemporaryDirectory() as folder:
        file = f"{folder}/board.dump"
        run(str(scripts / "compose-backup"), file, *COMPOSE[2:])
        restore = (str(scripts / "compose-restore"), file, *COMPOSE[2:])
        refused = subprocess.run(
            restore, env=ENVIRONMENT, capture_output=True, text=True, check=False
        )
        assert refused.returncode == 1, refused
        assert "nothing is ever overwritten" in refused.stderr, refused.stderr
        untouched = curl("/api/leaderboard/top?limit=1000")
        assert untouched == before, (untouched, before)
        compose("rm", "-sf", "secrets", "postgres", "redis")
        run("docker", "volume", "rm", f"{PROJECT}_postgres-data", f"{PROJECT}_redis-data")
        began = time.monotonic()
        told = run(*restore)
        assert "restored" in told, told
        say(f"  {before['total_players']} players restored in {time.monotonic() - began:.0f} s")
    after = curl("/api/leaderboard/top?limit=1000")
    assert after["entries"] == before["entries"], (after["entries"], before["entries"])
    assert after["total_players"] == before["total_players"], (
        after["total_players"],
        before["total_players"],
    )
    best = before["entries"][0]
    sent = {"user_id": best["user_id"], "score": 1}
    answer = curl("/api/leaderboard/submit", sent, Authorization=f"Bearer {key}")
    assert answer["new_rank"] == 1, answer
    first = curl("/api/leaderboard/top")["entries"][0]
    assert first["total_score"] == best["total_score"] + 1, (first, best)


def rolling_alone() -> None:
    up()
    with step(ROLLING):
        asyncio.run(rolling(first_admin_key()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave the stack running")
    parser.add_argument("--only", choices=["rolling"], help="build, and this step alone")
    options = parser.parse_args()
    try:
        compose(*compose_observe.PROFILE, "down", "-v", "--remove-orphans")
        with step("images built"):
            compose("build")
        if options.only == "rolling":
            rolling_alone()
            return
        for image in IMAGES:
            size = int(run("docker", "image", "inspect", "-f", "{{.Size}}", image))
            say(f"  {image}: {size / 1e6:.0f} MB")
        up()
        with step("scores by curl through Nginx, a page, the first admin key"):
            by_curl()
        with step("down and up keeps the data, the keys and the secrets"):
            kept()
        with step("not root, read-only, no capabilities, bounded memory"):
            hardened(*SERVICES)
        key = first_admin_key()
        with step("kill -9 of each service in turn under load loses nothing"):
            asyncio.run(kill_each(key))
        up("--scale", "backend=3", "--no-recreate")
        with step("--scale backend=3 keeps ranks and pushes exact"):
            asyncio.run(three_backends(key))
        with step("Prometheus scrapes all 3 with a key of its own"):
            observe()
        with step("a browser behind Nginx"):
            browser(key)
        with step("only the web port is reached"):
            only_the_web_port()
        with step("no secret in inspect, images, logs, arguments or environments"):
            no_secret_is_seen()
        with step("PostgreSQL's and Redis' volumes lost, and restored from a backup"):
            drill(key)
        with step(ROLLING):
            asyncio.run(rolling(key))
        print(run("docker", "stats", "--no-stream", "--format",
                  "{{.Name}}\t{{.MemUsage}}\t{{.PIDs}} processes"))  # fmt: skip
        say(verdict())
    except BaseException:
        print(compose("ps", "-a"), compose("logs", "--tail", "25"), sep="\n")
        raise
    finally:
        if not options.keep:
            compose(*compose_observe.PROFILE, "down", "-v", "--remove-orphans", "-t", "5")


if __name__ == "__main__":
    main()
