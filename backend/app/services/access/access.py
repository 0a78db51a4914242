"""Admitting callers by what a worker knows. It reads the keys twice a second, so a request waits
for no I/O.

A revoked key, a deactivated player or a board's new rule is in force on every worker within a
second. While PostgreSQL is away, what was read last stays in force, and what has an end still ends.
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
from app.services.access.callers import (
    ANONYMOUS,
    NEEDED,
    OPEN,
    Caller,
    Kind,
    Rule,
    with_key,
    with_token,
)
from app.services.access.keys import MARK, Keys
from app.services.access.loopback import is_loopback_address, is_loopback_name
from app.services.access.secret import checked_previous_secret, checked_secret
from app.services.access.sign_outs import SignOuts
from app.services.access.tokens import Tokens
from app.services.boards import BoardRules, Boards

log = structlog.get_logger(__name__)

LOOK_EVERY = 0.5
USE_NOTED_EVERY = 60.0
MAX_CREDENTIAL = 1_024
MAX_REMEMBERED = 10_000
"""Credentials that were found good, by the bytes of their header. A bad one is never kept."""

_BEARER = b"bearer "

# A key's lineage is the first key of which it is a rotation.
_LIVING_KEYS = """
WITH RECURSIVE living AS (
    SELECT id, prefix, secret_hash, scopes, expires_at, rotated_from FROM api_keys
    WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > clock_timestamp())
), line AS (
    SELECT id AS key_id, id, rotated_from FROM living
    UNION ALL
    SELECT line.key_id, k.id, k.rotated_from FROM line JOIN api_keys k ON k.id = line.rotated_from
)
SELECT living.id, prefix, secret_hash, scopes, expires_at, line.id AS lineage,
       extract(epoch FROM expires_at - clock_timestamp())::float8 AS seconds_left
FROM living JOIN line ON line.key_id = living.id AND line.rotated_from IS NULL
ORDER BY living.id
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
        previous = None if self.is_open else checked_previous_secret(settings)
        self.tokens = Tokens(secret, settings.player_token_seconds, previous)
        self.changed = asyncio.Event()
        """Set whenever a look finds something new: whoever waits for it clears it."""
        self._engine = engine
        self._boards = boards
        self._keys = Keys()
        self._sign_outs = SignOuts()
        self._seen: list[tuple[object, ...]] | None = None
        self._seen_rules: list[BoardRules] = []
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
        caller = self._keys.find(text) if text.startswith(MARK) else self._with_token(text)
        if caller is None:
            raise Unauthenticated
        if caller.deadline <= time.monotonic():
            raise Unauthenticated(is_guess=caller.key_id is not None)
        while len(self._good) >= MAX_REMEMBERED:
            del self._good[next(iter(self._good))]
        self._good[authorization] = caller
        return caller

    def _with_token(self, text: str) -> Caller | None:
        """Whose token this is, or was: the caller's deadline is past if it is over."""
        claims = self.tokens.read(text)
        if claims is None:
            return None
        maker = None
        if claims.key_id is not None:
            maker = self._keys.with_id(claims.key_id)
            if maker is None:
                raise Unauthenticated(is_guess=False)
        if self._sign_outs.ended(claims.user_id, claims.issued_at):
            raise Unauthenticated(is_guess=False)
        deadline = time.monotonic() + claims.expires_at - time.time()
        return with_token(claims.user_id, claims.issued_at, deadline, maker)

    def was_withdrawn(self, caller: Caller) -> bool:
        """Whether the credential of a caller who was admitted a while ago was ended since: its key
        was revoked or is over, or its player was deactivated."""
        if caller.kind is Kind.KEY:
            return self._keys.with_id(caller.key_id) is None
        if caller.kind is not Kind.PLAYER:
            return False
        if caller.maker_id is not None and self._keys.with_id(caller.maker_id) is None:
            return True
        return self._sign_outs.ended(caller.user_id, caller.issued_at)

    def must_sign_in_again(self, caller: Caller) -> bool:
        """Whether a caller who was admitted a while ago would not see private boards today."""
        if not caller.reads_private:
            return True
        over = caller.kind is Kind.PLAYER and caller.deadline <= time.monotonic()
        return over or self.was_withdrawn(caller)

    @staticmethod
    def check_loopback(host: bytes | None, peer: str | None) -> None:
        """Raises Misdirected for what does not come from this machine, to this machine's name."""
        if not is_loopback_name(host) or (peer is not None and not is_loopback_address(peer)):
            raise Misdirected("In open mode only this machine is answered, by its loopback name.")

    # Looking

    async def look(self) -> None:
        """Takes the living keys, the deactivated players and the boards' rules as they are now.
        Raises database errors."""
        # One at a time, so that an older answer never replaces a newer one.
        async with self._looking, raw_connection(self._engine) as connection:
            keys = await connection.fetch(_LIVING_KEYS)
            rules = [BoardRules(*row) for row in await connection.fetch(_BOARD_RULES)]
            signed_out = await self._sign_outs.read(connection)
            news = self._take(keys) or signed_out
            if signed_out:
                self._good.clear()
            if rules != self._seen_rules:
                self._boards.apply_rules(rules)
                self._seen_rules, news = rules, True
            if news:
                self.changed.set()

    async def refresh(self) -> None:
        """A look at once, on the worker that has just changed something. If it can't be had, the
        change is stored all the same, and the next look finds it."""
        try:
            await self.look()
        except Exception as error:
            if not is_away(error):
                raise

    def _take(self, rows: list[asyncpg.Record]) -> bool:
        """Takes the living keys. Whether they are others than before."""
        seen = [tuple(row)[:6] for row in rows]
        if seen == self._seen:
            return False
        now = time.monotonic()
        self._keys = Keys(
            (
                row["secret_hash"],
                with_key(
                    row["id"],
                    row["prefix"],
                    row["scopes"],
                    math.inf if row["seconds_left"] is None else now + row["seconds_left"],
                    row["lineage"],
                ),
            )
            for row in rows
        )
        self._seen = seen
        self._good.clear()
        return True

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
