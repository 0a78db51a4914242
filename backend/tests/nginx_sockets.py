"""What scripts/nginx-sockets does: thousands of sockets through Nginx, and directly, in turns."""

import argparse
import asyncio
import json
import os
import resource
import secrets
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

import httpx

from app.core.embedded import start_servers
from benchmarks.closed import make_key
from benchmarks.world import World
from tests.cli.cli_helpers import BACKEND, HEALTH, Service, children, command_line, eventually
from tests.nginx_crowd import Job
from tests.nginx_helpers import TOP, find_nginx, nginx

PLAYERS = 20_000
SPECTATORS = 0.2
"""Share of the sockets that have no rank of their own."""
CROWD_PROCESSES = 2
KEYS = 10
"""One key may open 6,000 a minute."""
ROUNDS = 5
TOLD_SECONDS = 60.0
PAUSE_SECONDS = 1.0
JUMP = 10**9
"""A score that lifts the last player above all others: everybody's rank moves."""


@dataclass
class Seen:
    """Of one way in: seconds, sockets, and what Nginx took (bytes and seconds of CPU)."""

    connecting: list[float] = field(default_factory=list)
    telling: list[float] = field(default_factory=list)
    submits: list[float] = field(default_factory=list)
    told: list[int] = field(default_factory=list)
    lost: int = 0
    rss: int = 0
    pss: int = 0
    by_worker: list[int] = field(default_factory=list)
    cpu_connecting: list[float] = field(default_factory=list)
    cpu_telling: list[float] = field(default_factory=list)


class Crowd:
    """The sockets' processes."""

    def __init__(self, processes: "list[subprocess.Popen[str]]") -> None:
        self._processes = processes

    def ask(self, word: str = "now") -> tuple[int, float, int]:
        """How many were told since the last "next", when the last one was, how many are lost."""
        for process in self._processes:
            process.stdin.write(f"{word}\n")
            process.stdin.flush()
        said = [self._read(process) for process in self._processes]
        return (
            sum(each["told"] for each in said),
            max(each["last"] for each in said),
            sum(each["lost"] for each in said),
        )

    @staticmethod
    def _read(process: "subprocess.Popen[str]") -> dict:
        line = process.stdout.readline()
        assert line, "a crowd ended early; its errors are above"
        return json.loads(line)


@contextmanager
def crowd(
    port: int, *, tls: bool, keys: list[str], players: list[int], size: int
) -> Iterator[Crowd]:
    """Sockets that all have their snapshots."""
    spectators = int(size * SPECTATORS) // CROWD_PROCESSES
    own = [players[at % len(players)] for at in range(size - spectators * CROWD_PROCESSES)]
    with ExitStack() as stack:
        processes = []
        for at in range(CROWD_PROCESSES):
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.nginx_crowd"],
                cwd=BACKEND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            )  # fmt: skip
            stack.callback(process.wait)
            stack.callback(process.kill)
            job = Job(port, tls, keys, own[at::CROWD_PROCESSES], spectators)
            process.stdin.write(json.dumps(asdict(job)) + "\n")
            process.stdin.flush()
            processes.append(process)
        for process in processes:
            Crowd._read(process)
        yield Crowd(processes)


class Callers:
    """Requests through Nginx, one after the other, for as long as the block lasts."""

    def __init__(self, url: str, key: str) -> None:
        self._url, self._key = url, key
        self._done = threading.Event()
        self.answers: Counter[str] = Counter()
        self.slowest = 0.0

    def __enter__(self) -> Self:
        self._done.clear()
        self._thread = threading.Thread(target=self._call)
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._done.set()
        self._thread.join()

    def _call(self) -> None:
        headers = {"Authorization": f"Bearer {self._key}"}
        with httpx.Client(base_url=self._url, headers=headers, verify=False, timeout=60) as client:
            while not self._done.wait(0.05):
                for path in ("/", "/api/leaderboard/top"):
                    began = time.monotonic()
                    try:
                        self.answers[str(client.get(path).status_code)] += 1
                    except httpx.TransportError as error:
                        self.answers[type(error).__name__] += 1
                    self.slowest = max(self.slowest, time.monotonic() - began)


