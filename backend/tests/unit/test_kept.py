"""Answers that are kept: made once for all who ask at the same time, and then for some seconds."""

import asyncio

import pytest

from app.core import kept
from app.core.kept import Kept


class Maker:
    def __init__(self) -> None:
        self.made = 0
        self.let = asyncio.Event()

    async def make(self) -> int:
        self.made += 1
        await self.let.wait()
        return self.made


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(kept.time, "monotonic", lambda: now[0])
    return now


async def test_many_who_ask_at_once_share_an_answer(clock):
    maker, answers = Maker(), Kept(5, 10)
    asking = [asyncio.create_task(answers.get("a", maker.make)) for _ in range(5)]
    await asyncio.sleep(0)
    asking.pop().cancel()  # one who goes away
    maker.let.set()
    assert await asyncio.gather(*asking) == [1] * 4
    clock[0] += 4.9
    assert await answers.get("a", maker.make) == 1
    clock[0] += 0.2
    assert await answers.get("a", maker.make) == 2


async def test_a_failure_is_told_to_all_and_kept_for_nobody():
    answers, tries = Kept(5, 10), 0

    async def fail() -> int:
        nonlocal tries
        tries += 1
        await asyncio.sleep(0)
        raise LookupError

    both = await asyncio.gather(answers.get(1, fail), answers.get(1, fail), return_exceptions=True)
    assert [type(each) for each in both] == [LookupError] * 2
    with pytest.raises(LookupError):
        await answers.get(1, fail)
    assert tries == 2


async def test_only_so_many_are_kept():
    answers: Kept[int, int] = Kept(5, 3)

    async def make() -> int:
        return 1

    for number in range(100):
        await answers.get(number, make)
    assert len(answers._made) == 3
    assert not answers._making
