"""The hub of one board and worker: every watcher gets the visible top and their own exact rank.

The mirror is exact at all times; the hub tells what changed in it once a tick. Nothing here
asks PostgreSQL or Redis for a broadcast; only joining and resyncing do.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import structlog

from app.core.config import Settings
from app.core.errors import UnknownPlayer
from app.core.metrics.tally import Histogram
from app.services.access.callers import Caller
from app.services.rank_index.deltas import Delta
from app.services.rank_index.index import IndexAway
from app.services.rank_index.mirror import Mirror
from app.services.rows import encode_details, encode_entry, encode_list
from app.services.sql_standings import NamedFold
from app.services.standings import Standings, percentile
from app.websocket import frames
from app.websocket.client import Client
from app.websocket.frames import Close
from app.websocket.own_ranks import OwnRanks, Place, advance
from app.websocket.transport import offer

log = structlog.get_logger(__name__)

RECENT = 512
"""Deltas kept for placing a player who asked the index a moment ago."""

YIELD_EVERY = 250
"""Clients written to before others get their turn on the event loop."""

JOIN_CHUNK = 500
JOIN_ATTEMPTS = 5


class NotLiveError(Exception):
    """The stream can't be followed now."""


@dataclass(frozen=True, slots=True)
class Touch:
    """What one step changed among the visible rows: `changed` came, left or have new contents,
    `shifted` have another rank. By player."""

    seq: int
    changed: frozenset[int]
    shifted: frozenset[int]


class Round(NamedTuple):
    """A fan-out that was, for who looks on."""

    board: str
    clients: int
    seconds: float


