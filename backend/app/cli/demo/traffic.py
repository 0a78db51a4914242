"""Live traffic: games that end at random moments, now and then in a burst."""

import asyncio
import random
import secrets
import time
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from itertools import accumulate

from app.cli.demo.client import Client, GaveUpError
from app.cli.demo.players import Player, play
from app.cli.demo.tally import Tally

IN_FLIGHT = 256
BURST_EVERY = 15.0
BURST_SECONDS = 2.0
BURST_FACTOR = 3.0
STREAK = 0.15
"""How often the same player plays on at once."""

MAX_LAG = 1.0
"""Games that can't be sent in time are dropped, not piled up."""


class Traffic:
    """Plays `rate` games a second on average."""

    def __init__(
        self, client: Client, players: Sequence[Player], rate: float, tally: Tally
    ) -> None:
        self._client = client
        self._tally = tally
        self._dice = random.Random()  # noqa: S311 - a game
        self._rate = rate
        self._players = self._turns(players)
        self._run = secrets.token_hex(6)
        self._room = asyncio.Semaphore(IN_FLIGHT)

    async def play(self, seconds: float) -> None:
        """Ends when the last game of these `seconds` was answered."""
        started = due = time.monotonic()
        async with asyncio.TaskGroup() as group:
            while due - started < seconds:
                due = max(due, time.monotonic() - MAX_LAG)
                due += self._dice.expovariate(self._rate_at(due - started))
                await asyncio.sleep(due - time.monotonic())
                await self._room.acquire()
                group.create_task(self._submit(next(self._players)))

    def _rate_at(self, elapsed: float) -> float:
        """Bursts are taken from the calm between them, so that the mean is what was asked for."""
        calm = BURST_EVERY / (BURST_EVERY + BURST_SECONDS * (BURST_FACTOR - 1))
        in_burst = elapsed % BURST_EVERY > BURST_EVERY - BURST_SECONDS
        return self._rate * calm * (BURST_FACTOR if in_burst else 1.0)

    def _turns(self, players: Sequence[Player]) -> Iterator[Player]:
        """Who plays next: the active ones more often, some several times in a row."""
        weights = list(accumulate(player.activity for player in players))
        while True:
            player = self._dice.choices(players, cum_weights=weights)[0]
            yield player
            while self._dice.random() < STREAK:
                yield player

    async def _submit(self, player: Player) -> None:
        self._tally.sent += 1
        key = f"demo-{self._run}-{self._tally.sent}"
        started = time.perf_counter()
        try:
            answer = await self._client.post(
                "/api/leaderboard/submit", play(player, self._dice), key=key
            )
        except GaveUpError as error:
            self._tally.fail(str(error))
        else:
            if answer.status == HTTPStatus.OK:
                self._tally.accept((time.perf_counter() - started) * 1_000)
            else:
                self._tally.fail(f"{answer.status} {answer.body[:120].decode(errors='replace')}")
        finally:
            self._room.release()
