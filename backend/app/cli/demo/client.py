"""The public API as a well-behaved game client calls it: bounded, patient, never twice."""

import asyncio
import json
import random
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

from app.cli.demo.http import Answer, BrokenError, Pool
from app.cli.readiness import HEALTH

PATIENCE = 8
"""Attempts before a call is given up, the last ones some seconds apart."""

MAX_PAUSE = 5.0
BUSY = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)


class GaveUpError(Exception):
    """The service didn't take a call, however often it was asked."""


class RefusedError(Exception):
    """The service answered what a demo can't go on with."""


class Client:
    """Keep-alive connections to one service, with an API key if it needs one. A context manager."""

    def __init__(self, url: str, key: str | None = None) -> None:
        self.url = url
        self._pool = Pool(url, key)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._pool.close()

    async def greet(self) -> None:
        """Asks once whether anybody is there, and lets this client send scores. Raises
        GaveUpError, RefusedError."""
        try:
            await self._pool.request("GET", HEALTH)
            answer = await self._pool.request("GET", "/api/auth")
        except BrokenError as error:
            raise GaveUpError(
                f"no service at {self.url} ({error}): start it with ./quickstart.sh"
            ) from error
        if answer.status == HTTPStatus.UNAUTHORIZED:
            raise RefusedError(f"{self.url} does not know this key, or no longer")
        expect(answer, HTTPStatus.OK)
        if "submit" not in answer.json()["caller"]["scopes"]:
            raise RefusedError(
                f"{self.url} is closed: give a key with the scope submit in LEADERBOARD_KEY"
            )

    async def get(self, path: str, **query: object) -> Answer:
        """Raises GaveUpError."""
        return await self._call("GET", f"{path}?{urlencode(query)}")

    async def post(
        self,
        path: str,
        body: Any,  # noqa: ANN401 - whatever JSON can say
        *,
        key: str | None = None,
    ) -> Answer:
        """`key` makes a repeated call count once. Raises GaveUpError."""
        headers = "" if key is None else f"Idempotency-Key: {key}\r\n"
        return await self._call("POST", path, json.dumps(body).encode(), headers)

    async def _call(self, method: str, target: str, body: bytes = b"", headers: str = "") -> Answer:
        trouble = ""
        for attempt in range(PATIENCE):
            pause = min(0.1 * 2**attempt, MAX_PAUSE)
            try:
                answer = await self._pool.request(method, target, body, headers)
            except BrokenError as error:
                trouble = str(error)
            else:
                if answer.status not in BUSY:
                    return answer
                trouble = f"it answers {answer.status}"
                pause = max(pause, _asked_pause(answer))
            await asyncio.sleep(pause * random.uniform(0.75, 1.25))  # noqa: S311 - jitter
        raise GaveUpError(f"{self.url} does not serve: {trouble}")


def expect(answer: Answer, status: HTTPStatus) -> None:
    """Raises RefusedError if the answer is another."""
    if answer.status != status:
        said = answer.body[:200].decode(errors="replace")
        raise RefusedError(f"the service answered {answer.status}, not {status}: {said}")


def _asked_pause(answer: Answer) -> float:
    given = answer.headers.get("retry-after", "")
    return min(float(given), MAX_PAUSE) if given.isdigit() else 0.0
