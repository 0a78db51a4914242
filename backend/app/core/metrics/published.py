"""One host's workers as one: each writes down what it counted, any of them shows it all.

Not `prometheus_client`'s own multi-process mode: there every count is a locked write into a mapped
file, which at several a request costs more of a hot route than a write of all of it once a second.
"""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import structlog

from app.core.files import new_file
from app.core.metrics.exposition import Told, render, tell
from app.core.metrics.families import Source
from app.core.supervisor import Supervisor

log = structlog.get_logger(__name__)

INTERVAL = 1.0
GONE_AFTER = 10.0
"""A worker that has written nothing for so long has died, or hangs."""


class Metrics:
    """What this worker counts, and what the others of this host wrote down."""

    def __init__(self, sources: Sequence[Source], folder: Path | None) -> None:
        self._sources = sources
        self._folder = folder
        self._families = [family for source in sources for family in source.families]
        self._worker = str(os.getpid())

    async def text(self) -> bytes:
        """All workers' metrics: this one's as they are, others' as they were a second ago."""
        by_worker = {self._worker: self._told()}
        if self._folder is not None:
            by_worker |= await asyncio.to_thread(self._read_others, self._folder)
        return render(self._families, by_worker)

    async def publish(self, folder: Path) -> None:
        """Writes down what was counted, once a second, for as long as the worker lives."""
        path = folder / f"{self._worker}.json"
        try:
            while True:
                try:
                    await asyncio.to_thread(_replace, path, json.dumps(self._told()))
                except OSError as error:
                    log.warning("metrics of this worker are not shown", error=str(error))
                await asyncio.sleep(INTERVAL)
        finally:
            path.unlink(missing_ok=True)

    def _told(self) -> Told:
        return tell(reading for source in self._sources for reading in source.read())

    def _read_others(self, folder: Path) -> dict[str, Told]:
        others = {}
        for path in sorted(folder.glob("*.json")):
            if path.stem == self._worker:
                continue
            try:
                if time.time() - path.stat().st_mtime < GONE_AFTER:
                    others[path.stem] = json.loads(path.read_bytes())
            except FileNotFoundError:  # that worker has ended meanwhile
                continue
        return others


def _replace(path: Path, text: str) -> None:
    """Whole or not at all, for who reads at the same time."""
    with new_file(path, replaces=True, is_durable=False) as file:
        file.write(text)


@asynccontextmanager
async def open_metrics(
    sources: Sequence[Source], folder: Path | None, supervisor: Supervisor
) -> AsyncIterator[Metrics]:
    """Metrics that other workers see, for as long as the block lasts."""
    metrics = Metrics(sources, folder)
    if folder is None:
        yield metrics
        return
    async with supervisor.running("metrics", partial(metrics.publish, folder)):
        yield metrics
