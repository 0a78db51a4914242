"""Guests: players who come without a game server, where the deployment allows it.

A guest gets a secret of 256 random bits once, and a token for it whenever the last one ends.
"""

from dataclasses import dataclass
from hmac import compare_digest

from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.database import raw_connection
from app.core.errors import PlayerInactive, Unauthenticated
from app.services.access.keys import hash_secret, new_secret
from app.services.players import Players, Profile

_NOBODYS = bytes(32)
"""The hash of no secret that anybody could find: what is compared where there is none."""

_FIND = """
SELECT id, username, join_date, is_active, guest_secret_hash FROM users WHERE id = $1
"""


@dataclass(frozen=True, slots=True)
class NewGuest:
    """A player with the secret that signs them in again, told this once."""

    profile: Profile
    secret: str


class Guests:
    """Joining as a guest, and coming back."""

    def __init__(self, engine: AsyncEngine, players: Players) -> None:
        self._engine = engine
        self._players = players

    async def join(self, username: str) -> NewGuest:
        """Raises UsernameTaken."""
        secret = new_secret()
        profile = await self._players.create(username, None, guest_secret_hash=hash_secret(secret))
        return NewGuest(profile, secret)

    async def find(self, user_id: int, secret: str) -> Profile:
        """The guest whose secret this is. Raises Unauthenticated, in the same words and time for
        a player who does not exist, is no guest, or has another secret; PlayerInactive."""
        async with raw_connection(self._engine) as connection:
            row = await connection.fetchrow(_FIND, user_id)
        known = None if row is None else row["guest_secret_hash"]
        same = compare_digest(known or _NOBODYS, hash_secret(secret))
        if row is None or not same:
            raise Unauthenticated
        if not row["is_active"]:
            raise PlayerInactive(f"Player {user_id} is deactivated.")
        return Profile(row["id"], row["username"], row["join_date"], row["is_active"])
