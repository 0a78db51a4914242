"""The load generator, a process of its own: `python -m benchmarks.load JOB`, a result as JSON.

A closed loop: each connection sends its next request when it has the answer to the last one.
Raw protocols on uvloop, because on a machine of few cores a comfortable client would be the
bottleneck that is measured.
"""

import asyncio
import gc
import json
import sys
import time
from dataclasses import asdict, dataclass
from itertools import cycle
from typing import cast

import uvloop

from benchmarks.connect import connect
from benchmarks.payloads import prepare
from benchmarks.stats import WARM_UP, Result, summarise

GRACE = 30.0
"""Seconds for the last answers."""


@dataclass(frozen=True, slots=True)
class Job:
    """What to ask for, where and for how long."""

    kind: str
    port: int
    players: int
    seconds: float
    connections: int = 64
    workers: int = 1
    whoami: str = "/api/leaderboard/top?limit=1"
    per_call: int = 1
    credential: str = ""


class Run:
    """What the connections of one run share."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.requests = cycle(prepare(job.kind, job.players, job.per_call, job.credential))
        self.latencies: list[float] = []
        self.answered = self.counted = self.failed = 0
        self.warm_until = self.deadline = 0.0
        self.open = job.connections
        self.finished = asyncio.Event()

    def start(self) -> None:
        now = time.perf_counter()
        self.deadline = now + self.job.seconds
        self.warm_until = now + self.job.seconds * WARM_UP

    def close(self) -> None:
        self.open -= 1
        if self.open == 0:
            self.finished.set()

    def result(self) -> Result:
        window = self.deadline - self.warm_until
        return summarise(self.latencies, self.counted / window, self.answered, self.failed)


class Caller(asyncio.Protocol):
    """One connection. Reads of an answer what it must: status and length."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._batch = run.job.kind == "batch"
        self._answer = b""
        self._size = 0
        self._sent_at = 0.0
        self._waiting = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by class

    def call(self) -> None:
        self._waiting = True
        self._sent_at = time.perf_counter()
        self._transport.write(next(self._run.requests))

    def data_received(self, data: bytes) -> None:
        if self._answer:
            data = self._answer + data
        if not self._size:
            head = data.find(b"\r\n\r\n") + 4
            if head > 3:
                at = data.index(b"content-length: ") + 16
                self._size = head + int(data[at : data.index(b"\r", at)])
        if not self._size or len(data) < self._size:
            self._answer = data
            return
        self._answer = b""
        self._size = 0
        self._take(data)

    def _take(self, answer: bytes) -> None:
        run, now = self._run, time.perf_counter()
        self._waiting = False
        good = int(answer.startswith(b"HTTP/1.1 200"))
        bad = 1 - good
        if self._batch:
            good = answer.count(b'"status":"accepted"')
            bad = run.job.per_call - good
        run.answered += good
        run.failed += bad
        if run.warm_until <= now < run.deadline:
            run.counted += good
            run.latencies.append(now - self._sent_at)
        if now < run.deadline:
            self.call()
        else:
            self._transport.close()

    def connection_lost(self, _: Exception | None) -> None:
        if self._waiting:
            self._run.failed += self._run.job.per_call
        self._run.close()


async def run_load(job: Job) -> Result:
    """Runs a job. Raises TimeoutError if the last answers don't come."""
    run = Run(job)
    loop = asyncio.get_running_loop()
    callers = []
    for each in connect(job.port, job.connections, job.workers, job.whoami):
        each.setblocking(False)
        _, caller = await loop.create_connection(lambda: Caller(run), sock=each)
        callers.append(caller)
    gc.disable()
    run.start()
    for caller in callers:
        caller.call()
    async with asyncio.timeout(job.seconds + GRACE):
        await run.finished.wait()
    return run.result()


if __name__ == "__main__":
    print(json.dumps(asdict(uvloop.run(run_load(Job(**json.loads(sys.argv[1])))))))
