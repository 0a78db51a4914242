"""Floods from one address against the closed service while a game server submits: how long do its
scores take, how does memory grow, and what does health say meanwhile?"""

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
        for number, (kind, (what, _)) in enumerate(FLOODS.items()):
            alone = _submit(service, world, key, min(ALONE_SECONDS, seconds))
            before = _memory(service)
            told: list[attackers.Report] = []
            job = attackers.Job(kind, service.port, CONNECTIONS, f"127.0.3.{number + 1}", token)
            with _watched(service) as health, attacked(job, told):
                time.sleep(RAMP_SECONDS)
                beside = _submit(service, world, key, seconds)
            grown = [now - then for now, then in zip(_memory(service), before, strict=True)]
            _note(bench, world, what, alone, beside)
            bench.note(
                Fact(f"memory of a worker, {what}", max(grown), "MB", world.players, MAX_GROWTH_MB)
            )
            unwell = health.total() - health["200 ok"]
            bench.note(Fact(f"health not ok, {what}", unwell, "times", world.players, 0))
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


def _memory(service: Service) -> list[float]:
    """Megabytes of each worker."""
    children = Path(f"/proc/{service.pid}/task/{service.pid}/children").read_text().split()
    found = []
    for child in children:
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
