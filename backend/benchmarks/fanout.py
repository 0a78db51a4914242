"""Fan-out: a crowd of watchers on one worker, beside a loop of bare writes of the same bytes."""

import contextlib
import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from benchmarks import watchers
from benchmarks.bench import Bench
from benchmarks.results import Fact, Row
from benchmarks.service import BACKEND, BenchmarkError, Service, get, serve
from benchmarks.stats import Result
from benchmarks.world import World

PROCESSES = 2
SPECTATORS = 0.2
"""Share of the watchers that have no rank of their own."""

REPEATS = 7
TARGET_RATIO = 2.0
TOLD_SECONDS = 30.0
SHORTEST = 0.001
"""The hub's clock is the event loop's, which counts in milliseconds."""

JUMP = 10**9
"""A score that lifts the last player above all others: everybody's rank moves."""


class Crowd:
    """The watchers' processes."""

    def __init__(self, processes: list["subprocess.Popen[str]"]) -> None:
        self._processes = processes

    def ask(self) -> dict[str, int]:
        """How many are connected and what they have received."""
        totals = {"connected": 0, "frames": 0, "bytes": 0}
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        for process in self._processes:
            for name, count in _read(process).items():
                totals[name] += count
        return totals

    def settle(self) -> dict[str, int]:
        """Waits until nothing more arrives: the next round must not share its time."""
        seen = self.ask()
        while True:
            time.sleep(0.3)
            now = self.ask()
            if now == seen:
                return now
            seen = now


def _read(process: "subprocess.Popen[str]") -> dict[str, int]:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise BenchmarkError("the watchers ended early; see their errors above")
    counts: dict[str, int] = json.loads(line)
    return counts


@contextmanager
def crowd(service: Service, world: World, size: int) -> Iterator[Crowd]:
    """Connects the watchers, spectators among them, and lets them go at the end."""
    chosen = random.Random(1)
    spectators = int(size * SPECTATORS)
    # The last players of the board are left out: they are the ones that move.
    _, last = world.ends(2 * REPEATS + 2)
    others = [each for each in range(1, world.players + 1) if each not in set(last)]
    players = [chosen.choice(others) for _ in range(size - spectators)]
    with contextlib.ExitStack() as stack:
        processes = []
        for at in range(PROCESSES):
            process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.watchers"],
                cwd=BACKEND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            )  # fmt: skip
            # `with process` would wait for a process that nobody told to end.
            stack.callback(process.wait)
            stack.callback(process.kill)
            job = watchers.Job(
                service.port,
                tuple(players[at::PROCESSES]),
                spectators // PROCESSES + (at < spectators % PROCESSES),
            )
            assert process.stdin is not None
            process.stdin.write(json.dumps(asdict(job)) + "\n")
            process.stdin.flush()
            processes.append(process)
        for process in processes:
            _read(process)
        yield Crowd(processes)


def measure_fanout(bench: Bench, world: World) -> None:
    """Rounds of the hub in turns with the loop, in the same process over the same sockets."""
    size = bench.options.watchers
    with serve(
        "benchmarks.live_app:create_app", "--factory", folder=bench.folder, env=world.env
    ) as service:
        with bench.status(f"connecting {size:,} watchers"):
            started = time.monotonic()
            stack = contextlib.ExitStack()
            people = stack.enter_context(crowd(service, world, size))
            took = time.monotonic() - started
        with stack, bench.status(f"fan-out to {size:,} watchers"):
            rounds, bare = _take_turns(service, world, people)
    bench.note(Fact(f"connecting {size:,} watchers", took, "s", world.players))
    bench.add(
        Row(
            f"fan-out to {size:,} watchers, 1 worker",
            rounds,
            " writes/s",
            twin="a loop of bare writes",
            twin_rounds=bare,
            target=TARGET_RATIO,
            at_most=True,
            players=world.players,
        )
    )


def _take_turns(service: Service, world: World, people: Crowd) -> tuple[list[Result], list[Result]]:
    _, last = world.ends(2 * REPEATS + 2)
    _call(service, "POST", "/bench/record/true")
    _move(service, people, last.pop())
    writes = _call(service, "POST", "/bench/record/false")
    rounds, bare = [], []
    for _ in range(REPEATS):
        rounds.append(_result(writes, _move(service, people, last.pop())))
        bare.append(_result(writes, _call(service, "POST", "/bench/bare")["seconds"]))
        people.settle()
    lost = int(_call(service, "GET", "/bench/hub")["clients"]) - people.ask()["connected"]
    rounds[-1].failed += abs(lost)
    return rounds, bare


def _move(service: Service, people: Crowd, user_id: int) -> float:
    """One score that moves everybody; the seconds that telling it took."""
    before = people.settle()
    body = json.dumps({"user_id": user_id, "score": JUMP})
    _call(service, "POST", "/api/leaderboard/submit", body)
    deadline = time.monotonic() + TOLD_SECONDS
    while time.monotonic() < deadline:
        if people.settle()["frames"] >= before["frames"] + before["connected"]:
            seconds: float = _call(service, "GET", "/bench/hub")["last_round"]
            return max(seconds, SHORTEST)
    raise BenchmarkError("not every watcher was told of a change")


def _call(service: Service, method: str, path: str, body: str | None = None) -> Any:  # noqa: ANN401
    status, answer = get(service.port, path, method, body)
    if status != 200:
        raise BenchmarkError(f"{method} {path} answered {status}: {answer[:500]!r}")
    return json.loads(answer)


def _result(writes: int, seconds: float) -> Result:
    return Result(writes / seconds, seconds * 1_000, seconds * 1_000, writes)
