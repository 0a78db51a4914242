"""What changed among the visible rows, so that a client is told only that."""

from collections import deque
from dataclasses import dataclass
from itertools import zip_longest

from app.services.rank_index.deltas import Delta
from app.services.rank_index.mirror import Mirror, Present
from app.services.rows import encode_entry
from app.websocket import frames


@dataclass(frozen=True, slots=True)
class Touch:
    """What one step changed among the visible rows: `changed` came, left or have new contents,
    `shifted` have another rank. By player."""

    seq: int
    changed: frozenset[int]
    shifted: frozenset[int]


class VisibleTop:
    """The best `rows` rows of a board, and what each of the last steps did to them.

    Steps are noted one by one, because a client may know any position between two broadcasts:
    from a snapshot, or from another worker. At least the last `history` steps that touched the
    top are kept, and all of those that no broadcast has told yet.
    """

    def __init__(self, rows: int, history: int) -> None:
        self.rows = rows
        self._history_length = history
        self._history: deque[Touch] = deque()
        self._floor = 0
        self._told = self._told_players = 0
        self._members: list[bytes] = []

    def start(self, present: Present) -> None:
        """Forgets everything: clients get a snapshot of the present."""
        self._history.clear()
        self._floor = self._told = present.position
        self._told_players = present.players
        self._members = present.mirror.top(self.rows)

    def note(self, delta: Delta, mirror: Mirror) -> None:
        """Takes the next step, which the mirror has already."""
        if not delta.touches(self.rows):
            return
        before, after = self._members, mirror.top(self.rows)
        self._members = after
        changed = {player(member) for member in {*before} ^ {*after}}
        # Also a player whose row stayed where it was, with new contents.
        changed.update({*map(player, after)}.intersection(delta.user_ids.tolist()))
        places = zip_longest(before, after)
        shifted = {player(new) for old, new in places if new is not None and old != new}
        history = self._history
        history.append(Touch(delta.position, frozenset(changed), frozenset(shifted)))
        while len(history) > self._history_length and history[0].seq <= self._told:
            self._floor = history.popleft().seq

    def tell(self, present: Present) -> bytes | None:
        """The frame of what changed since the last broadcast, or None if nothing did."""
        touched = bool(self._history) and self._history[-1].seq > self._told
        if not touched and present.players == self._told_players:
            return None
        frame = self._changes_since(self._told, present)
        self._told, self._told_players = present.position, present.players
        return frame

    def missed(self, since: int, present: Present) -> bytes | None:
        """One frame with all that changed after `since`; None if the history doesn't reach."""
        if not self._floor <= since <= present.position:
            return None
        return self._changes_since(since, present)

    def _changes_since(self, prev: int, present: Present) -> bytes:
        """A frame that brings a client from any position from `prev` on to the present."""
        changed: set[int] = set()
        shifted: set[int] = set()
        for touch in reversed(self._history):
            if touch.seq <= prev:
                break
            changed |= touch.changed
            shifted |= touch.shifted
        entries: list[bytes] = []
        moved: list[tuple[int, int]] = []
        there: set[int] = set()
        for rank, member in enumerate(present.mirror.top(self.rows), 1):
            user_id = player(member)
            there.add(user_id)
            if user_id in changed:
                entries.append(encode_entry(rank, present.mirror.details(member)))
            elif user_id in shifted:
                moved.append((user_id, rank))
        return frames.update(
            seq=present.position,
            prev=prev,
            total_players=present.players,
            version=present.version,
            entries=b",".join(entries),
            moved=moved,
            left=sorted((changed | shifted) - there),
        )


def player(member: bytes) -> int:
    """Whose member it is."""
    return int.from_bytes(member[14:], "big")
