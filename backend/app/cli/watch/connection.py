"""A live connection that comes back by itself, and resumes where it was."""

import asyncio
import json
import random
from collections.abc import Callable
from urllib.parse import urlencode

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage
from websockets.frames import Close

from app.cli.watch.state import State, advance

FIRST_PAUSE = 0.25
MAX_PAUSE = 10.0
SILENCE = 20.0
MAX_FRAME = 16 * 1024 * 1024

_FINAL = range(4_400, 4_408)
"""Close codes that say: the same request would be refused again."""

_UNKNOWN_KEY = 4401
_CLOSED = (_UNKNOWN_KEY, 4403)
"""Those that say: with another credential it may not be refused."""


class RefusedError(Exception):
    """The service will not let this watcher in, now or later."""


class LostError(Exception):
    """The connection ended; the next one may do better."""


class Watcher:
    """Keeps `state`; tells `on_state(before, after)` of every change and `on_link(text)` of the
    connection.
    """

    def __init__(
        self,
        url: str,
        key: str | None,
        player: int | None,
        on_state: Callable[[State, State], None],
        on_link: Callable[[str], None],
    ) -> None:
        self._address = "ws" + url.removeprefix("http") + "/ws/leaderboard"
        if player is not None:
            self._address += f"/{player}"
        self._headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        self._on_state, self._on_link = on_state, on_link
        self.state = State()

    async def follow(self) -> None:
        """For ever. Raises RefusedError."""
        attempt = 0
        while True:
            seen = self.state
            try:
                await self.follow_once()
            except LostError as error:
                # Whoever got a frame starts over with short pauses.
                attempt = 0 if self.state is not seen else attempt + 1
                # Full jitter: a restarted service is not met by all its watchers at once.
                pause = min(FIRST_PAUSE * 2**attempt, MAX_PAUSE) * random.random()  # noqa: S311
                self._on_link(f"reconnecting: {error}")
                await asyncio.sleep(pause)

    async def follow_once(self) -> None:
        """One connection, until it ends. Raises LostError, RefusedError."""
        try:
            async with connect(
                self._resuming_address(),
                additional_headers=self._headers,
                compression=None,
                max_size=MAX_FRAME,
                ping_interval=SILENCE,
                ping_timeout=SILENCE,
                proxy=None,
            ) as socket:
                self._on_link("connected")
                async for message in socket:
                    self._take(message)
            raise LostError("the service closed the connection")
        except ConnectionClosed as error:
            said = error.rcvd
            if said is not None and said.code == _UNKNOWN_KEY and self._headers:
                raise RefusedError("the service does not know this key, or it has ended") from error
            if said is not None and said.code in _CLOSED:
                raise RefusedError("give a key with the scope read in LEADERBOARD_KEY") from error
            if said is not None and said.code in _FINAL:
                raise RefusedError(self._refusal(said)) from error
            raise LostError((said and said.reason) or "the connection broke") from error
        except (OSError, InvalidHandshake, InvalidMessage, TimeoutError) as error:
            raise LostError(str(error) or type(error).__name__) from error

    def _refusal(self, said: Close) -> str:
        """The service's reason. A private board is refused like one that is not there, so a caller
        without a key is told where to put one."""
        reason = said.reason or f"closed with {said.code}"
        hint = "" if self._headers else " A key with the scope read goes into LEADERBOARD_KEY."
        return f"{reason}{hint}"

    def _resuming_address(self) -> str:
        state = self.state
        if state.seq < 0 or state.missed:
            return self._address
        return f"{self._address}?{urlencode({'since': state.seq, 'epoch': state.epoch})}"

    def _take(self, message: str | bytes) -> None:
        before = self.state
        self.state = advance(before, json.loads(message))
        if self.state.missed:
            raise LostError("an update was missed")
        self._on_link("live" if self.state.live else "the service catches up")
        self._on_state(before, self.state)
