"""What a worker counts of its writes."""

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from app.core.errors import AppError
from app.core.metrics.tally import SIZES, Histogram
from app.services.submit.batch import Batch


class BatchSeen(NamedTuple):
    """A committed batch, for observers."""

    accepted: int
    replayed: int
    refused: int
    seconds: float


class Written:
    """Batches that were committed, and what became of submissions."""

    def __init__(self) -> None:
        self.accepted = self.replayed = self.unranked = 0
        """`unranked` are stored scores whose rank could not be told in time."""
        self.refused: Counter[str] = Counter()
        """By the code of the error."""
        self.sizes = Histogram(SIZES)
        self.seconds = Histogram()
        self.on_batch: Callable[[BatchSeen], None] | None = None

    def refuse(self, error: AppError, scores: int = 1) -> None:
        """Counts scores that were refused, and marks the error: whoever sees it later does not
        count it again."""
        self.refused[error.code] += scores
        error.is_counted = True

    def count(self, batch: Batch, seconds: float) -> None:
        """Counts a batch that was committed."""
        accepted, replayed = len(batch.accepted), len(batch.replayed)
        refused = batch.refused
        self.accepted += accepted
        self.replayed += replayed
        for _, error in refused:
            self.refuse(error)
        self.sizes.observe(accepted + replayed + len(refused))
        self.seconds.observe(seconds)
        if self.on_batch is not None:
            self.on_batch(BatchSeen(accepted, replayed, len(refused), seconds))
