"""One run of the benchmark: its servers, its progress on the terminal, and what it found."""

import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from app.core.embedded import EmbeddedServers, start_servers
from benchmarks.load import Job
from benchmarks.options import Options
from benchmarks.results import Fact, Promise, Row
from benchmarks.service import BACKEND, BenchmarkError, Service
from benchmarks.stats import Result

WIDTH = 150


class Findings(Protocol):
    """Anything that goes into the JSON document."""

    def encode(self) -> dict[str, Any]: ...


@dataclass(slots=True)
class Bench:
    """Everything that measures share."""

    options: Options
    folder: Path
    servers: EmbeddedServers
    console: Console
    progress: Progress
    rows: list[Row] = field(default_factory=list)
    promises: list[Promise] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    lanes: dict[int, int] = field(default_factory=dict)
    """Transactions at once that suit the twin best, by its number of workers."""

    def wanted(self, *names: str) -> bool:
        """Whether any of these measures was asked for."""
        return not self.options.only.isdisjoint(names)

    @contextmanager
    def status(self, text: str) -> Iterator[None]:
        """Says what is going on while it goes on."""
        task = self.progress.add_task(text, total=None)
        try:
            yield
        finally:
            self.progress.remove_task(task)

    def in_turns(self, what: str, calls: Sequence[Callable[[], Result]]) -> list[list[Result]]:
        """Rounds of A B A B: what disturbs the machine for a while disturbs all alike."""
        task = self.progress.add_task(what, total=self.options.rounds * len(calls))
        found: list[list[Result]] = [[] for _ in calls]
        for _ in range(self.options.rounds):
            for results, call in zip(found, calls, strict=True):
                results.append(call())
                self.progress.advance(task)
        self.progress.remove_task(task)
        return found

    def add(self, row: Row) -> None:
        """Keeps a row and shows it, for whoever watches."""
        self.rows.append(row)
        twin = f", {row.twin} {row.twin_rate:,.0f}{row.unit}" if row.twin_rate else ""
        self.console.print(f"  {row.what}: {row.rate:,.0f}{row.unit}{twin}  {row.verdict}")

    def note(self, fact: Fact) -> None:
        """Keeps a figure and shows it."""
        self.facts.append(fact)
        self.console.print(f"  {fact.what}: {fact.value:,.2f} {fact.unit}  {fact.verdict}")

    def promise(self, kept: Promise) -> None:
        """Keeps a line of the second table and shows it."""
        self.promises.append(kept)
        times = f"p50 {kept.result.p50_ms:.2f} ms, p99 {kept.result.p99_ms:.2f} ms"
        self.console.print(f"  light load, {kept.what}: {times}  {kept.verdict}")

    def load(
        self,
        service: Service,
        kind: str,
        players: int,
        *,
        whoami: str = "",
        **job: Any,  # noqa: ANN401
    ) -> Result:
        """One run of the load generator."""
        where = whoami or "/api/leaderboard/top?limit=1"
        seconds = job.pop("seconds", self.options.seconds)
        given = Job(
            kind, service.port, players, seconds, workers=service.workers, whoami=where, **job
        )
        return run_child("benchmarks.load", asdict(given))


def run_child(module: str, job: dict[str, Any]) -> Result:
    """Runs a module of ours in a process of its own. Raises BenchmarkError."""
    command = [sys.executable, "-m", module, json.dumps(job)]
    done = subprocess.run(command, cwd=BACKEND, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(f"{module} failed: {done.stderr[-2_000:]}")
    return Result(**json.loads(done.stdout))


@contextmanager
def open_bench(options: Options) -> Iterator[Bench]:
    """Servers in a folder of their own, gone at the end unless it was asked to keep them."""
    console = Console()
    if console.width < WIDTH:
        console = Console(width=WIDTH)  # a log or a narrow window: a wrapped table is unreadable
    progress = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        # The terminal must not cost the cores what they are measured with.
        refresh_per_second=2,
    )
    with contextlib.ExitStack() as stack:
        folder = options.keep or Path(tempfile.mkdtemp(prefix="lb-bench-"))
        if options.keep is None:
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
        stack.enter_context(progress)
        servers = stack.enter_context(start_servers(folder))
        yield Bench(options, folder, servers, console, progress)
