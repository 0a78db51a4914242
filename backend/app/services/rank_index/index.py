"""The index of one board's season in Redis: applying folds, and asking for places."""

import asyncio
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import structlog
from redis.asyncio import Redis

from app.core.config import Settings
from app.core.metrics.tally import Histogram
from app.core.redis import AWAY
from app.services.boards import BoardSeason
from app.services.fold import Fold
from app.services.rank_index.keys import (
    MEMBER,
    Place,
    decode_member,
    encode_member,
    key_prefix,
    split,
)
from app.services.rank_index.past import Past
from app.services.rank_index.script import Script
from app.services.rank_index.seen import Seen, Step
from app.services.rank_index.windows import Neighbourhood, RankSpan, Window, chunks

UNRANKED = 0xFFFF_FFFF
"""What the scripts answer for "no rank"."""
UNKNOWN = 0xFFFF_FFFE
"""What `apply.lua` answers for the old rank of a fold that is in the index already."""

POSITION = 2
"""Where the position stands in an answer, after the epoch."""
HEARTBEAT_MS = 60_000

_STATE_FIELDS = (
    "epoch", "position", "version", "watermark", "mark", "lineage", "building", "condemned"
)  # fmt: skip

log = structlog.get_logger(__name__)


class IndexAway(Exception):
    """The index can't answer now: Redis is away, or the index is missing or not yet trusted."""


class IndexedFold(NamedTuple):
    """A fold on its way into the index, with its row's encoded details."""

    fold: Fold
    details: bytes


class Standing(NamedTuple):
    """A player's place as the index has it. `rank` counts from 1; None when unranked."""

    rank: int | None
    place: Place | None
    member: bytes
    version: int


class Change(NamedTuple):
    """What applying a fold did to its player's rank, from 1, None where unranked. A fold that was
    in the index already is no news, and leaves the old rank unknown: the index may have taken it by
    a call whose answer was lost."""

    old: int | None
    new: int | None
    is_news: bool


@dataclass(frozen=True, slots=True)
class Applied:
    """What applying folds did, fold by fold."""

    epoch: str
    position: int
    version: int
    players: int
    ranks: list[Change]


@dataclass(frozen=True, slots=True)
class Ranks:
    """Standings of the players asked for, in the order asked, all at one position."""

    epoch: str
    position: int
    version: int
    players: int
    standings: list[Standing]


@dataclass(frozen=True, slots=True)
class State:
    """Which epoch is read, how many steps it has taken, its newest version, up to which event
    nothing is missing in it (as `tail.Watermark` encodes it), and what it knows of its database.

    `building` is the epoch that is being built, empty if there is none. A condemned epoch must be
    built anew.
    """

    epoch: str
    position: int
    version: int
    watermark: str
    past: Past
    building: str
    is_condemned: bool


def _from_zero(rank: int) -> int | None:
    return None if rank >= UNKNOWN else rank + 1


