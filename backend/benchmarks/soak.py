"""An hour of steady load on a large board: `backend/scripts/soak`.

Two workers on servers of their own take scores and reads at a steady pace, while a number of
watchers follow players of the board and other sockets come and go. Every ten seconds the memory
of each process is read, every minute the times of the answers. At the end each watcher's last
pushed rank is compared with PostgreSQL, and `leaderboard verify` compares everything.

The run fails (exit code 1) if memory or times grew in the second half, if a sweep counted drift,
if a request failed, if a pushed rank is wrong, or if `verify` finds a difference.
"""

import argparse
import asyncio
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median

import asyncpg
import uvloop
from rich.console import Console
from rich.table import Table

from app.core.embedded import EmbeddedServers, start_servers
from benchmarks.payloads import prepare
from benchmarks.processes import Memory
from benchmarks.rank_watcher import RankWatcher
from benchmarks.service import BACKEND, Service, get, serve
from benchmarks.stats import summarise
from benchmarks.steady import Pace, keep_asking
from benchmarks.websocket import Watcher
from benchmarks.world import World

WORKERS = 2
MEMORY_EVERY = 10.0
MEMORY_MARGIN = 0.03
"""How far the median of the last quarter may be from that of the quarter before it."""
TIMES_MARGIN = 0.25
"""The same for the p50 of each minute, which a shared machine disturbs more."""
DRIFT = "leaderboard_sweep_repaired_players_total"

_RANKS = """
SELECT user_id, rank FROM (
    SELECT l.user_id, row_number() OVER (
        ORDER BY l.total_score DESC, l.achieved_id, l.user_id) AS rank
    FROM leaderboard l JOIN users u ON u.id = l.user_id WHERE u.is_active
) AS ranked WHERE user_id = ANY($1)
"""


@dataclass(frozen=True, slots=True)
class Options:
    """`submits` and `reads` are a second; `churn` is sockets that come and go, a second."""

    players: int
    minutes: float
    submits: float
    reads: float
    watchers: int
    churn: float


@dataclass(slots=True)
class Soak:
    """What the run has seen. `memory` has the bytes of each process by its name, in order."""

    memory: dict[str, list[int]] = field(default_factory=dict)
    minutes: list[tuple[float, float, float, float]] = field(default_factory=list)
    """p50 and p99 of scores, p50 and p99 of reads, in ms, of each minute."""
    answered: int = 0
    failed: int = 0
    wrong_ranks: list[str] = field(default_factory=list)
    drift: float = 0.0
    verified: bool = False

    def faults(self) -> list[str]:
        """What keeps this run from being a good one."""
        found = [
            f"memory of {name}: {_change(values):+.1%}"
            for name, values in self.memory.items()
            if abs(_change(values)) > MEMORY_MARGIN
        ]
        for place, what in ((0, "scores"), (2, "reads")):
            change = _change([each[place] for each in self.minutes])
            if change > TIMES_MARGIN:
                found.append(f"p50 of {what}: {change:+.1%}")
        if self.failed:
            found.append(f"{self.failed} requests failed")
        if self.drift:
            found.append(f"sweeps counted {self.drift:.0f} players as drift")
        if not self.verified:
            found.append("verify found differences")
        return found + self.wrong_ranks


def _change(values: "list[int] | list[float]") -> float:
    """How much the last quarter's median is above that of the quarter before; 0 for too few."""
    quarter = len(values) // 4
    if not quarter:
        return 0.0
    before = median(values[-2 * quarter : -quarter])
    return (median(values[-quarter:]) - before) / before if before else 0.0


async def _run(options: Options, service: Service, world: World, memory: Memory) -> Soak:
    soak = Soak()
    until = time.perf_counter() + options.minutes * 60
    watched = random.sample(range(1, world.players + 1), options.watchers)
    watchers = [await _join(service.port, user_id) for user_id in watched]
    scores = Pace(prepare("submit", world.players), options.submits)
    reads = Pace(prepare("rank", world.players) + prepare("top", world.players), options.reads)
    async with asyncio.TaskGroup() as tasks:
        for pace in (scores, reads):
            tasks.create_task(keep_asking(service.port, pace, until))
        tasks.create_task(_churn(service.port, world.players, options.churn, until))
        tasks.create_task(_note_memory(soak, memory, until))
        tasks.create_task(_note_times(soak, scores, reads, until))
    soak.answered = scores.answered + reads.answered
    soak.failed = scores.failed + reads.failed
    await asyncio.sleep(3)  # several ticks: whatever has to be pushed has been
    soak.wrong_ranks = await _compare(world, watched, watchers)
    for watcher in watchers:
        watcher.transport.abort()
    return soak


async def _join(port: int, user_id: int) -> RankWatcher:
    _, watcher = await asyncio.get_running_loop().create_connection(
        lambda: RankWatcher(f"/ws/leaderboard/{user_id}"), "127.0.0.1", port
    )
    return watcher


async def _churn(port: int, players: int, per_second: float, until: float) -> None:
    """Sockets that stay for up to half a minute, as those of people who look in."""
    loop = asyncio.get_running_loop()
    while time.perf_counter() < until:
        watcher = Watcher(f"/ws/leaderboard/{random.randint(1, players)}", lambda: None)
        await loop.create_connection(partial(_same, watcher), "127.0.0.1", port)
        loop.call_later(random.uniform(0, 30), watcher.transport.abort)
        await asyncio.sleep(random.expovariate(per_second))