class Nginx:
    """Its processes, as the kernel counts them."""

    def __init__(self) -> None:
        (master,) = (
            pid for pid in children(os.getpid()) if command_line(pid).startswith("nginx: master")
        )
        self.workers = children(master)
        self.pids = [master, *self.workers]

    def memory(self) -> tuple[int, int]:
        """(RSS, PSS), bytes."""
        rss = pss = 0
        for pid in self.pids:
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                name, _, rest = line.partition(":")
                rss += int(rest.split()[0]) * 1024 if name == "Rss" else 0
                pss += int(rest.split()[0]) * 1024 if name == "Pss" else 0
        return rss, pss

    def files(self) -> list[int]:
        """Open ones of each worker."""
        return [len([*Path(f"/proc/{pid}/fd").iterdir()]) for pid in self.workers]

    def cpu(self) -> float:
        ticks = 0
        for pid in self.pids:
            stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(stat[11]) + int(stat[12])
        return ticks / os.sysconf("SC_CLK_TCK")


@dataclass
class Stage:
    """What runs, and who is to move next."""

    url: str
    site: str
    tls: bool
    keys: list[str]
    players: list[int]
    last: list[int]
    size: int
    nginx: Nginx
    callers: Callers


def one_turn(stage: Stage, seen: Seen, *, direct: bool) -> None:
    """Connects all, tells them ROUNDS times, and lets them go."""
    address = stage.url if direct else stage.site
    port, tls = int(address.rpartition(":")[2]), stage.tls and not direct
    began, spent = time.monotonic(), stage.nginx.cpu()
    with crowd(port, tls=tls, keys=stage.keys, players=stage.players, size=stage.size) as people:
        seen.connecting.append(time.monotonic() - began)
        seen.cpu_connecting.append(stage.nginx.cpu() - spent)
        time.sleep(PAUSE_SECONDS)
        with stage.callers:
            for _ in range(ROUNDS):
                one_round(stage, seen, people, address)
        seen.lost += people.ask()[2]
        rss, pss = stage.nginx.memory()
        seen.rss, seen.pss = max(seen.rss, rss), max(seen.pss, pss)
        if not direct:
            seen.by_worker = stage.nginx.files()
    # Until the backend has seen them all go.
    time.sleep(3 * PAUSE_SECONDS)


def one_round(stage: Stage, seen: Seen, people: Crowd, address: str) -> None:
    """One score that moves everybody, until the last socket has heard of it."""
    people.ask("next")
    spent = stage.nginx.cpu()
    body = {"user_id": stage.last.pop(0), "score": JUMP}
    headers = {"Authorization": f"Bearer {stage.keys[0]}"}
    began = time.monotonic()
    answer = httpx.post(
        f"{address}/api/leaderboard/submit", json=body, headers=headers, verify=False, timeout=60
    )
    seen.submits.append(time.monotonic() - began)
    assert answer.json()["new_rank"] == 1, answer.text
    told, last = 0, 0.0
    while told < stage.size and time.monotonic() < began + TOLD_SECONDS:
        time.sleep(0.2)
        told, last, _ = people.ask()
    time.sleep(PAUSE_SECONDS)
    told, last, _ = people.ask()
    seen.told.append(told)
    seen.telling.append(last - began)
    seen.cpu_telling.append(stage.nginx.cpu() - spent)


def report(stage: Stage, through: Seen, direct: Seen) -> None:
    def row(what: str, one: str, other: str) -> None:
        print(f"{what:44}{one:>22}{other:>14}")

    def middle(values: list[float], sign: str = "s") -> str:
        return f"{statistics.median(values):.2f} {sign}"

    def spread(values: list[float]) -> str:
        return f"{middle(values)} ({min(values):.2f}-{max(values):.2f})"

    row(f"{stage.size:,} sockets", "through Nginx", "direct")
    row("connecting all", spread(through.connecting), middle(direct.connecting))
    row("submit to the last socket's frame", spread(through.telling), middle(direct.telling))
    row("submit, until it is answered", spread(through.submits), middle(direct.submits))
    row("sockets told, the fewest", f"{min(through.told):,}", f"{min(direct.told):,}")
    row("sockets lost", str(through.lost), str(direct.lost))
    row("Nginx: memory, RSS", f"{through.rss / 1e6:.0f} MB", f"{direct.rss / 1e6:.0f} MB")
    row("Nginx: memory, PSS", f"{through.pss / 1e6:.0f} MB", f"{direct.pss / 1e6:.0f} MB")
    row("Nginx: CPU of connecting all", middle(through.cpu_connecting), "")
    row("Nginx: CPU of telling all", middle(through.cpu_telling), middle(direct.cpu_telling))
    row("Nginx: open files of its workers", " ".join(map(str, through.by_worker)), "")
    row("requests meanwhile", str(dict(stage.callers.answers)), "")
    row("the slowest of them", f"{stage.callers.slowest:.2f} s", "")
    print("load average:", *(f"{each:.1f}" for each in os.getloadavg()))


