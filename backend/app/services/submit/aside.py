"""Scores of players whose rows somebody else has locked, kept apart from all others."""

from collections import deque
from collections.abc import Iterable, Iterator

from app.services.submit.batch import Item

MAX_SUSPECTS = 10_000


class Aside:
    """Items by player, each player's in the order in which they came.

    A player stays here until a transaction has got the player's lock: scores that come meanwhile
    line up behind those that wait, and hold up nobody else.
    """

    def __init__(self) -> None:
        self._players: dict[int, deque[Item]] = {}
        self.count = 0

    def __contains__(self, user_id: int) -> bool:
        return user_id in self._players

    def __bool__(self) -> bool:
        """Whether any player is kept apart, with scores that wait or without."""
        return bool(self._players)

    def put(self, items: Iterable[Item]) -> None:
        """Adds items behind those of the same players."""
        for item in items:
            self._players.setdefault(item.submission.user_id, deque()).append(item)
            self.count += 1

    def take(self, most: int) -> list[Item]:
        """The first items of the players, all of a player's before the next player's."""
        taken: list[Item] = []
        for items in self._players.values():
            while items and len(taken) < most:
                taken.append(items.popleft())
        self.count -= len(taken)
        return taken

    def give_back(self, items: list[Item]) -> None:
        """Puts items that were taken back in front. Their players come last in turn."""
        for item in reversed(items):
            user_id = item.submission.user_id
            waiting = self._players.get(user_id, deque())
            waiting.appendleft(item)
            self._players[user_id] = waiting
        for user_id in dict.fromkeys(item.submission.user_id for item in items):
            self._players[user_id] = self._players.pop(user_id)
        self.count += len(items)

    def release(self, user_ids: Iterable[int]) -> None:
        """These players were locked by us: their next scores go the usual way, unless some still
        wait here."""
        for user_id in set(user_ids):
            if not self._players.get(user_id, True):
                del self._players[user_id]

    def expired(self, now: float) -> Iterator[Item]:
        """Takes out the items that have waited for too long."""
        for items in self._players.values():
            while items and items[0].deadline <= now:
                self.count -= 1
                yield items.popleft()
        if len(self._players) > MAX_SUSPECTS:
            self._players = {key: items for key, items in self._players.items() if items}
