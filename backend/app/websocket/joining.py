"""What a client starts from: a snapshot with its own entry, or what it missed."""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence

from app.services.rank_index.deltas import Delta
from app.services.rank_index.keys import decode_member
from app.services.rank_index.mirror import Present
from app.services.rows import encode_details, encode_entry, encode_list
from app.services.sql_standings import NamedFold
from app.services.standings import Standings, percentile
from app.websocket import frames
from app.websocket.audience import Audience
from app.websocket.client import Client
from app.websocket.own_ranks import Place, advance
from app.websocket.visible_top import VisibleTop

RECENT = 512
"""Deltas kept for placing a player who asked the index a moment ago."""

JOIN_CHUNK = 500
JOIN_ATTEMPTS = 5


class NotLiveError(Exception):
    """The stream can't be followed now, or moves too fast for this client to be placed."""


class Joining:
    """Greets the clients of one hub: new ones, and all of them after the mirror was read anew.

    `live` says whether the stream is followed now.
    """

    def __init__(
        self, standings: Standings, audience: Audience, top: VisibleTop, tick: float
    ) -> None:
        self.live = False
        self._standings = standings
        self._follower = standings.follower
        self._audience = audience
        self._top = top
        self._tick = tick
        self._recent: deque[Delta] = deque(maxlen=RECENT)
        self._listing: tuple[tuple[str, int], bytes] = (("", -1), b"")

    def note(self, delta: Delta) -> None:
        """Takes the next step."""
        self._recent.append(delta)

    def start(self) -> None:
        """The mirror was read anew: steps from before say nothing about it."""
        self._recent.clear()
        self.live = True

    async def look_up(self, clients: Iterable[Client]) -> dict[int, NamedFold]:
        """Names and folds of the clients' players; unknown ones are left out."""
        return await self._standings.named(_ids(clients))

    async def greet(
        self,
        clients: Sequence[Client],
        named: dict[int, NamedFold],
        since: int | None = None,
        epoch: str | None = None,
    ) -> None:
        """Finds the clients' places, brings them to the mirror's position, and sends a snapshot
        or what was missed since. Raises NotLiveError, IndexAway; database errors."""
        ids = _ids(clients)
        for _ in range(JOIN_ATTEMPTS):
            places = await self._locate(ids)
            present = self._follower.present
            if present is None or not self.live:
                raise NotLiveError
            if places is None:
                continue
            stale = [each for each in ids if self._is_stale(named.get(each), places[each])]
            if stale:
                # They played after they were looked up: their first score, maybe.
                named = {**named, **await self._standings.named(stale)}
                continue
            # No await from here on: the mirror stays where it is.
            missed = self._missed(present, since, epoch)
            for client in clients:
                if client in self._audience and not client.current:
                    self._start(client, present, places, named, missed)
            return
        raise NotLiveError

    async def _locate(self, ids: Sequence[int]) -> dict[int, Place] | None:
        """Places at the mirror's position. None: ask again, the index has moved too far."""
        follower = self._follower
        if not ids:
            return {}
        ranks = await self._standings.locate(ids)
        if ranks.epoch != follower.epoch or not await follower.reach(ranks.position):
            await asyncio.sleep(self._tick)
            return None
        recent = list(self._recent)
        if ranks.position < follower.position - len(recent):
            return None  # the steps between are not kept any more
        return {
            user_id: advance(user_id, Place(found.rank, found.member), ranks.position, recent)
            for user_id, found in zip(ids, ranks.standings, strict=True)
        }

    def _is_stale(self, known: NamedFold | None, place: Place) -> bool:
        """Whether a player's fold is older than the place that the index has."""
        mirror = self._follower.mirror
        if known is None or place.rank is None:
            return False
        if mirror is not None and mirror.shows(place.member):
            return False
        descending = self._standings.board.descending
        reached = decode_member(place.member, descending=descending).achieved_id
        return known.fold is None or known.fold.version < reached

    def _start(
        self,
        client: Client,
        present: Present,
        places: dict[int, Place],
        named: dict[int, NamedFold],
        missed: bytes | None,
    ) -> None:
        user_id = client.user_id
        place = known = None
        if user_id is not None:
            place, known = places[user_id], named.get(user_id)
            self._audience.place(client, user_id, place, present.position)
        client.greeted = client.current = True
        if missed is None:
            me = None if place is None else self._encode_me(place, known)
            frame = frames.snapshot(
                seq=present.position,
                epoch=self._follower.epoch,
                live=True,
                listing=self._encode_listing(present),
                me=me,
            )
            self._audience.send(client, frame)
        elif place is None:
            self._audience.send(client, missed)
        else:
            own = self.encode_rank(place, present.position, 0)
            self._audience.send(client, missed, own)

    def _missed(self, present: Present, since: int | None, epoch: str | None) -> bytes | None:
        """One update with all that changed after `since`; None if the history doesn't reach."""
        if since is None or epoch != self._follower.epoch:
            return None
        return self._top.missed(since, present)

    async def greet_without_index(self, client: Client, named: dict[int, NamedFold]) -> None:
        """While the index is away: the present standings, and the promise of a snapshot."""
        standings = self._standings
        page = await standings.top(self._top.rows, 0)
        me = None
        found = None if client.user_id is None else named.get(client.user_id)
        if client.user_id is not None and found is not None and found.fold is not None:
            ranks = await standings.ranks_by_sql([client.user_id])
            own = ranks.by_player.get(client.user_id) if ranks is not None else None
            if ranks is not None and own is not None:
                details = encode_details(found.fold, found.username, total_score=own.total_score)
                entry = encode_entry(own.rank, details)
                me = self._with_tier(entry, own.rank, ranks.totals.players)
        if client in self._audience and not client.greeted:
            client.greeted = True
            frame = frames.snapshot(seq=0, epoch="", live=False, listing=page.body, me=me)
            self._audience.send(client, frame)

    async def resync(self) -> None:
        """Sends a snapshot to every client that needs one; places are asked for in a few calls."""
        waiting = [each for each in self._audience if each.greeted and not each.current]
        for at in range(0, len(waiting), JOIN_CHUNK):
            chunk = waiting[at : at + JOIN_CHUNK]
            await self.greet(chunk, await self.look_up(chunk))
            await asyncio.sleep(0)

    # Encoding

    def encode_rank(self, place: Place, seq: int, change: int) -> bytes:
        """The frame of a player's own rank."""
        score = 0 if place.rank is None else self._standings.score_of(place.member)
        players = self._follower.players
        return frames.rank(
            seq=seq, rank=place.rank, change=change, total_players=players, score=score
        )

    def _encode_listing(self, present: Present) -> bytes:
        """The visible top as an encoded list, made once for all who join at one position."""
        board = self._standings.board
        key = (self._follower.epoch, present.position)
        if self._listing[0] != key:
            entries = present.mirror.encode(0, self._top.rows)
            encoded = encode_list(
                board.slug, board.season, present.players, present.version, entries
            )
            self._listing = (key, encoded)
        return self._listing[1]

    def _encode_me(self, place: Place, known: NamedFold | None) -> bytes | None:
        mirror = self._follower.mirror
        if place.rank is None:
            return None
        if mirror is not None and mirror.shows(place.member):
            details = mirror.details(place.member)
        elif known is not None and known.fold is not None:
            score = self._standings.score_of(place.member)
            details = encode_details(known.fold, known.username, total_score=score)
        else:
            return None  # the player was removed
        entry = encode_entry(place.rank, details)
        return self._with_tier(entry, place.rank, self._follower.players)

    def _with_tier(self, entry: bytes, rank: int, players: int) -> bytes:
        percent = percentile(rank, players)
        tier = self._standings.tier(percent).encode()
        return b'%b,"percentile":%b,"tier":"%b"}' % (entry[:-1], repr(percent).encode(), tier)


def _ids(clients: Iterable[Client]) -> list[int]:
    """The players behind these clients; spectators have none."""
    return list({client.user_id for client in clients if client.user_id is not None})
