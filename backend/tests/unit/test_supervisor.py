"""A worker's long-lived tasks are started again, whatever ends them; nothing else starts one."""

import ast
import asyncio
from pathlib import Path

import pytest
import structlog
from structlog.testing import LogCapture

from app.core import supervisor as supervision
from app.core.supervisor import Supervisor

APP = Path(supervision.__file__).parents[1]
CLOCKLESS = {"cli", "embedded"}
"""Packages of which nothing runs within a worker's event loop for as long as the worker."""


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(supervision, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(supervision, "LONGEST_PAUSE", 0.002)
    monkeypatch.setattr(supervision, "STEADY_SECONDS", 0.02)


@pytest.fixture
def logs(monkeypatch):
    capture = LogCapture()
    monkeypatch.setattr(supervision, "log", structlog.wrap_logger(None, processors=[capture]))
    return capture.entries


class Task:
    """A task that ends `ends` times, as it is told to, and then runs on."""

    def __init__(self, how, ends: int = 3) -> None:
        self.how = how
        self.ends = ends
        self.steady = asyncio.Event()

    async def run(self) -> None:
        if self.ends:
            self.ends -= 1
            await self.how()
            return
        self.steady.set()
        await asyncio.Event().wait()


async def _raise() -> None:
    raise ConnectionResetError("gone")


async def _raise_base() -> None:
    raise BaseException("worse")  # noqa: TRY002


async def _return() -> None:
    pass


async def _cancel() -> None:
    asyncio.current_task().cancel()
    await asyncio.sleep(1)


@pytest.mark.parametrize("how", [_raise, _raise_base, _return, _cancel])
async def test_a_task_is_started_again_however_it_ends(how, logs):
    supervisor, task = Supervisor(), Task(how)
    async with supervisor.running("mine", task.run) as seen:
        await asyncio.wait_for(task.steady.wait(), 5)
        assert seen.failures == 3
        assert supervisor.failing == [seen]
        async with asyncio.timeout(5):
            while supervisor.failing:
                await asyncio.sleep(0.005)
    assert [line["task"] for line in logs] == ["mine"] * 3
    assert supervisor.tasks == []


async def test_the_pause_grows_while_a_task_keeps_failing(monkeypatch, logs):
    monkeypatch.setattr(supervision, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(supervision, "LONGEST_PAUSE", 0.004)
    monkeypatch.setattr(supervision, "STEADY_SECONDS", 5)
    task = Task(_raise, ends=4)
    async with Supervisor().running("mine", task.run):
        await asyncio.wait_for(task.steady.wait(), 5)
    assert [line["retry_in"] for line in logs] == [0.001, 0.002, 0.004, 0.004]


async def test_a_stopped_task_ends_though_it_swallows_a_cancellation():
    ended = False

    async def stubborn() -> None:
        nonlocal ended
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            try:
                await asyncio.Event().wait()
            finally:
                ended = True

    async with Supervisor().running("stubborn", stubborn):
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert ended


def _trees():
    for path in sorted(APP.rglob("*.py")):
        if not CLOCKLESS & set(path.relative_to(APP).parts):
            yield path.relative_to(APP).as_posix(), ast.parse(path.read_text())


def _endless(function: ast.AsyncFunctionDef) -> bool:
    """Whether it has a loop that only an exception or a `return` ends."""
    return any(
        isinstance(node, ast.While) and isinstance(node.test, ast.Constant)
        for node in ast.walk(function)
    )


def _started(tree: ast.Module):
    """Names of the functions of which a task is made here."""
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in ("create_task", "ensure_future")
        ):
            made = node.args[0]
            name = made.func if isinstance(made, ast.Call) else made
            yield name.attr if isinstance(name, ast.Attribute) else getattr(name, "id", "?")


def test_only_the_supervisor_starts_endless_tasks():
    trees = dict(_trees())
    endless = {
        node.name
        for tree in trees.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.AsyncFunctionDef) and _endless(node)
    }
    known = {"run", "run_refills", "run_resyncs", "dismiss_unwelcome", "publish", "_chores"}
    assert known <= endless
    starts = {
        (path, name) for path, tree in trees.items() for name in _started(tree) if name in endless
    }
    # `run` here is the supervisor's own argument.
    assert starts == {("core/supervisor.py", "_keep_running"), ("core/supervisor.py", "run")}
