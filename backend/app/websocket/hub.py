"""The hub of one board and worker: every watcher gets the visible top and their own exact rank.

The mirror is exact at all times; the hub tells what changed in it once a tick. Nothing here
asks PostgreSQL or Redis for a broadcast; only joining and resyncing do.
"""

import asyncio
import time
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from app.core.config import Settings
from app.core.errors import UnknownPlayer
from app.core.metrics.tally import Histogram
from app.services.access.callers import Caller
from app.services.rank_index.deltas import Delta
from app.services.rank_index.index import IndexAway
from app.services.rank_index.mirror import Present
from app.services.standings import Standings
from app.websocket import frames
from app.websocket.audience import Audience
from app.websocket.client import Client
from app.websocket.frames import Close
from app.websocket.joining import Joining, NotLiveError
from app.websocket.visible_top import VisibleTop

YIELD_EVERY = 250
"""Clients written to before others get their turn on the event loop."""

MAX_PENDING = 10_000
"""Steps that may wait for a broadcast. Beyond, all clients get a snapshot instead."""


class Round(NamedTuple):
    """A finished fan-out, for observers."""

    board: str
    clients: int
    seconds: float


Send: TypeAlias = tuple[Client, tuple[bytes, ...], bytes]
"""A client and its frames, as payloads and as the same on the wire. A bare tuple, because one is
made for each client and broadcast."""


async def let_others_run() -> None:
    """Gives the event loop to others for a moment."""
    await asyncio.sleep(0)


class Hub:
    """Clients of one board on this worker."""

    def __init__(self, standings: Standings, settings: Settings) -> None:
        self.standings = standings
        self._follower = standings.follower
        self._tick = settings.live_tick
        self._share = settings.live_cpu_share
        self._audience = Audience()
        self._top = VisibleTop(settings.live_top, settings.live_history)
        self._joining = Joining(standings, self._audience, self._top, self._tick)
        self._pending: list[Delta] = []
        self._told = 0
        self._syncs = 0
        """Grows whenever all clients have to start anew; ends a broadcast under way."""
        self._changed = asyncio.Event()
        self._resync_wanted = asyncio.Event()
        self.rounds = Histogram()
        """Seconds that fan-outs took."""
        self.frames = 0
        """Writes to clients in fan-outs."""
        self.on_round: Callable[[Round], None] | None = None
        self.last_round = 0.0
        """Seconds that the last fan-out took."""
        self._follower.listeners.append(self)
        self.on_sync()

    @property
    def clients(self) -> int:
        """Sockets on this board."""
        return len(self._audience)

    @property
    def dropped(self) -> int:
        """Clients that were too slow."""
        return self._audience.dropped

    def dismiss(self, is_unwelcome: Callable[[Caller], bool]) -> None:
        """Has the sockets closed whose callers may not watch this board any more."""
        for client in self._audience:
            if is_unwelcome(client.caller):
                client.dismiss(Close.TRY_AGAIN, "sign in again")

    def dismiss_one(self, code: Close, reason: str) -> bool:
        """Has one more socket closed; False if all have been told."""
        client = next((each for each in self._audience if not each.over.is_set()), None)
        if client is not None:
            client.dismiss(code, reason)
        return client is not None

    # What the follower tells

    def on_delta(self, delta: Delta) -> None:
        present = self._follower.present
        if present is None or len(self._pending) >= MAX_PENDING:
            self.on_sync()
            return
        self._pending.append(delta)
        self._joining.note(delta)
        self._top.note(delta, present.mirror)
        self._changed.set()

    def on_sync(self) -> None:
        present = self._follower.present
        if present is None:
            return
        self._syncs += 1
        self._pending.clear()
        self._told = present.position
        self._audience.start(present.position)
        self._top.start(present)
        self._joining.start()
        self._resync_wanted.set()

    def on_lost(self) -> None:
        self._syncs += 1
        self._joining.live = False
        self._pending.clear()
        frame = frames.status(seq=self._told, live=False)
        for client in self._audience:
            self._audience.send(client, frame)

    # Broadcasts

    async def run(self) -> None:
        """Tells what changed: the first change after a pause at once, then tick by tick. The
        interval grows with the cost of a round, so that pushing keeps to its share of a core.
        Runs as long as the worker."""
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
        present = self._follower.present
        if present is None or not self._pending:
            return 0
        sends, syncs, sent = self._prepare(present), self._syncs, 0
        for at in range(0, len(sends), YIELD_EVERY):
            for client, payloads, wired in sends[at : at + YIELD_EVERY]:
                if client.current:
                    sent += 1
                    if not client.outbox.offer(payloads, wired):
                        self._audience.drop(client)
            await let_others_run()
            if syncs != self._syncs:
                break  # what is left to be sent is older than the snapshots that follow
        return sent

    def _prepare(self, present: Present) -> list[Send]:
        """What each client is told of the steps that are pending."""
        audience, own = self._audience, self._audience.own
        deltas, self._pending = self._pending, []
        self._told = present.position
        shared = self._top.tell(present)
        changes = own.apply(deltas)
        shared_wired = b"" if shared is None else frames.wire(shared)
        sends: list[Send] = []
        for slot, (old, new) in changes.items():
            client = audience.at(slot)
            if client is None:
                continue
            change = 0 if old is None or new is None else old - new
            rank = self._joining.encode_rank(own.place(slot), present.position, change)
            payloads = (rank,) if shared is None else (shared, rank)
            sends.append((client, payloads, shared_wired + frames.wire(rank)))
        if shared is not None:
            personal = {id(client) for client, _, _ in sends}
            sends += [
                (client, (shared,), shared_wired)
                for client in audience
                if client.current and id(client) not in personal
            ]
        return sends

    # Joining and resyncing

    async def join(self, client: Client, since: int | None, epoch: str | None) -> None:
        """Sends what the client needs to start from, then keeps it told.

        A client that comes back with the number it saw last gets what it missed, while the
        history has it. Raises UnknownPlayer; database errors if the player can't be looked up.
        """
        self._audience.enter(client)
        named = await self._joining.look_up([client])
        if client.user_id is not None and client.user_id not in named:
            self._audience.leave(client)
            raise UnknownPlayer(f"There is no player {client.user_id}.")
        try:
            await self._joining.greet([client], named, since, epoch)
        except (NotLiveError, IndexAway):
            await self._joining.greet_without_index(client, named)
            if self._joining.live:
                self._resync_wanted.set()

    def leave(self, client: Client) -> None:
        """A socket that has ended."""
        self._audience.leave(client)

    async def run_resyncs(self) -> None:
        """Sends snapshots to the clients that need a new one. Runs as long as the worker."""
        while True:
            await self._resync_wanted.wait()
            self._resync_wanted.clear()
            try:
                await self._joining.resync()
            except (NotLiveError, IndexAway):
                if self._joining.live:  # else the next `on_sync` asks again
                    await asyncio.sleep(self._tick)
                    self._resync_wanted.set()
            except Exception:
                self._resync_wanted.set()  # the clients still wait
                raise
