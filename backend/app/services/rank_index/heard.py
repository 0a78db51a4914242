"""What a worker has heard in the delta stream, within bounds."""

from collections.abc import Iterable

MOST = 50_000
"""Players kept in each of the two halves: 10 MB at most."""


class Heard:
    """The newest version heard of each of the last players, so that a sweep can leave them out.

    The older half is dropped whenever the newer one is full. Who was dropped is applied to the
    index once more, which changes nothing.
    """

    def __init__(self) -> None:
        self._new: dict[int, int] = {}
        self._old: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._new) + len(self._old)

    def get(self, user_id: int, default: int) -> int:
        """The newest version heard of a player."""
        found = self._new.get(user_id)
        return self._old.get(user_id, default) if found is None else found

    def after(self, event_id: int) -> dict[int, int]:
        """The newest version of each player who was heard with one after this event."""
        both = {**self._old, **self._new}
        return {user_id: version for user_id, version in both.items() if version > event_id}

    def note(self, versions: Iterable[tuple[int, int]]) -> None:
        """Takes (player, version) of a step."""
        self._new.update(versions)
        if len(self._new) > MOST:
            self._old, self._new = self._new, {}

    def clear(self) -> None:
        self._new, self._old = {}, {}
