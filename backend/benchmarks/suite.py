"""The order in which a board of one size is measured."""

import asyncio
import time
from contextlib import AbstractContextManager, ExitStack

import redis

from benchmarks.abuse import measure_abuse
from benchmarks.attacks import measure_attacks
from benchmarks.bench import Bench
from benchmarks.closed import measure_auth
from benchmarks.fanout import measure_fanout
from benchmarks.light import measure_light
from benchmarks.reads import SMALL, measure_reads, measure_scale, measure_zrank
from benchmarks.results import Fact
from benchmarks.service import Service, serve
from benchmarks.storage import note_storage
from benchmarks.world import World
from benchmarks.writes import measure_batch, measure_submit

MAX_BYTES_A_PLAYER = 120
MANY_WORKERS = 2
SETTLE_SECONDS = 1.0


def run_size(bench: Bench, players: int, *, smallest: bool, largest: bool) -> None:
    """All measures that were asked for. One worker and the crowd are measured on the smallest
    board alone: the size is not what they are about.
    """
    world = World(bench.servers, f"board{players}", players)
    bench.console.print(f"[bold]{players:,} players")
    with ExitStack() as stack:
        with bench.status(f"seeding {players:,} players"):
            started = time.monotonic()
            stack.callback(world.drop)
            world.create()
            took = time.monotonic() - started
        bench.note(Fact("seeding", took, "s", players))
        asyncio.run(note_storage(bench, world))
        copy = None
        if bench.wanted("submit", "auth"):
            with bench.status("copying the database for the twin"):
                copy = world.clone(f"twin{players}")
                stack.callback(copy.drop)
        _build_index(bench, world)
        workers = (1, MANY_WORKERS) if smallest else (MANY_WORKERS,)
        for count in workers:
            _run_with(bench, world, copy, count, largest=largest)
        if smallest and bench.wanted("fanout"):
            measure_fanout(bench, world)
        if smallest and bench.wanted("abuse"):
            measure_abuse(bench, world)
        if smallest and bench.wanted("attacks"):
            measure_attacks(bench, world)


def _run_with(
    bench: Bench, world: World, copy: World | None, workers: int, *, largest: bool
) -> None:
    many = workers == MANY_WORKERS
    reads = many and bench.wanted("top", "rank", "around", "zrank", "scale", "light", "auth")
    if not (reads or bench.wanted("submit", "batch")):
        return
    with _service(bench, world, workers) as service:
        if copy is not None and bench.wanted("submit"):
            measure_submit(bench, service, world, copy)
        if bench.wanted("batch"):
            measure_batch(bench, service, world)
        if many:
            _run_reads(bench, service, world, largest=largest)
        if many and copy is not None and bench.wanted("auth"):
            measure_auth(bench, service, world, copy)


def _run_reads(bench: Bench, service: Service, world: World, *, largest: bool) -> None:
    if bench.wanted("top", "rank", "around"):
        measure_reads(bench, service, world)
    if bench.wanted("zrank"):
        measure_zrank(bench, service, world)
    if bench.wanted("scale") and largest and world.players > SMALL // 10:
        measure_scale(bench, service, world)
    if bench.wanted("light"):
        measure_light(bench, service, world)


def _service(bench: Bench, world: World, workers: int) -> AbstractContextManager[Service]:
    return serve(
        "app.main:create_app", "--factory", folder=bench.folder, env=world.env, workers=workers
    )


def _build_index(bench: Bench, world: World) -> None:
    """The service finds Redis empty and builds its index by itself; then what that takes."""
    with redis.Redis.from_url(world.servers.redis_url) as client:
        before = int(client.info("memory")["used_memory"])
        with bench.status("the service builds its index"), _service(bench, world, 1) as service:
            took = service.ready_after
        # With the service gone, its connections' buffers don't count as players.
        time.sleep(SETTLE_SECONDS)
        after = int(client.info("memory")["used_memory"])
    each = (after - before) / world.players
    bench.note(Fact("building the index", took, "s", world.players))
    bench.note(Fact("Redis memory a player", each, "bytes", world.players, MAX_BYTES_A_PLAYER))
