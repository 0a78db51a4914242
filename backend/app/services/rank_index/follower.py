"""Follows a board's delta stream and keeps this worker's mirror of the top exact."""

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol

import structlog
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.backoff import Backoff
from app.core.config import Settings
from app.core.database import raw_connection
from app.core.redis import AWAY
from app.services import ledger
from app.services.fold import Fold
from app.services.rank_index.deltas import Delta
from app.services.rank_index.freshness import Freshness, Step
from app.services.rank_index.heard import Heard
from app.services.rank_index.index import IndexAway, RankIndex
from app.services.rank_index.keys import decode_member, encode_member
from app.services.rank_index.mirror import Mirror, MirrorError, Present
from app.services.rows import encode_details

log = structlog.get_logger(__name__)

BLOCK_MS = 1_000
READ_COUNT = 200

STREAM_SECONDS = 1.5
"""A connection that has said nothing for so long is dead: the server answers after BLOCK_MS."""


class Listener(Protocol):
    """What the websocket package hangs onto a board."""

    def on_delta(self, delta: Delta) -> None:
        """A step of the index; the mirror has it already."""

    def on_sync(self) -> None:
        """The mirror was read anew: whatever was known before may be wrong."""

    def on_lost(self) -> None:
        """The stream can't be followed now; what is known grows stale."""


class LostError(Exception):
    """The stream has a gap, ended or can't be read: read the window anew."""