class RankIndex:
    """One board's index. Trusted only after this worker has seen that nothing is missing in it.

    Trust is lost when Redis fails, was restarted (it may have lost its last second) or has no
    index; the keeper earns it back. Without trust, reads raise IndexAway.
    """

    def __init__(self, client: Redis, settings: Settings, board: BoardSeason) -> None:
        self.client = client
        self.board = board
        self.prefix = key_prefix(settings.redis_prefix, board)
        self.state_key = self.prefix + "state"
        self._window = settings.index_window
        self._stream_length = settings.index_stream_length
        self._chunk = settings.index_chunk
        self._scripts = {
            name: Script(client, f"{name}.lua")
            for name in (
                "apply", "ranks", "windows", "places", "promote", "forget", "settle", "abandon"
            )
        }  # fmt: skip
        self.is_reachable = True
        """False from a failed command on until the keeper has found Redis well again."""
        self.run_id = ""
        """Of the server that answered last, as the newest connection was told."""
        self._seen = Seen()
        self.ghosts: set[int] = set()
        """Players on a page that the database did not have. The keeper looks them up again."""
        self._doubts = 1
        self._trusted_at = 0
        self.reason = "starting"
        self.apply_seconds = Histogram()
        self.on_distrust: list[Callable[[], None]] = []
        self._trusted = asyncio.Event()

    # Trust

    @property
    def available(self) -> bool:
        """Whether reads may be answered from here."""
        return self._doubts == self._trusted_at

    @property
    def doubts(self) -> int:
        """Grows whenever there is a new reason to doubt; see `trust`."""
        return self._doubts

    def distrust(self, reason: str) -> None:
        """Stop reading from the index until the keeper has checked it."""
        if self.available:
            log.warning("index not trusted", board=self.board.slug, reason=reason)
        self._doubts += 1
        self._seen.forget()
        self.reason = reason
        self._trusted.clear()
        for callback in self.on_distrust:
            callback()

    def trust(self, doubts: int) -> None:
        """The index was found complete, if there is no doubt newer than `doubts`."""
        if doubts == self._doubts and not self.available:
            self._trusted_at = doubts
            self.reason = ""
            self._trusted.set()
            log.info("index trusted", board=self.board.slug)

    async def wait_trusted(self) -> None:
        """Returns once reads may be answered from here."""
        await self._trusted.wait()

    async def condemn(self, epoch: str, reason: str) -> None:
        """Ends trust in an epoch on every worker, for good: only a rebuild helps."""
        self.distrust(reason)
        with self.asking():
            await self.client.hset(self.state_key, "condemned", epoch)

    # Calls

    @contextmanager
    def asking(self) -> Iterator[None]:
        """For commands to Redis: whatever it can't do ends trust. Raises IndexAway."""
        try:
            yield
        except AWAY as error:
            raise self._lose(error) from error

    def _lose(self, error: Exception) -> IndexAway:
        self.is_reachable = False
        self.distrust(f"{type(error).__name__}: {error}")
        return IndexAway(self.reason)

    async def call(self, script: str, *args: bytes | str | int) -> list[Any]:
        """Runs a script on this board, trusted or not. Raises IndexAway."""
        before = self._seen.newest
        try:
            answer: list[Any] = await self._scripts[script](self.state_key, self.prefix, *args)
        except AWAY as error:
            raise self._lose(error) from error
        if answer[0] == 0:
            self.distrust("the index is missing")
            raise IndexAway(self.reason)
        if len(answer) > POSITION:
            self._observe(before, answer[1].decode(), answer[POSITION])
        return answer

    def _observe(self, before: Step, epoch: str, position: int) -> None:
        """A server that forgot steps which it had told is not believed. Raises IndexAway."""
        if not self._seen.take(before, epoch, position):
            self.distrust("the index went back in time")
            raise IndexAway(self.reason)

    async def check_writable(self) -> None:
        """Whether Redis takes writes and keeps them. Raises IndexAway.

        Reads go on where writes are refused (a replica, a full memory, a failing disk), but then
        the index grows old and no read shows it.
        """
        with self.asking():
            async with self.client.pipeline(transaction=False) as pipe:
                pipe.set(self.prefix + "heartbeat", 1, px=HEARTBEAT_MS)
                pipe.info("memory")
                _, memory = await pipe.execute()
        self.is_reachable = True
        policy = memory.get("maxmemory_policy", "")
        if memory.get("maxmemory") and policy.startswith("allkeys"):
            self.distrust(f"Redis may drop the index: its maxmemory-policy is {policy}")
            # Parts may be gone by now: the index has to be built anew under another policy.
            state = await self.state()
            if state is not None:
                await self.condemn(state.epoch, self.reason)
            raise IndexAway(self.reason)

    async def _read(self, script: str, *args: bytes | str | int) -> list[Any]:
        doubts = self._doubts
        if not self.available:
            raise IndexAway(self.reason)
        answer = await self.call(script, *args)
        # The connection may have been made anew, to a server that is another run than before.
        if doubts != self._doubts:
            raise IndexAway(self.reason)
        return answer

    async def apply(self, folds: Sequence[IndexedFold]) -> Applied:
        """Brings folds into the index. Only newer versions are taken, so repeats are harmless."""
        ranks: list[Change] = []
        epoch, position = b"", 0
        version = players = 0
        started = time.perf_counter()
        for at in range(0, len(folds), self._chunk):
            packed = self._pack(folds[at : at + self._chunk])
            answer = await self.call("apply", "all", self._window, self._stream_length, *packed)
            _, epoch, position, version, players, blob = answer
            ranks += [
                Change(_from_zero(old), _from_zero(new), old != UNKNOWN)
                for old, new in struct.iter_unpack(">II", blob)
            ]
        self.apply_seconds.observe(time.perf_counter() - started)
        return Applied(epoch.decode(), position, version, players, ranks)

    async def load(self, folds: Sequence[IndexedFold]) -> bool:
        """Brings folds into the epoch that is being built, and only there. False if none is."""
        with self.asking():
            (is_building,) = await self._scripts["apply"](
                self.state_key, self.prefix, "building", 0, 0, *self._pack(folds)
            )
        return bool(is_building)

    def _pack(self, folds: Sequence[IndexedFold]) -> tuple[bytes, bytes]:
        """The folds and their details as `apply.lua` reads them: two arguments, whatever the
        number, because making and parsing arguments costs more than cutting bytes."""
        descending = self.board.descending
        packed = [
            b"%b%b%c%b"
            % (
                fold.version.to_bytes(6, "big"),
                encode_member(fold, descending=descending),
                fold.is_active,
                len(details).to_bytes(2, "big"),
            )
            for fold, details in folds
        ]
        return b"".join(packed), b"".join([details for _, details in folds])

    async def ranks(self, user_ids: Sequence[int], *, doubted: bool = False) -> Ranks:
        """Standings of these players. Raises IndexAway (unless `doubted`, without trust)."""
        ids = b"".join([user_id.to_bytes(6, "big") for user_id in user_ids])
        answer = await (self.call if doubted else self._read)("ranks", ids)
        _, epoch, position, version, players, blob = answer
        standings = [
            self._standing(rank, seen, member)
            for rank, seen, member in struct.iter_unpack(f">I6s{MEMBER}s", blob)
        ]
        return Ranks(epoch.decode(), position, version, players, standings)

    def _standing(self, rank: int, version: bytes, member: bytes) -> Standing:
        if rank == UNRANKED:
            return Standing(None, None, b"", int.from_bytes(version, "big"))
        place = decode_member(member, descending=self.board.descending)
        return Standing(rank + 1, place, member, int.from_bytes(version, "big"))

    async def windows(
        self, wanted: Sequence[RankSpan | Neighbourhood], *, doubted: bool = False
    ) -> list[Window]:
        """The windows asked for, in order; those of one script call hold at one position."""
        call = self.call if doubted else self._read
        found: list[Window] = []
        for chunk in chunks(wanted):
            arguments = [argument for each in chunk for argument in each.arguments]
            _, epoch, position, version, players, *rest = await call("windows", *arguments)
            found += [
                Window(
                    epoch.decode(), position, version, players, None if first < 0 else first,
                    split(blob),
                )
                for first, blob in zip(rest[::2], rest[1::2], strict=True)
            ]  # fmt: skip
        return found

    async def window(self, first: int, last: int, *, doubted: bool = False) -> Window:
        """The members from rank `first` to `last`, both from 0 and included."""
        (window,) = await self.windows([RankSpan(first, last)], doubted=doubted)
        return window

    async def places(self, best: int, ranks: bytes) -> tuple[int, int, bytes]:
        """(version, players, members) of the best, of those at further ranks (from 0, rising, 4
        bytes each) as far as there are, and of the last player. Raises IndexAway."""
        _, _, _, version, players, members = await self._read("places", best, ranks)
        return version, players, members

    async def state(self) -> State | None:
        """Where the index is; None if there is none. Raises IndexAway."""
        before = self._seen.newest
        with self.asking():
            found = await self.client.hmget(self.state_key, *_STATE_FIELDS)
        if found[0] is None:
            return None
        epoch, position, version, watermark, mark, lineage, building, condemned = (
            each.decode() if isinstance(each, bytes) else "" for each in found
        )
        self._observe(before, epoch, int(position))
        return State(
            epoch,
            int(position),
            int(version),
            watermark,
            Past(mark, lineage),
            building,
            condemned == epoch,
        )

    async def promote(
        self, epoch: str, version: int, watermark: str, past: Past, run_id: str
    ) -> str | None:
        """Switches readers to the epoch that was built on this run of the server. The old epoch;
        None if another one is being built, or the server was restarted."""
        with self.asking():
            old = await self._scripts["promote"](
                self.state_key, self.prefix, epoch, version, watermark, past.mark, past.lineage,
                run_id,
            )  # fmt: skip
        return None if old == -1 else old.decode()

    async def settle(
        self, epoch: str, position: int, run_id: str, watermark: str, past: Past
    ) -> bool:
        """Moves the watermark on. False if the index is not what the sweep relied on any more."""
        _, is_moved = await self.call(
            "settle", epoch, position, run_id, watermark, past.mark, past.lineage
        )
        return bool(is_moved)

    async def abandon(self, building: str, token: str = "") -> bool:
        """Forgets an epoch that nobody builds any more. `token`: of the lock, if it is ours."""
        _, is_abandoned = await self.call("abandon", building, token)
        return bool(is_abandoned)
