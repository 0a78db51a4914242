"""Doing many things at once, but not too many."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


async def for_each(items: Iterable[T], do: Callable[[T], Awaitable[None]], *, at_once: int) -> None:
    """Raises the first exception as it is, after the others were cancelled."""
    source = iter(items)

    async def lane() -> None:
        for item in source:  # one iterator, shared by all lanes
            await do(item)

    lanes = [asyncio.create_task(lane()) for _ in range(at_once)]
    try:
        await asyncio.gather(*lanes)
    finally:
        for each in lanes:
            each.cancel()
        await asyncio.gather(*lanes, return_exceptions=True)
