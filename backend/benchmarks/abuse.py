"""Well-behaved clients alone, then beside attackers: how long do they wait for an answer?"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial

from benchmarks import attackers, polite
from benchmarks.bench import Bench, run_child
from benchmarks.closed import closed_service, make_key
from benchmarks.results import Fact, Row
from benchmarks.service import BACKEND, BenchmarkError, Service
from benchmarks.stats import Result
from benchmarks.world import World

TARGET_RATIO = 2.0
WORKERS = 2
SECONDS = 12.0
"""Longer than the service waits for a head: it is seen to lose patience."""

QUICK_SECONDS = 2.0
RAMP_SECONDS = 1.0
"""An attack is under way when the measure begins, and goes on through all of it."""

ATTACKS = {
    "loris": ("1,000 connections that drip headers", 1_000),
    "sockets": ("5,000 idle sockets from one address", 5_000),
    "keys": ("64 connections that try made-up keys", 64),
}


def measure_abuse(bench: Bench, world: World) -> None:
    """Rounds of alone and each attack in turns, on the closed service with its default limits."""
    key = make_key(world)
    with closed_service(bench, world, WORKERS) as service:
        seconds = QUICK_SECONDS if bench.options.quick else SECONDS
        job = polite.Job(service.port, world.players, seconds, key)
        calls: list[Callable[[], Result]] = [partial(_measure, job)]
        sent_away: dict[str, list[int]] = {kind: [] for kind in ATTACKS}
        for number, kind in enumerate(ATTACKS):
            address = f"127.0.1.{number + 1}"
            calls.append(partial(_beside, service, kind, address, job, sent_away[kind]))
        alone, *beside = bench.in_turns("abuse", calls)
    for (kind, (what, _)), found in zip(ATTACKS.items(), beside, strict=True):
        bench.add(
            Row(
                f"clients beside {what}",
                found,
                twin="the same clients alone",
                twin_rounds=alone,
                target=TARGET_RATIO,
                at_most=True,
                by_p99=True,
                players=world.players,
            )
        )
        bench.note(Fact(f"sent away: {what}", sum(sent_away[kind]), "times", world.players))


def _measure(job: polite.Job) -> Result:
    return run_child("benchmarks.polite", asdict(job))


def _beside(
    service: Service, kind: str, address: str, job: polite.Job, sent_away: list[int]
) -> Result:
    told: list[attackers.Report] = []
    with attacked(attackers.Job(kind, service.port, ATTACKS[kind][1], address), told):
        time.sleep(RAMP_SECONDS)
        found = _measure(job)
    sent_away.append(told[0].done)
    return found


@contextmanager
def attacked(job: attackers.Job, told: list[attackers.Report]) -> Iterator[None]:
    """An attack for as long as the block lasts; then `told` has its report."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.attackers"],
        cwd=BACKEND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(asdict(job)) + "\n")
        process.stdin.flush()
        if not process.stdout.readline():
            raise BenchmarkError("the attackers ended early; see their errors above")
        yield
        process.stdin.close()
        told.append(attackers.Report(**json.loads(process.stdout.readline())))
    finally:
        process.kill()
        process.wait()
