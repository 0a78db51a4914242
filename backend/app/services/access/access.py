"""Admitting callers, by what a worker knows: a look at the keys twice a second, and no I/O.

A revoked key or a board's new rule is so in force on every worker within a second. While
PostgreSQL is away, the last look goes on.
"""

import asyncio
import math
import secrets
import time
from contextlib import suppress

import asyncpg
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.config import Settings
from app.core.database import is_away, raw_connection
from app.core.errors import Misdirected, Unauthenticated
from app.services.access.callers import ANONYMOUS, NEEDED, OPEN, Caller, Rule, with_key
from app.services.access.keys import MARK, Keys
from app.services.access.loopback import is_loopback_address, is_loopback_name
from app.services.access.secret import checked_secret
from app.services.access.tokens import Tokens
from app.services.boards import BoardRules, Boards

log = structlog.get_logger(__name__)

LOOK_EVERY = 0.5
USE_NOTED_EVERY = 60.0
MAX_CREDENTIAL = 1_024
MAX_REMEMBERED = 10_000
"""Credentials that were found good, by the bytes of their header. A bad one is never kept."""

_BEARER = b"bearer "

_LIVING_KEYS = """
SELECT id, prefix, secret_hash, scopes, expires_at,
       extract(epoch FROM expires_at - clock_timestamp())::float8 AS seconds_left
FROM api_keys WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > clock_timestamp())
ORDER BY id
"""

_BOARD_RULES = "SELECT slug, name, client_submissions, is_private FROM boards ORDER BY id"

# In order and skipping what another worker writes: none waits for another.
_NOTE_USE = """
UPDATE api_keys SET last_used_at = now() WHERE id IN (
    SELECT id FROM api_keys
    WHERE id = ANY($1::int[])
      AND (last_used_at IS NULL OR last_used_at < now() - interval '59 seconds')
    ORDER BY id FOR NO KEY UPDATE SKIP LOCKED)
"""


class Access:
    """One a worker. `engine` is its own: a look waits for nobody's connection."""

    def __init__(self, engine: AsyncEngine, settings: Settings, boards: Boards) -> None:
        self.is_open = settings.auth_mode == "open"
        # In the open mode no token is ever checked, so any secret will do.
        secret = secrets.token_hex() if self.is_open else checked_secret(settings)
        self.tokens = Tokens(secret, settings.player_token_seconds)
        self._engine = engine
        self._boards = boards
        self._keys = Keys()
        self._seen: list[tuple[object, ...]] | None = None
        self._good: dict[bytes, Caller] = {}
        self._looking = asyncio.Lock()
        self._used: set[int] = set()
        self._use_noted = -math.inf

    # Admitting

    def admit(
        self, rule: Rule, authorization: bytes | None, host: bytes | None, peer: str | None
    ) -> Caller:
        """Who asks. Raises Unauthenticated, Forbidden; in the open mode, Misdirected.

        A credential that is shown is checked, also where none is needed.
        """
        if self.is_open:
            self.check_loopback(host, peer)
            return OPEN
        caller = ANONYMOUS if authorization is None else self.authenticate(authorization)
        if rule not in caller.rules:
            raise caller.refuse(NEEDED[rule])
        return caller

    def authenticate(self, authorization: bytes) -> Caller:
        """Whose `Authorization` header this is. Raises Unauthenticated, in the same words for
        every reason."""
        caller = self._good.get(authorization)
        if caller is None or caller.deadline <= time.monotonic():
            caller = self._look_up(authorization)
        if caller.key_id is not None:
            self._used.add(caller.key_id)
        return caller

    def _look_up(self, authorization: bytes) -> Caller:
        self._good.pop(authorization, None)
        if authorization[:7].lower() != _BEARER or len(authorization) > MAX_CREDENTIAL:
            raise Unauthenticated
        text = authorization[7:].strip().decode("latin-1")
        caller = self._keys.find(text) if text.startswith(MARK) else self.tokens.find(text)
        if caller is None:
            raise Unauthenticated
        if caller.deadline <= time.monotonic():
            raise Unauthenticated(is_guess=caller.key_id is not None)
        while len(self._good) >= MAX_REMEMBERED:
            del self._good[next(iter(self._good))]
        self._good[authorization] = caller
        return caller

    def must_sign_in_again(self, caller: Caller) -> bool:
        """Whether a caller who was admitted a while ago would not see private boards today."""
        if not caller.reads_private or caller.deadline <= time.monotonic():
            return True
        return caller.key_id is not None and not self._keys.has(caller)

    @staticmethod
    def check_loopback(host: bytes | None, peer: str | None) -> None:
        """Raises Misdirected for what does not come from this machine, to this machine's name."""
        if not is_loopback_name(host) or (peer is not None and not is_loopback_address(peer)):
            raise Misdirected("In open mode only this machine is answered, by its loopback name.")

    # Looking

    async def look(self) -> None:
        """Takes the living keys and the boards' rules as they are now. Raises database errors."""
        # One at a time, so that an older answer never replaces a newer one.
        async with self._looking, raw_connection(self._engine) as connection:
            keys = await connection.fetch(_LIVING_KEYS)
            rules = await connection.fetch(_BOARD_RULES)
            self._take(keys)
            self._boards.apply_rules([BoardRules(*row) for row in rules])

    async def refresh(self) -> None:
        """A look at once, on the worker that has just changed something. If it can't be had, the
        change is stored all the same, and the next look finds it."""
        try:
            await self.look()
        except Exception as error:
            if not is_away(error):
                raise

    def _take(self, rows: list[asyncpg.Record]) -> None:
        seen = [tuple(row)[:5] for row in rows]
        if seen == self._seen:
            return
        now = time.monotonic()
        self._keys = Keys(
            (
                row["secret_hash"],
                with_key(
                    row["id"],
                    row["prefix"],
                    row["scopes"],
                    math.inf if row["seconds_left"] is None else now + row["seconds_left"],
                ),
            )
            for row in rows
        )
        self._seen = seen
        self._good.clear()

    async def run(self) -> None:
        """Looks again and again, for as long as the worker lives."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            try:
                await self.look()
                await self._note_use()
            except Exception as error:
                if not is_away(error):
                    log.exception("a look at the keys failed; the last one goes on")

    async def _note_use(self) -> None:
        now = time.monotonic()
        if not self._used or now - self._use_noted < USE_NOTED_EVERY:
            return
        used, self._used, self._use_noted = self._used, set(), now
        async with raw_connection(self._engine) as connection:
            await connection.execute(_NOTE_USE, sorted(used))

    async def close(self) -> None:
        """Notes the last uses, if the database is there to be told."""
        self._use_noted = -math.inf
        with suppress(Exception):
            await self._note_use()
