"""What a server has been seen to have, so that one that went back in time is noticed."""

from typing import NamedTuple

RETIRED_EPOCHS = 8


class Step(NamedTuple):
    """A state of the index: `position` counts the steps of an epoch. `left` has the epochs before
    it. The empty epoch is none."""

    epoch: str
    position: int
    left: tuple[str, ...] = ()


class Seen:
    """The newest step that an answer had.

    Answers may come in another order than the server gave them. So an answer is compared with what
    had been seen before it was asked for.
    """

    def __init__(self) -> None:
        self.newest = Step("", 0)

    def take(self, before: Step, epoch: str, position: int) -> bool:
        """Notes a step. False if the server went back: a smaller position than before the call,
        or an epoch that had been left by then."""
        if epoch in before.left or (epoch == before.epoch and position < before.position):
            return False
        known = self.newest
        if epoch == known.epoch:
            if position > known.position:
                self.newest = known._replace(position=position)
        elif before.epoch == known.epoch:
            # Otherwise another epoch came meanwhile, and it is not known which is the newer one.
            left = (*known.left, known.epoch) if known.epoch else known.left
            self.newest = Step(epoch, position, left[-RETIRED_EPOCHS:])
        return True

    def forget(self) -> None:
        """Begins anew: after a loss the server may rightly have less than before."""
        self.newest = Step("", 0)