async def run(options: argparse.Namespace, folder: Path) -> bool:
    """Whether all were told, none was lost and every request was answered."""
    with ExitStack() as stack:
        servers = stack.enter_context(start_servers(folder / "servers"))
        world = World(servers, "crowd", PLAYERS)
        await asyncio.to_thread(world.create)
        keys = [await asyncio.to_thread(make_key, world) for _ in range(KEYS)]
        settings = {
            **world.env, "AUTH_MODE": "closed", "AUTH_SECRET": secrets.token_urlsafe(48),
            "TRUSTED_PROXIES": "127.0.0.1/32", "WEB_DIR": "",
        }  # fmt: skip
        service = stack.enter_context(
            Service(folder / "serve", f"--workers={options.workers}", **settings)
        )
        assert eventually(lambda: service.get(HEALTH)[1]["status"] == "ok", 60), service.said()
        (folder / "nginx").mkdir()
        if options.tls:
            certificate(folder / "nginx" / "tls")
        scheme = "https" if options.tls else "http"
        backend = service.url.removeprefix("http://")
        # All sockets come from one address here.
        crowded = {"limit_conn addresses 4000": "limit_conn addresses 65000"}
        async with nginx(
            folder / "nginx", TOP / "frontend/dist", backend, scheme=scheme, changes=crowded
        ) as address:
            site = f"{scheme}://{address}"
            turns = options.turns * 2
            _, last = await asyncio.to_thread(world.ends, turns * ROUNDS)
            players = [each for each in range(1, PLAYERS + 1) if each not in {*last}]
            callers = Callers(site, keys[1])
            stage = Stage(
                service.url, site, options.tls, keys, players, last, options.sockets, Nginx(),
                callers,
            )  # fmt: skip
            through, direct = Seen(), Seen()
            try:
                for turn in range(turns):
                    seen = through if turn % 2 == 0 else direct
                    await asyncio.to_thread(one_turn, stage, seen, direct=seen is direct)
                    print(f"turn {turn + 1} of {turns}: connected in {seen.connecting[-1]:.1f} s, "
                          f"told in {seen.telling[-1]:.2f} s", file=sys.stderr)  # fmt: skip
                report(stage, through, direct)
            finally:
                for line in (folder / "nginx" / "error.log").read_text().splitlines()[:10]:
                    print("Nginx:", line)
    everybody = min(*through.told, *direct.told) == options.sockets
    return everybody and not (through.lost or direct.lost) and callers.answers.keys() == {"200"}


def certificate(folder: Path) -> None:
    folder.mkdir()
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-subj", "/CN=localhost", "-keyout", folder / "privkey.pem",
         "-out", folder / "fullchain.pem"],
        check=True, capture_output=True,
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(prog="nginx-sockets", description=__doc__)
    parser.add_argument("--sockets", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=2, help="of the backend")
    parser.add_argument("--turns", type=int, default=3, help="each way")
    parser.add_argument("--tls", action="store_true", help="Nginx speaks TLS")
    options = parser.parse_args()
    if find_nginx() is None or not (TOP / "frontend/dist/index.html").is_file():
        sys.exit("nginx-sockets: needs Nginx and the built app: run ./quickstart.sh test first")
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with tempfile.TemporaryDirectory(prefix="lb-sockets-") as name:
        passed = asyncio.run(run(options, Path(name)))
    print("nginx-sockets:", "passed" if passed else "FAILED")
    sys.exit(not passed)


if __name__ == "__main__":
    main()