def _same(watcher: Watcher) -> Watcher:
    return watcher


async def _note_memory(soak: Soak, memory: Memory, until: float) -> None:
    while time.perf_counter() < until:
        for name, size in memory.read().items():
            soak.memory.setdefault(name, []).append(size)
        await asyncio.sleep(MEMORY_EVERY)


async def _note_times(soak: Soak, scores: Pace, reads: Pace, until: float) -> None:
    while (left := until - time.perf_counter()) > 0:
        await asyncio.sleep(min(60.0, left))
        if left < 60.0:
            return  # the last piece of a minute says nothing of its own
        found = [summarise(each.drain(), 0, 0) for each in (scores, reads)]
        soak.minutes.append((found[0].p50_ms, found[0].p99_ms, found[1].p50_ms, found[1].p99_ms))
        print(
            f"minute {len(soak.minutes)}: scores p50 {found[0].p50_ms:.1f} p99 "
            f"{found[0].p99_ms:.1f} ms, reads p50 {found[1].p50_ms:.1f} p99 "
            f"{found[1].p99_ms:.1f} ms, "
            + ", ".join(f"{name} {sizes[-1] >> 20} MB" for name, sizes in soak.memory.items()),
            flush=True,
        )


async def _compare(world: World, watched: list[int], watchers: list[RankWatcher]) -> list[str]:
    connection = await asyncpg.connect(world.dsn)
    try:
        rows = await connection.fetch(_RANKS, watched)
    finally:
        await connection.close()
    right = {row["user_id"]: row["rank"] for row in rows}
    return [
        f"player {user_id}: pushed {watcher.rank}, in PostgreSQL {right.get(user_id)}"
        for user_id, watcher in zip(watched, watchers, strict=True)
        if watcher.lost or watcher.rank != right.get(user_id)
    ]


def _drift(port: int) -> float:
    _, body = get(port, "/metrics")
    lines = body.decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(DRIFT + "{"))


def _verify(world: World) -> bool:
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", "verify"],
        cwd=BACKEND, env={**os.environ, **world.env}, check=False,
    )  # fmt: skip
    return done.returncode == 0


def soak(options: Options, folder: Path, servers: EmbeddedServers) -> Soak:
    """The whole run on these servers."""
    world = World(servers, "soak", options.players)
    world.create()
    metrics = folder / "metrics"
    metrics.mkdir()
    env = {**world.env, "METRICS_DIR": str(metrics)}
    with serve(
        "app.main:create_app", "--factory", folder=folder, env=env, workers=WORKERS
    ) as service:
        found = uvloop.run(_run(options, service, world, Memory(os.getpid())))
        found.drift = _drift(service.port)
        found.verified = _verify(world)
    return found


def _show(options: Options, found: Soak) -> None:
    table = Table(title=f"{options.players:,} players, {options.minutes:g} minutes")
    table.add_column("what")
    for name in ("third quarter", "last quarter", "change"):
        table.add_column(name, justify="right")
    for name, sizes in found.memory.items():
        _add_row(table, f"memory of {name}, MB", [size / 2**20 for size in sizes])
    for place, what in enumerate(("scores, p50 ms", "scores, p99", "reads, p50 ms", "reads, p99")):
        _add_row(table, what, [each[place] for each in found.minutes])
    console = Console(width=110)
    console.print(table)
    console.print(
        f"{found.answered:,} answered, {found.failed:,} failed; drift {found.drift:.0f}; "
        f"{options.watchers - len(found.wrong_ranks)} of {options.watchers} pushed ranks right; "
        f"verify {'found nothing' if found.verified else 'FOUND DIFFERENCES'}",
        highlight=False,
    )


def _add_row(table: Table, what: str, values: list[float]) -> None:
    quarter = len(values) // 4
    if quarter:
        before, last = median(values[-2 * quarter : -quarter]), median(values[-quarter:])
        table.add_row(what, f"{before:,.1f}", f"{last:,.1f}", f"{_change(values):+.1%}")


def _parse() -> Options:
    parser = argparse.ArgumentParser(prog="backend/scripts/soak", description=__doc__)
    parser.add_argument("--players", type=int, default=1_000_000)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--submits", type=float, default=100.0, help="scores a second")
    parser.add_argument("--reads", type=float, default=100.0, help="reads a second")
    parser.add_argument("--watchers", type=int, default=300, help="sockets that stay")
    parser.add_argument("--churn", type=float, default=10.0, help="sockets a second that leave")
    given = parser.parse_args()
    return Options(**vars(given))


def main() -> int:
    """0 when nothing grew and everything was right, 1 otherwise."""
    options = _parse()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    folder = Path(tempfile.mkdtemp(prefix="lb-soak-"))
    try:
        with start_servers(folder) as servers:
            found = soak(options, folder, servers)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    _show(options, found)
    faults = found.faults()
    for fault in faults:
        print(f"soak: {fault}", file=sys.stderr)
    print("soak: FAILED" if faults else "soak: passed")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