class Follower:
    """One a board and worker. `position` is the last step that the mirror has in it."""

    def __init__(
        self,
        index: RankIndex,
        stream_client: Redis,
        engine: AsyncEngine,
        settings: Settings,
    ) -> None:
        self._index = index
        self._client = stream_client
        self._engine = engine
        self._capacity = settings.index_window
        self.mirror: Mirror | None = None
        self.epoch = ""
        self.position = 0
        self.version = 0
        self.players = 0
        self.listeners: list[Listener] = []
        self.recent = Heard()
        """Players that a sweep may leave out, because the stream has told of them."""
        self._freshness = Freshness(self, self._ask_position, settings.page_max_age)
        self._moved = asyncio.Event()
        self._losses = 0
        self._missed: list[Delta] | None = None
        self._thin = asyncio.Event()
        self._suspect = asyncio.Event()
        index.on_distrust.append(self._lose)

    @property
    def present(self) -> Present | None:
        """The board as this worker knows it; None while the stream can't be followed."""
        if self.mirror is None:
            return None
        return Present(self.mirror, self.position, self.version, self.players)

    @property
    def step(self) -> Step:
        """The last step that the mirror has in it."""
        return Step(self.epoch, self.position)

    # Following

    async def run(self) -> None:
        """Follows the stream for as long as the worker lives.

        Raises errors of Redis and PostgreSQL; the supervisor then calls it again.
        """
        backoff = Backoff(first=0.02, longest=1.0, stable=1.0)
        try:
            while True:
                await self._index.wait_trusted()
                backoff.started()
                try:
                    await self._sync()
                    await self._follow()
                except (LostError, IndexAway, MirrorError) as error:
                    log.info("resync", board=self._index.board.slug, why=repr(error))
                self._lose()
                await asyncio.sleep(backoff.schedule())
        finally:
            self._lose()

    def _lose(self) -> None:
        if self.mirror is not None:
            self.mirror = None
            self._losses += 1
            self.recent.clear()
            self._wake()
            for listener in self.listeners:
                listener.on_lost()
        self._suspect.set()

    async def _sync(self) -> None:
        self._suspect.clear()
        window = await self._index.window(0, self._capacity - 1)
        details = await self._read_details(window.members, {})
        if self._suspect.is_set():
            raise LostError
        self.epoch, self.position = window.epoch, window.position
        self.version, self.players = window.version, window.players
        self.recent.clear()
        self.mirror = Mirror(window.members, details, window.players, self._capacity)
        self._wake()
        for listener in self.listeners:
            listener.on_sync()

    async def _read_details(
        self, members: Sequence[bytes], known: dict[bytes, bytes]
    ) -> dict[bytes, bytes]:
        """Encoded details of each member. Totals are the members' own, whatever the folds have
        come to in the meantime: the delta of that is on its way."""
        descending = self._index.board.descending
        places = {
            place.user_id: (member, place)
            for member in members
            if member not in known
            for place in (decode_member(member, descending=descending),)
        }
        details = {member: known[member] for member in members if member in known}
        if places:
            async with raw_connection(self._engine) as connection:
                rows = await ledger.named_folds(connection, self._index.board.key, list(places))
            for fold, username in rows:
                member, place = places[fold.user_id]
                details[member] = encode_details(fold, username, total_score=place.total_score)
        if len(details) < len(members):
            self._index.ghosts.update(
                user_id for user_id, (member, _) in places.items() if member not in details
            )
            raise LostError
        return details

    async def _follow(self) -> None:
        stream = f"{self._index.prefix}{self.epoch}:d"
        while not self._suspect.is_set():
            answer = await self._read(stream)
            if self._suspect.is_set():
                return
            if not answer:
                await self._check_epoch()
                continue
            entries = answer[stream.encode()][0] if isinstance(answer, dict) else answer[0][1]
            for entry_id, fields in entries:
                if b"end" in fields:
                    raise LostError
                self._take(Delta.parse(entry_id, fields))
            self._wake()

    async def _read(self, stream: str) -> Any:  # noqa: ANN401 - as redis-py answers
        """The next entries, or nothing after BLOCK_MS. A connection that died is replaced once;
        the new one goes on from the same position."""
        for is_last in (False, True):
            try:
                return await self._client.xread(
                    {stream: f"{self.position}-0"}, count=READ_COUNT, block=BLOCK_MS
                )
            except AWAY as error:
                if self._suspect.is_set():
                    return None
                if is_last:
                    raise
                log.warning("stream interrupted", board=self._index.board.slug, error=repr(error))
        raise AssertionError

    async def _check_epoch(self) -> None:
        """An idle stream may be one that nobody writes to any more."""
        epoch, position = await self._ask_position()
        if epoch != self.epoch or position < self.position:
            raise LostError

    async def _ask_position(self) -> Step:
        state = await self._index.state()
        if state is None:
            self._index.distrust("the index is missing")
            raise IndexAway(self._index.reason)
        return Step(state.epoch, state.position)

    def _take(self, delta: Delta) -> None:
        mirror = self.mirror
        if mirror is None or delta.position != self.position + 1:
            raise LostError
        mirror.take(delta)
        if self._missed is not None:
            self._missed.append(delta)
        self.position, self.version, self.players = delta.position, delta.version, delta.players
        self.recent.note(zip(delta.user_ids.tolist(), delta.versions.tolist(), strict=True))
        for listener in self.listeners:
            listener.on_delta(delta)
        if mirror.thin:
            self._thin.set()

    # Refilling: the window is read beside the stream, then what came meanwhile is applied to it

    async def run_refills(self) -> None:
        """Reads the window anew whenever the mirror has lost many rows. Runs as long as the
        worker."""
        while True:
            await self._thin.wait()
            self._thin.clear()
            try:
                await self._refill()
            except (IndexAway, LostError) as error:
                log.info("refill put off", board=self._index.board.slug, why=repr(error))

    async def _refill(self) -> None:
        losses, missed = self._losses, list[Delta]()
        self._missed = missed
        try:
            window = await self._index.window(0, self._capacity - 1)
            known = {} if self.mirror is None else dict(self.mirror.known_details())
            details = await self._read_details(window.members, known)
            reached = await self.reach(window.position)
        finally:
            self._missed = None
        if not reached or losses != self._losses or window.epoch != self.epoch:
            return  # after a loss, steps are missing among those noted since
        mirror = Mirror(window.members, details, window.players, self._capacity)
        try:
            for delta in missed:
                if delta.position > window.position:
                    mirror.take(delta)
        except MirrorError:
            self._lose()
        else:
            self.mirror = mirror

    # Freshness

    def _wake(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()

    async def reach(self, position: int, seconds: float = 1.0) -> bool:
        """Waits until the mirror has this step. False if it has not in time."""
        try:
            async with asyncio.timeout(seconds):
                while self.mirror is not None and self.position < position:
                    await self._moved.wait()
        except TimeoutError:
            return False
        return self.mirror is not None

    def is_beyond(self, fold: Fold) -> bool:
        """Whether a fold's place is surely below the mirror's last row."""
        if self.mirror is None:
            return False
        return self.mirror.is_above(encode_member(fold, descending=self._index.board.descending))

    def expect(self, step: Step) -> None:
        """Notes that this worker has moved the index on: its own pages show that at once."""
        self._freshness.expect(step)

    async def confirm(self) -> bool:
        """Whether the mirror may be read: it has what this worker wrote, and is 0.1 s old at
        most."""
        if self.mirror is None or not self._index.available:
            return False
        if self._freshness.is_confirmed:
            return True
        return await self._freshness.confirm() and self.mirror is not None