class Hub:
    """Clients of one board on this worker."""

    def __init__(self, standings: Standings, settings: Settings) -> None:
        self.standings = standings
        self._follower = standings.follower
        self._top = settings.live_top
        self._tick = settings.live_tick
        self._share = settings.live_cpu_share
        self._clients: set[Client] = set()
        self._by_slot: dict[int, Client] = {}
        self._own = OwnRanks()
        self._pending: list[Delta] = []
        self._recent: deque[Delta] = deque(maxlen=RECENT)
        self._visible: list[bytes] = []
        self._told = self._told_players = 0
        self._told_update = 0
        self._history: deque[Touch] = deque()
        self._history_length = settings.live_history
        self._history_floor = 0
        self._changed = asyncio.Event()
        self._resync_wanted = asyncio.Event()
        self._listing: tuple[tuple[str, int], bytes] = (("", -1), b"")
        self._live = False
        self.rounds = Histogram()
        """Seconds that fan-outs took."""
        self.frames = self.dropped = 0
        """Writes to clients in fan-outs; clients that were too slow for them."""
        self.on_round: Callable[[Round], None] | None = None
        self.last_round = 0.0
        """Seconds that the last fan-out took."""
        self._follower.listeners.append(self)
        if self._follower.mirror is not None:
            self.on_sync()

    @property
    def clients(self) -> int:
        """Sockets on this board."""
        return len(self._clients)

    def dismiss(self, is_unwelcome: Callable[[Caller], bool]) -> None:
        """Has the sockets closed whose callers may not watch this board any more."""
        for client in tuple(self._clients):
            if is_unwelcome(client.caller):
                client.dismiss(Close.TRY_AGAIN, "sign in again")

    def dismiss_one(self, code: Close, reason: str) -> bool:
        """Has one more socket closed; False if all have been told."""
        client = next((each for each in self._clients if not each.over.is_set()), None)
        if client is not None:
            client.dismiss(code, reason)
        return client is not None

    # What the follower tells

    def on_delta(self, delta: Delta) -> None:
        self._pending.append(delta)
        self._recent.append(delta)
        self._remember(delta)
        self._changed.set()

    def _remember(self, delta: Delta) -> None:
        """Notes what the step did to the visible rows. Step by step and not tick by tick, because
        a client may know any position in between: from a snapshot, or from another worker."""
        mirror = self._follower.mirror
        if mirror is None or not delta.touches(self._top):
            return
        before, after = self._visible, mirror.top(self._top)
        self._visible = after
        changed = {_player(member) for member in {*before} ^ {*after}}
        changed.update(delta.user_ids[delta.records["after"] < self._top].tolist())
        shifted = {_player(new) for old, new in zip(before, after, strict=False) if old != new}
        history = self._history
        history.append(Touch(delta.position, frozenset(changed), frozenset(shifted)))
        while len(history) > self._history_length and history[0].seq <= self._told_update:
            self._history_floor = history.popleft().seq

    def on_sync(self) -> None:
        follower = self._follower
        self._pending.clear()
        self._recent.clear()
        self._history.clear()
        self._own.start(follower.position)
        self._by_slot.clear()
        for client in self._clients:
            client.slot = None
        mirror = follower.mirror
        self._visible = [] if mirror is None else mirror.top(self._top)
        self._told = self._told_update = self._history_floor = follower.position
        self._told_players = follower.players
        self._live = True
        self._resync_wanted.set()

    def on_lost(self) -> None:
        self._live = False
        self._pending.clear()
        frame = frames.status(seq=self._told, live=False)
        for client in tuple(self._clients):  # a client that is too slow leaves meanwhile
            self._send(client, frame)

    # Ticks

    async def run(self) -> None:
        """Tells what changed: the first change after a pause at once, then tick by tick. The
        interval grows with the cost of a round, so that pushing keeps to its share of a core."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            started = time.perf_counter()
            try:
                sent = await self._tell()
            except Exception:
                # Some clients were told and others not: all of them start anew.
                self.on_sync()
                raise
            self.last_round = time.perf_counter() - started
            if sent:
                self._count(Round(self.standings.board.slug, sent, self.last_round))
            await asyncio.sleep(max(self._tick, self.last_round / self._share))

    def _count(self, seen: Round) -> None:
        self.rounds.observe(seen.seconds)
        self.frames += seen.clients
        if self.on_round is not None:
            self.on_round(seen)

    async def _tell(self) -> int:
        """Writes to clients; how many."""
        mirror, deltas = self._follower.mirror, self._pending
        if mirror is None or not deltas:
            return 0
        self._pending = []
        seq = deltas[-1].position
        shared = self._tell_top(seq)
        changes = self._own.apply(deltas)
        self._told = seq
        shared_wired = b"" if shared is None else frames.wire(shared)
        sends: list[tuple[Client, tuple[bytes, ...], bytes]] = []
        for slot, (old, new) in changes.items():
            client = self._by_slot.get(slot)
            if client is None:
                continue
            change = 0 if old is None or new is None else old - new
            own = self._encode_rank(self._own.place(slot), seq, change)
            payloads: tuple[bytes, ...] = (own,) if shared is None else (shared, own)
            sends.append((client, payloads, shared_wired + frames.wire(own)))
        if shared is not None:
            personal = {id(client) for client, _, _ in sends}
            sends += [
                (client, (shared,), shared_wired)
                for client in self._clients
                if client.joined and id(client) not in personal
            ]
        for batch in _batches(sends):
            for client, payloads, wired in batch:
                if client.joined and not client.outbox.offer(payloads, wired):
                    self._drop_slow(client)
            await asyncio.sleep(0)
        return len(sends)

    def _tell_top(self, seq: int) -> bytes | None:
        """The frame of what changed among the visible rows since the last one, if anything."""
        players = self._follower.players
        touched = any(touch.seq > self._told_update for touch in reversed(self._history))
        if not touched and players == self._told_players:
            return None
        frame = self._changes_since(self._told_update)
        self._told_update, self._told_players = seq, players
        return frame

    def _changes_since(self, prev: int) -> bytes:
        """An update frame that brings a client from any position from `prev` on to the present."""
        follower, mirror = self._follower, self._follower.mirror
        if mirror is None:
            raise NotLiveError
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
        for rank, member in enumerate(mirror.top(self._top), 1):
            user_id = _player(member)
            there.add(user_id)
            if user_id in changed:
                entries.append(encode_entry(rank, mirror.details(member)))
            elif user_id in shifted:
                moved.append((user_id, rank))
        return frames.update(
            seq=follower.position,
            prev=prev,
            total_players=follower.players,
            version=follower.version,
            entries=b",".join(entries),
            moved=moved,
            left=sorted((changed | shifted) - there),
        )

    # Joining

    async def join(self, client: Client, since: int | None, epoch: str | None) -> None:
        """Sends what the client needs to start from, then keeps it told.

        A client that comes back with the number it saw last gets what it missed, while the
        history has it. Raises UnknownPlayer; database errors if the player can't be looked up.
        """
        self._clients.add(client)
        named = await self._look_up([client])
        if client.user_id is not None and client.user_id not in named:
            self._clients.discard(client)
            raise UnknownPlayer(f"There is no player {client.user_id}.")
        try:
            await self._place([client], named, since, epoch)
        except (NotLiveError, IndexAway):
            await self._greet_without_index(client, named)

    def leave(self, client: Client) -> None:
        """A socket that has ended."""
        self._clients.discard(client)
        client.joined = False
        if client.slot is not None:
            self._own.remove(client.slot)
            del self._by_slot[client.slot]
            client.slot = None

    async def _look_up(self, clients: Sequence[Client]) -> dict[int, NamedFold]:
        ids = list({client.user_id for client in clients if client.user_id is not None})
        return await self.standings.named(ids) if ids else {}

    async def _place(
        self,
        clients: Sequence[Client],
        named: dict[int, NamedFold],
        since: int | None = None,
        epoch: str | None = None,
    ) -> None:
        """Finds the clients' places, brings them to the mirror's position, and greets them."""
        ids = list({client.user_id for client in clients if client.user_id is not None})
        for _ in range(JOIN_ATTEMPTS):
            follower, position = self._follower, 0
            places: dict[int, Place] = {}
            if ids:
                ranks = await self.standings.locate(ids)
                if ranks.epoch != follower.epoch or not await follower.reach(ranks.position):
                    await asyncio.sleep(self._tick)
                    continue
                position = ranks.position
                places = {
                    user_id: Place(found.rank, found.member)
                    for user_id, found in zip(ids, ranks.standings, strict=True)
                }
            if follower.mirror is None or not self._live:
                raise NotLiveError
            recent = list(self._recent)
            if ids and position < follower.position - len(recent):
                continue  # so much has happened since that the steps are gone: ask again
            # No await from here on: the mirror stays where it is.
            for client in clients:
                if client in self._clients and client.slot is None:
                    self._greet(client, places, position, recent, named, since, epoch)
            return
        raise NotLiveError

    def _greet(
        self,
        client: Client,
        places: dict[int, Place],
        position: int,
        recent: Sequence[Delta],
        named: dict[int, NamedFold],
        since: int | None,
        epoch: str | None,
    ) -> None:
        follower, user_id = self._follower, client.user_id
        place = None
        if user_id is not None:
            place = advance(user_id, places[user_id], position, recent)
            client.slot = self._own.add(user_id, place, follower.position)
            self._by_slot[client.slot] = client
        client.joined = True
        missed = self._missed(since, epoch)
        if missed is not None:
            payloads = [missed]
            if place is not None:
                payloads.append(self._encode_rank(place, follower.position, 0))
            self._send(client, *payloads)
            return
        me = None
        if user_id is not None and place is not None and user_id in named:
            me = self._encode_me(place, named[user_id])
        self._send(
            client,
            frames.snapshot(
                seq=follower.position,
                epoch=follower.epoch,
                live=True,
                listing=self._encode_listing(),
                me=me,
            ),
        )

    def _encode_rank(self, place: Place, seq: int, change: int) -> bytes:
        score = 0 if place.rank is None else self.standings.score_of(place.member)
        players = self._follower.players
        return frames.rank(
            seq=seq, rank=place.rank, change=change, total_players=players, score=score
        )

    def _missed(self, since: int | None, epoch: str | None) -> bytes | None:
        """One update with all that changed after `since`; None if the history doesn't reach."""
        follower = self._follower
        if since is None or epoch != follower.epoch:
            return None
        if not self._history_floor <= since <= follower.position:
            return None
        return self._changes_since(since)

    def _encode_listing(self) -> bytes:
        """The visible top as an encoded list, made once for all who join at one position."""
        follower, board = self._follower, self.standings.board
        mirror = follower.mirror
        if mirror is None:
            raise NotLiveError
        key = (follower.epoch, follower.position)
        if self._listing[0] != key:
            entries = mirror.encode(0, self._top)
            self._listing = (
                key,
                encode_list(board.slug, board.season, follower.players, follower.version, entries),
            )
        return self._listing[1]

    def _encode_me(self, place: Place, named: NamedFold) -> bytes | None:
        if place.rank is None or named.fold is None:
            return None
        mirror, players = self._follower.mirror, self._follower.players
        details = self._own_details(mirror, place, named)
        return self._with_tier(encode_entry(place.rank, details), place.rank, players)

    def _own_details(self, mirror: Mirror | None, place: Place, named: NamedFold) -> bytes:
        if mirror is not None and place.member in mirror.known_details():
            return mirror.details(place.member)
        if named.fold is None:
            raise AssertionError
        score = self.standings.score_of(place.member)
        return encode_details(named.fold, named.username, total_score=score)

    def _with_tier(self, entry: bytes, rank: int, players: int) -> bytes:
        percent = percentile(rank, players)
        tier = self.standings.tier(percent).encode()
        return b'%b,"percentile":%b,"tier":"%b"}' % (entry[:-1], repr(percent).encode(), tier)

    async def _greet_without_index(self, client: Client, named: dict[int, NamedFold]) -> None:
        """While the index is away: the present standings, and the promise of a snapshot."""
        page = await self.standings.top(self._top, 0)
        me = None
        found = named.get(client.user_id) if client.user_id is not None else None
        if client.user_id is not None and found is not None and found.fold is not None:
            ranks = await self.standings.ranks_by_sql([client.user_id])
            own = ranks.by_player.get(client.user_id) if ranks is not None else None
            if ranks is not None and own is not None:
                details = encode_details(found.fold, found.username, total_score=own.total_score)
                me = self._with_tier(
                    encode_entry(own.rank, details), own.rank, ranks.totals.players
                )
        if not client.joined:
            client.joined = True
            self._send(
                client, frames.snapshot(seq=0, epoch="", live=False, listing=page.body, me=me)
            )
            if self._live:
                self._resync_wanted.set()

    # Resyncing

    async def run_resyncs(self) -> None:
        """Sends snapshots to the clients that need a new one. Runs as long as the worker."""
        while True:
            await self._resync_wanted.wait()
            try:
                self._resync_wanted.clear()
                await self._resync()
            except (NotLiveError, IndexAway):
                continue  # the next on_sync asks again
            except Exception:
                self._resync_wanted.set()  # the clients still wait
                raise

    async def _resync(self) -> None:
        """Everybody gets a new snapshot; own ranks are asked for in a few calls."""
        waiting = [each for each in self._clients if each.joined and each.slot is None]
        for at in range(0, len(waiting), JOIN_CHUNK):
            chunk = waiting[at : at + JOIN_CHUNK]
            await self._place(chunk, await self._look_up(chunk))
            await asyncio.sleep(0)

    # Sending

    def _send(self, client: Client, *payloads: bytes) -> None:
        if client.joined and not offer(client.outbox, *payloads):
            self._drop_slow(client)

    def _drop_slow(self, client: Client) -> None:
        self.dropped += 1
        log.info("client too slow", user_id=client.user_id)
        self.leave(client)
        client.dismiss(Close.TOO_SLOW, "reads too slowly")


def _batches(
    sends: list[tuple[Client, tuple[bytes, ...], bytes]],
) -> list[list[tuple[Client, tuple[bytes, ...], bytes]]]:
    return [sends[at : at + YIELD_EVERY] for at in range(0, len(sends), YIELD_EVERY)]


def _player(member: bytes) -> int:
    return int.from_bytes(member[14:], "big")
