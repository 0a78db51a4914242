"""Floods from one address against the closed service while a game server submits: how long do its
scores take, how does memory grow, and what does health say meanwhile?

A real attacker has a machine of its own. Here the attackers run on the cores of the service, at the
lowest priority, so they take CPU time only when the service does not want it. The rate that they
reach is printed: a flood that was slowed by its priority alone would prove nothing.
"""

import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from benchmarks import attackers, polite
from benchmarks.abuse import RAMP_SECONDS, attacked
from benchmarks.bench import Bench, run_child
from benchmarks.closed import closed_service, make_key
from benchmarks.floods import FLOODS
from benchmarks.results import Fact, Row
from benchmarks.service import HEALTH, Service, get, post_json
from benchmarks.stats import Result
from benchmarks.world import World

TARGET_RATIO = 2.0
MAX_GROWTH_MB = 50
CONNECTIONS = 64
WORKERS = 2
ALONE_SECONDS = 10.0
LOOK_EVERY = 0.5


def measure_attacks(bench: Bench, world: World) -> None:
    """Each flood in turn, for so many seconds as the options say; before it the server alone."""
    key = make_key(world)
    seconds = bench.options.attack_seconds
    with closed_service(bench, world, WORKERS, ACCESS_LOG="true", LOG_LEVEL="info") as service:
        token = post_json(service.port, "/api/auth/player-token", key, {"user_id": 1})["token"]
        floods = [kind for kind in FLOODS if kind in (bench.options.floods or FLOODS)]
        for number, kind in enumerate(floods):
            what = FLOODS[kind].what
            alone = _submit(service, world, key, min(ALONE_SECONDS, seconds))
            before = _memory(service)
            told: list[attackers.Report] = []
            job = attackers.Job(kind, service.port, CONNECTIONS, f"127.0.3.{number + 1}", token)
            with _watched(service) as health, attacked(job, told):
                time.sleep(RAMP_SECONDS)
                started, used = time.monotonic(), _cpu_seconds(service)
                beside = _submit(service, world, key, seconds)
                used = (_cpu_seconds(service) - used) / (time.monotonic() - started)
            grown = [now - then for now, then in zip(_memory(service), before, strict=True)]
            _note(bench, world, what, alone, beside)
            bench.note(
                Fact(f"memory of a worker, {what}", max(grown), "MB", world.players, MAX_GROWTH_MB)
            )
            unwell = health.total() - health["200 ok"]
            bench.note(Fact(f"health not ok, {what}", unwell, "times", world.players, 0))
            sent = sum(told[0].answers.values())
            rate = sent / (seconds + RAMP_SECONDS)
            bench.note(Fact(f"requests of {what}", rate, "/s", world.players))
            bench.note(Fact(f"CPU of all workers, {what}", used * 100, "%", world.players))
            for status, count in sorted(told[0].answers.items()):
                bench.note(Fact(f"answered {status}, {what}", count, "times", world.players))


def _note(bench: Bench, world: World, what: str, alone: Result, beside: Result) -> None:
    bench.add(
        Row(
            f"submits beside {what}",
            [beside],
            twin="alone",
            twin_rounds=[alone],
            target=TARGET_RATIO,
            at_most=True,
            by_p99=True,
            players=world.players,
        )
    )
    bench.console.print(
        f"    p50 {alone.p50_ms:.1f} -> {beside.p50_ms:.1f} ms, "
        f"p99 {alone.p99_ms:.1f} -> {beside.p99_ms:.1f} ms"
    )


def _submit(service: Service, world: World, key: str, seconds: float) -> Result:
    job = polite.Job(service.port, world.players, seconds, key, readers=0, writers=4, per_second=5)
    return run_child("benchmarks.polite", asdict(job))


def _workers(service: Service) -> list[str]:
    return Path(f"/proc/{service.pid}/task/{service.pid}/children").read_text().split()


def _cpu_seconds(service: Service) -> float:
    """CPU time that all workers have used."""
    ticks = 0
    for worker in _workers(service):
        # After the command's name: state is field 3, user and system time are 14 and 15.
        stat = Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()
        ticks += int(stat[11]) + int(stat[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _memory(service: Service) -> list[float]:
    """Megabytes of each worker."""
    found = []
    for child in _workers(service):
        lines = Path(f"/proc/{child}/status").read_text().splitlines()
        found += [int(line.split()[1]) / 1_000 for line in lines if line.startswith("VmRSS")]
    return found


@contextmanager
def _watched(service: Service) -> Iterator[Counter[str]]:
    """What health says, asked from another address as long as the block lasts."""
    seen: Counter[str] = Counter()
    over = threading.Event()

    def watch() -> None:
        while not over.wait(LOOK_EVERY):
            try:
                status, body = get(service.port, HEALTH)
                word = "ok" if b'"status":"ok"' in body[:20] else "not ok"
                seen[f"{status} {word}"] += 1
            except OSError:
                seen["no answer"] += 1

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()
