"""Reading, beside an empty route, a smaller board and raw Redis."""

from dataclasses import asdict
from functools import partial

from benchmarks import zrank
from benchmarks.bench import Bench, run_child
from benchmarks.results import Row
from benchmarks.service import Service, serve
from benchmarks.world import World

TARGET_RATIO = 0.9
TARGET_SIZE_RATIO = 1.3
SMALL = 10_000


def measure_reads(bench: Bench, service: Service, world: World) -> None:
    """Each read in turns with the empty route, under the same number of workers."""
    kinds = [kind for kind in ("top", "rank", "around") if bench.wanted(kind)]
    with serve(
        "benchmarks.empty_app:app", folder=bench.folder, env={}, workers=service.workers, health="/"
    ) as other:
        empty = partial(bench.load, other, "empty", world.players, whoami="/worker")
        calls = [partial(bench.load, service, kind, world.players) for kind in kinds]
        # The twin runs beside each, not once for all: its rate drifts with the machine's.
        turns = [call for each in calls for call in (each, empty)]
        found = bench.in_turns("reads: " + ", ".join(kinds), turns)
    names = {"top": "top-100", "rank": "rank", "around": "around, radius 10"}
    for at, kind in enumerate(kinds):
        bench.add(
            Row(
                f"{names[kind]}, {service.workers} workers",
                found[2 * at],
                twin="an empty route",
                twin_rounds=found[2 * at + 1],
                target=None if kind == "around" else TARGET_RATIO,
                players=world.players,
            )
        )


def measure_zrank(bench: Bench, service: Service, world: World) -> None:
    """For information: what awaiting each look-up alone costs, without any HTTP."""
    job = zrank.Job(world.servers.redis_url, world.index_prefix, bench.options.seconds)
    ours, theirs = bench.in_turns(
        "rank and raw ZRANK",
        [
            partial(bench.load, service, "rank", world.players),
            partial(run_child, "benchmarks.zrank", asdict(job)),
        ],
    )
    what = f"rank, {service.workers} workers"
    twin = "redis-py ZRANK, one by one"
    bench.add(Row(what, ours, twin=twin, twin_rounds=theirs, players=world.players))


def measure_scale(bench: Bench, service: Service, world: World) -> None:
    """A rank on this board beside one on a small board, on the same servers."""
    small = World(world.servers, "small", min(SMALL, world.players // 10))
    small.create()
    try:
        with serve(
            "app.main:create_app", "--factory", folder=bench.folder, env=small.env,
            workers=service.workers,
        ) as other:  # fmt: skip
            ours, theirs = bench.in_turns(
                f"rank at {world.players:,} and at {small.players:,}",
                [
                    partial(bench.load, service, "rank", world.players),
                    partial(bench.load, other, "rank", small.players),
                ],
            )
    finally:
        small.drop()
    bench.add(
        Row(
            f"rank, time at {world.players:,} players",
            ours,
            twin=f"at {small.players:,}",
            twin_rounds=theirs,
            target=TARGET_SIZE_RATIO,
            at_most=True,
            players=world.players,
        )
    )
