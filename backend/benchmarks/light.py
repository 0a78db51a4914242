"""Light load: one connection, beside what the product promises."""

from dataclasses import asdict

from benchmarks import frame_probe
from benchmarks.bench import Bench, run_child
from benchmarks.results import Promise
from benchmarks.service import Service
from benchmarks.world import World

PROMISES_MS = {"submit": 20.0, "top": 5.0, "rank": 1.0}
FRAME_MS = 10.0
NAMES = {"submit": "submit", "top": "top-100", "rank": "rank"}


def measure_light(bench: Bench, service: Service, world: World) -> None:
    """One caller at a time; then one watcher who waits for a frame."""
    for kind, promised in PROMISES_MS.items():
        with bench.status(f"light load: {kind}"):
            result = bench.load(service, kind, world.players, connections=1)
        bench.promise(Promise(NAMES[kind], result, promised, world.players))
    best, _ = world.ends(1)
    samples = 20 if bench.options.quick else 60
    with bench.status("light load: from a write to a watcher's frame"):
        job = frame_probe.Job(service.port, best[0], samples)
        result = run_child("benchmarks.frame_probe", asdict(job))
    what = "write to a watcher's frame"
    bench.promise(Promise(what, result, FRAME_MS, world.players))
