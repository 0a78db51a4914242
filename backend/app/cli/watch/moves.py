"""Who climbed and who fell lately."""

from app.cli.watch.state import State

SHOWN_SECONDS = 4.0


class Moves:
    """Places won (positive) or lost by each visible player in the last seconds."""

    def __init__(self) -> None:
        self._moves: dict[int, tuple[int, float]] = {}

    def note(self, before: State, after: State, now: float) -> None:
        """Remembers what a frame moved, on top of what is still shown."""
        self._forget(now)
        for user_id, entry in after.entries.items():
            known = before.entries.get(user_id)
            if known is not None and known.rank != entry.rank:
                places = self._moves.get(user_id, (0, now))[0] + known.rank - entry.rank
                self._moves[user_id] = (places, now)

    def of(self, user_id: int, now: float) -> int:
        places, at = self._moves.get(user_id, (0, now))
        return places if now - at < SHOWN_SECONDS else 0

    def _forget(self, now: float) -> None:
        self._moves = {
            user_id: move for user_id, move in self._moves.items() if now - move[1] < SHOWN_SECONDS
        }
