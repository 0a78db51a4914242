"""Scores that wait, and the batch that one transaction makes of them."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from app.core.errors import AppError
from app.services.submissions import Receipt, Submission
from app.services.submit.plan import Accepted, Plan, Replayed

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class Item:
    """A submission that waits for its receipt until `deadline`, a time of the event loop."""

    submission: Submission
    receipt: "asyncio.Future[Receipt]"
    deadline: float

    def fail(self, error: BaseException) -> None:
        if not self.receipt.done():
            self.receipt.set_exception(error)

    def succeed(self, receipt: Receipt) -> None:
        if not self.receipt.done():
            self.receipt.set_result(receipt)


@dataclass(slots=True)
class Batch:
    """What a transaction did: the plan's outcomes are those of `items`, in order. `locked` are
    items whose player somebody else had locked; nothing was done for them."""

    items: list[Item] = field(default_factory=list)
    plan: Plan = field(default_factory=Plan)
    locked: list[Item] = field(default_factory=list)

    def of_kind(self, kind: type[T]) -> Iterator[tuple[Item, T]]:
        for item, outcome in zip(self.items, self.plan.outcomes, strict=True):
            if isinstance(outcome, kind):
                yield item, outcome

    @property
    def accepted(self) -> list[tuple[Item, Accepted]]:
        return list(self.of_kind(Accepted))

    @property
    def replayed(self) -> list[tuple[Item, Replayed]]:
        return list(self.of_kind(Replayed))

    @property
    def refused(self) -> list[tuple[Item, AppError]]:
        return list(self.of_kind(AppError))
