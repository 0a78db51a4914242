"""A closed worker with every kind of credential, for the tests of who may do what."""

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


def bearer(credential: str | None) -> dict[str, str]:
    return {} if credential is None else {"Authorization": f"Bearer {credential}"}


def forged(secret: str = SECRET, algorithm: str = "HS256", **claims: object) -> str:
    """A token with the claims of a good one, but for what is given."""
    now = int(time.time())
    good = {"iss": "leaderboard", "sub": "1", "iat": now, "exp": now + 600}
    chosen = {name: value for name, value in {**good, **claims}.items() if value is not None}
    return jwt.encode(chosen, secret if algorithm != "none" else None, algorithm=algorithm)


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
            "expired token": forged(sub=str(there.player), exp=int(time.time()) - 1),
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
        assert made.player == 1
        yield made
    box.forget_index()
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()
