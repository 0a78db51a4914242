"""A closed worker with every kind of credential, for the tests of who may do what."""

import json
import os
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import asyncpg
import httpx
import jwt

from app.services.access.callers import Scope
from tests.conftest import Sandbox, Worker

SECRET = secrets.token_urlsafe(48)
CLOSED = {
    "auth_mode": "closed", "auth_secret": SECRET, "guest_sign_in": True, "rate_limits": False,
}  # fmt: skip
VALID = ("read", "submit", "admin", "own", "other")
"""Credentials that are good for something."""

PRIVATE_BOARD = """
WITH board AS (
    INSERT INTO boards (slug, name, game_modes, is_private, client_submissions)
    VALUES ('club', 'Club', '{club}', true, true) RETURNING id
)
INSERT INTO seasons (board_id, number) SELECT id, 1 FROM board
"""


WRONG_CLAIMS: dict[str, dict[str, object]] = {
    "an end that is infinite": {"exp": float("inf")},
    "an end that is no number": {"exp": float("nan")},
    "an end with a fraction": {"exp": time.time() + 60},
    "an end as text": {"exp": str(int(time.time()) + 60)},
    "an end that is true": {"exp": True},
    "an end in a list": {"exp": [int(time.time()) + 60]},
    "an end in more than a day": {"exp": int(time.time()) + 25 * 3_600},
    "an end beyond all clocks": {"exp": 10**30},
    "an end before its beginning": {"iat": int(time.time()), "exp": int(time.time()) - 9},
    "no beginning": {"iat": None},
    "a beginning in the future": {"iat": int(time.time()) + 3_600, "exp": int(time.time()) + 7_200},
    "a beginning that is infinite": {"iat": float("-inf")},
    "a beginning with a fraction": {"iat": time.time()},
    "a beginning before all time": {"iat": -(10**30)},
    "not before infinity": {"nbf": float("inf")},
    "a player beyond the maximum": {"sub": str(2**48)},
    "a player far beyond it": {"sub": "9" * 500},
    "a player with a sign": {"sub": "+1"},
    "a player with a blank": {"sub": " 1"},
    "a player with an underscore": {"sub": "1_0"},
    "a player with a leading zero": {"sub": "01"},
    "a player in other digits": {"sub": "\u0661"},
    "a player that is a list": {"sub": ["1"]},
    "a key that is text": {"key": "1"},
    "a key that is true": {"key": True},
    "a key with a fraction": {"key": 1.0},
    "a key beyond the maximum": {"key": 2**63},
    "a key that there is none of": {"key": 2**31 - 1},
}
"""What no token of ours says, with a signature that is good."""


def bearer(credential: str | None) -> dict[str, str]:
    return {} if credential is None else {"Authorization": f"Bearer {credential}"}


def forged(secret: str = SECRET, algorithm: str = "HS256", **claims: object) -> str:
    """A token with the claims of a good one, but for what is given: whatever JSON can say."""
    now = int(time.time())
    good = {"iss": "leaderboard", "sub": "1", "iat": now, "exp": now + 600}
    chosen = {name: value for name, value in {**good, **claims}.items() if value is not None}
    return signed(json.dumps(chosen), secret, algorithm)


def signed(payload: str, secret: str = SECRET, algorithm: str = "HS256") -> str:
    """A token with these bytes, which need not be JSON."""
    key = secret if algorithm != "none" else None
    return jwt.api_jws.encode(payload.encode(), key, algorithm=algorithm)


@dataclass
class Closed:
    """A closed worker; `credentials` by name, `player` is whose token `own` is."""

    worker: Worker
    player: int = 0
    other: int = 0
    credentials: dict[str, str | None] = field(default_factory=dict)

    @property
    def client(self) -> httpx.AsyncClient:
        return self.worker.client

    async def key(self, *scopes: str, **options: object) -> str:
        made = await self.worker.service.keys.create(
            "test", {Scope(scope) for scope in scopes}, "test", **options
        )
        await self.worker.service.access.refresh()
        return made.text

    async def ask(
        self, who: str | None, method: str, path: str, **options: object
    ) -> httpx.Response:
        """As the credential with that name."""
        credential = None if who is None else self.credentials[who]
        return await self.client.request(method, path, headers=bearer(credential), **options)


@asynccontextmanager
async def closed(sandbox: Sandbox, **changes: object) -> AsyncIterator[Closed]:
    async with sandbox.worker(**{**CLOSED, **changes}) as worker:
        there = Closed(worker)
        admin = await there.key("admin")
        worker.client.headers.update(bearer(admin))
        there.player, there.other = await worker.add_players(2)
        del worker.client.headers["Authorization"]
        tokens = worker.service.access.tokens
        revoked = await worker.service.keys.create("revoked", {Scope.ADMIN}, "test")
        await worker.service.keys.revoke(revoked.info.id, "test")
        there.credentials = {
            "nothing": None,
            "read": await there.key("read"),
            "submit": await there.key("submit"),
            "admin": admin,
            "own": tokens.issue(there.player).text,
            "other": tokens.issue(there.other).text,
            "expired": await there.key("admin", expires_in=-1),
            "expired token": forged(
                sub=str(there.player), iat=int(time.time()) - 60, exp=int(time.time()) - 1
            ),
            "revoked": revoked.text,
        }
        yield there


@asynccontextmanager
async def shared_closed(servers, template: str, name: str) -> AsyncIterator[Closed]:
    """A closed worker for a module, with a private board, on which players' clients may send."""
    name = f"{name}{os.getpid()}"
    admin = await asyncpg.connect(servers.postgres_dsn)
    await admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    box = Sandbox(servers, name)
    connection = await box.connect()
    await connection.execute(PRIVATE_BOARD)
    await connection.execute("UPDATE boards SET client_submissions = true")
    await connection.close()
    async with closed(box) as made:
        assert made.player == 1, made.player
        yield made
    box.forget_index()
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()
