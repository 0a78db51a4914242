"""Submitting, single and in batches, beside the same service with one transaction a request."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from benchmarks.bench import Bench
from benchmarks.results import Row
from benchmarks.service import Service, serve
from benchmarks.stats import Result
from benchmarks.world import World

LANES = (1, 4, 8, 16)
TUNING_SECONDS = 2.0
TARGET_RATIO = 3.0
TARGET_SCORES = 15_000
CONNECTIONS = (64, 256)
BATCHES = ((100, 16), (1_000, 4))
"""(scores a call, connections)."""


@contextmanager
def twin(bench: Bench, world: World, workers: int, lanes: int) -> Iterator[Service]:
    """One transaction a request, so many of them at once in a worker."""
    env = {
        "WRITER_MAX_BATCH": "1",
        "WRITER_LANES": str(lanes),
        "DATABASE_POOL_SIZE": str(lanes + 4),
    }
    with serve(
        "app.main:create_app", "--factory", folder=bench.folder, env={**world.env, **env},
        workers=workers,
    ) as service:  # fmt: skip
        yield service


def counted(
    bench: Bench,
    world: World,
    service: Service,
    kind: str,
    **job: Any,  # noqa: ANN401 - fields of a Job
) -> Result:
    """A run of writes. What the ledger has more or fewer than was answered counts as failed."""
    before = world.ledger_rows()
    result = bench.load(service, kind, world.players, **job)
    result.failed += abs(world.ledger_rows() - before - result.answered)
    return result


def best_lanes(bench: Bench, world: World, workers: int) -> int:
    """How many transactions at once suit the twin best on this machine: it gets its best."""
    if workers in bench.lanes:
        return bench.lanes[workers]
    lanes = LANES[2:3] if bench.options.quick else LANES
    rates: dict[int, float] = {}
    for each in lanes:
        with (
            bench.status(f"tuning the twin: {each} transactions at once, {workers} worker(s)"),
            twin(bench, world, workers, each) as service,
        ):
            rates[each] = counted(bench, world, service, "submit", seconds=TUNING_SECONDS).rate
    best = bench.lanes[workers] = max(rates, key=rates.__getitem__)
    shown = ", ".join(f"{each}: {rate:,.0f}/s" for each, rate in rates.items())
    bench.console.print(f"  twin's transactions at once, {workers} worker(s): {shown}")
    return best


def measure_submit(bench: Bench, service: Service, world: World, copy: World) -> None:
    """Single submissions in turns with the twin, which works on a copy of the database."""
    lanes = best_lanes(bench, copy, service.workers)
    with twin(bench, copy, service.workers, lanes) as other:
        for connections in CONNECTIONS:
            what = f"submit, {connections} connections, {service.workers} worker(s)"
            ours, theirs = bench.in_turns(
                what,
                [
                    partial(counted, bench, world, service, "submit", connections=connections),
                    partial(counted, bench, copy, other, "submit", connections=connections),
                ],
            )
            bench.add(
                Row(
                    what,
                    ours,
                    twin=f"a transaction each, {lanes} at once",
                    twin_rounds=theirs,
                    target=TARGET_RATIO,
                    players=world.players,
                )
            )


def measure_batch(bench: Bench, service: Service, world: World) -> None:
    """Calls of the two sizes in turns."""
    names = [f"batch of {size:,}, {service.workers} worker(s)" for size, _ in BATCHES]
    calls = [
        partial(counted, bench, world, service, "batch", per_call=size, connections=connections)
        for size, connections in BATCHES
    ]
    for what, found in zip(names, bench.in_turns("batches", calls), strict=True):
        target = TARGET_SCORES
        bench.add(Row(what, found, " scores/s", target=target, players=world.players))
