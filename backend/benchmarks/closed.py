"""The service as it runs in earnest: closed, with keys and limits."""

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from app.core.config import Settings
from app.core.database import create_engine
from app.services.access.callers import Scope
from app.services.access.key_admin import KeyAdmin
from benchmarks.bench import Bench
from benchmarks.results import Row
from benchmarks.service import Service, serve
from benchmarks.world import World
from benchmarks.writes import counted

TARGET_RATIO = 0.85
PLENTY = "60000000"
"""A minute, for one key: the measure is what counting costs, not what is left over."""


def make_key(world: World) -> str:
    """A key of the world's that may read and submit."""

    async def make() -> str:
        engine = create_engine(Settings(_env_file=None, database_url=world.url))
        try:
            scopes = {Scope.READ, Scope.SUBMIT}
            return (await KeyAdmin(engine).create("benchmark", scopes, "benchmark")).text
        finally:
            await engine.dispose()

    return asyncio.run(make())


@contextmanager
def closed_service(bench: Bench, world: World, workers: int, **env: str) -> Iterator[Service]:
    """The closed service with limits on; `env` are more settings."""
    settings = {
        **world.env,
        "AUTH_MODE": "closed",
        "AUTH_SECRET": secrets.token_urlsafe(48),
        "WORKERS": str(workers),
        **env,
    }
    with serve(
        "app.main:create_app", "--factory", folder=bench.folder, env=settings, workers=workers
    ) as service:
        yield service


def measure_auth(bench: Bench, service: Service, world: World, copy: World) -> None:
    """Single submissions and rank reads with a key and limits, in turns with the open service
    `service`. Each has a database of its own, so that none does the other's work."""
    plenty = {"LIMIT_KEY_READS": PLENTY, "LIMIT_KEY_SUBMITS": PLENTY}
    key = make_key(copy)
    with closed_service(bench, copy, service.workers, **plenty) as other:
        for kind in ("submit", "rank"):
            what = f"{kind} with key and limits, {service.workers} workers"
            if kind == "submit":
                calls = [
                    partial(counted, bench, copy, other, kind, credential=key),
                    partial(counted, bench, world, service, kind),
                ]
            else:
                calls = [
                    partial(bench.load, other, kind, world.players, credential=key),
                    partial(bench.load, service, kind, world.players),
                ]
            ours, theirs = bench.in_turns(what, calls)
            bench.add(
                Row(
                    what,
                    ours,
                    twin="open, nothing counted",
                    twin_rounds=theirs,
                    target=TARGET_RATIO,
                    players=world.players,
                )
            )
