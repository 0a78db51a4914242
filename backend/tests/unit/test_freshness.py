"""When a worker's mirror may be read, by forced interleavings of looks, writes and steps."""

import asyncio

import pytest

from app.services.rank_index import freshness as module
from app.services.rank_index import heard as heard_module
from app.services.rank_index.freshness import Freshness, Step
from app.services.rank_index.heard import Heard
from app.services.rank_index.index import IndexAway


class Board:
    """An index and a mirror that follows it as the test says. Looks are answered when `answer` is
    called, with the index's position at that moment or at the look's beginning."""

    def __init__(self, max_age: float = 60.0) -> None:
        self.index = Step("a", 10)
        self.step = Step("a", 10)
        self.looks: list[asyncio.Future[Step]] = []
        self.waits = 0
        self._moved = asyncio.Event()
        self.freshness = Freshness(self, self.ask, max_age)

    async def ask(self) -> Step:
        look = asyncio.get_running_loop().create_future()
        self.looks.append(look)
        return await look

    async def reach(self, position: int, seconds: float) -> bool:
        self.waits += 1
        try:
            async with asyncio.timeout(seconds):
                while self.step.position < position:
                    await self._moved.wait()
        except TimeoutError:
            return False
        return True

    def follow(self, step: Step) -> None:
        self.step = step
        self._moved.set()
        self._moved = asyncio.Event()

    def confirm(self) -> "asyncio.Task[bool]":
        return asyncio.create_task(self.freshness.confirm())

    async def answer(self, step: Step | Exception | None = None) -> None:
        """Answers the oldest look."""
        await settle()
        look = self.looks.pop(0)
        if isinstance(step, Exception):
            look.set_exception(step)
        else:
            look.set_result(step or self.index)
        await settle()


async def settle() -> None:
    for _ in range(6):
        await asyncio.sleep(0)


async def test_a_look_is_shared_and_good_for_a_while():
    board = Board()
    first, second = board.confirm(), board.confirm()
    await board.answer()
    assert (await first, await second) == (True, True)
    assert await board.freshness.confirm()
    assert board.looks == []
    board.freshness._max_age = 0
    third = board.confirm()
    await board.answer()
    assert await third


async def test_an_own_write_is_waited_for_although_a_look_from_before_it_is_under_way():
    board = Board()
    before = board.confirm()
    await settle()
    board.index = Step("a", 11)
    board.freshness.expect(board.index)
    after = board.confirm()
    await board.answer(Step("a", 10))
    assert await before
    assert not after.done()
    board.follow(Step("a", 11))
    await settle()
    if board.looks:
        await board.answer()
    assert await after
    assert board.step.position == 11


async def test_an_own_write_is_waited_for_although_the_last_look_is_still_good():
    board = Board()
    first = board.confirm()
    await board.answer()
    assert await first
    board.freshness.expect(Step("a", 12))
    page = board.confirm()
    await settle()
    board.follow(Step("a", 11))
    await settle()
    assert not page.done()
    board.follow(Step("a", 12))
    assert await page
    assert board.freshness._own == {}


async def test_a_mirror_that_does_not_follow_is_waited_for_once(monkeypatch):
    monkeypatch.setattr(module, "MOST_SECONDS", 0.02)
    board = Board()
    board.freshness.expect(Step("a", 12))
    assert not await board.freshness.confirm()
    for _ in range(50):
        assert not await board.freshness.confirm()
    assert board.waits == 1
    assert board.looks == []
    board.follow(Step("a", 12))
    page = board.confirm()
    await board.answer(Step("a", 12))
    assert await page


async def test_what_others_wrote_is_waited_for_within_bounds(monkeypatch):
    monkeypatch.setattr(module, "MOST_SECONDS", 0.02)
    board = Board()
    page = board.confirm()
    await board.answer(Step("a", 11))
    assert not await page
    assert not await board.freshness.confirm()
    assert board.looks == []
    assert board.waits == 1


async def test_an_answer_that_took_too_long_confirms_nothing(monkeypatch):
    monkeypatch.setattr(module, "MOST_SECONDS", 0.01)
    board = Board()
    page = board.confirm()
    await settle()
    await asyncio.sleep(0.02)
    await board.answer()
    assert not await page


async def test_an_own_write_in_an_epoch_that_the_mirror_does_not_have_yet():
    """The positions of two epochs say nothing about each other."""
    board = Board()
    first = board.confirm()
    await board.answer()
    assert await first
    board.freshness.expect(Step("b", 3))
    page = board.confirm()
    await board.answer(Step("b", 3))
    assert not await page
    board.follow(Step("b", 3))
    page = board.confirm()
    await settle()
    if board.looks:
        await board.answer(Step("b", 3))
    assert await page


async def test_a_look_from_before_a_write_in_a_new_epoch_does_not_forget_the_write():
    board = Board()
    page = board.confirm()
    await settle()
    board.freshness.expect(Step("b", 3))
    other = board.confirm()
    await board.answer(Step("a", 10))
    assert not await other
    assert not await page
    assert board.freshness._own == {"b": 3}


async def test_an_own_write_in_an_epoch_that_has_ended_is_forgotten():
    board = Board()
    board.freshness.expect(Step("old", 1_000))
    page = board.confirm()
    await board.answer(Step("a", 10))
    assert await page
    assert board.freshness._own == {}


async def test_a_look_that_fails_confirms_nothing_and_the_next_one_is_asked_anew():
    board = Board()
    page = board.confirm()
    await board.answer(IndexAway("away"))
    assert not await page
    page = board.confirm()
    await board.answer(ValueError("unforeseen"))
    with pytest.raises(ValueError, match="unforeseen"):
        await page
    page = board.confirm()
    await board.answer()
    assert await page


def test_what_was_heard_is_bounded_and_the_newest_is_kept(monkeypatch):
    monkeypatch.setattr(heard_module, "MOST", 100)
    heard = Heard()
    for step in range(1_000):
        heard.note([(step, step), (step + 5_000, step)])
        assert len(heard) <= 2 * 102
        assert heard.get(step, 0) == step
    assert heard.get(0, 7) == 7
    assert heard.get(950, 0) == 950
    heard.note([(950, 2_000)])
    assert heard.get(950, 0) == 2_000
    heard.clear()
    assert heard.get(950, 0) == 0
