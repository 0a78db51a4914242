"""All that is stored of one player, as JSON in pieces."""

from collections.abc import AsyncIterator

from pydantic_core import to_json
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.database import raw_connection
from app.core.errors import UnknownPlayer
from app.services.sessions import NEWEST, Session, Sessions

CHUNK = 500

_PLAYER = """
SELECT id AS user_id, username, email, join_date, is_active,
       guest_secret_hash IS NOT NULL AS is_guest,
       (SELECT erased_at FROM erasures e WHERE e.user_id = users.id) AS erased_at
FROM users WHERE id = $1
"""
_PARTS = {
    "former_names": """
        SELECT c.name_before AS username, a.at AS until FROM name_changes c
        JOIN audit_log a ON a.id = c.audit_id WHERE c.user_id = $1 ORDER BY c.audit_id
    """,
    "standings": """
        SELECT b.slug AS board, f.season, f.total_score, f.games_played, f.decided, f.wins,
               f.achieved_at FROM leaderboard f JOIN boards b ON b.id = f.board_id
        WHERE f.user_id = $1 ORDER BY f.board_id, f.season
    """,
    "events": "SELECT id, kind, created_at FROM player_events WHERE user_id = $1 ORDER BY id",
}
_ACTS = """
SELECT at, action, reason FROM audit_log WHERE subject = $1 ORDER BY id
"""


class PlayerExports:
    """Reads a player's data in steps, so that a slow reader holds no connection."""

    def __init__(self, engine: AsyncEngine, sessions: Sessions) -> None:
        self._engine = engine
        self._sessions = sessions

    async def open(self, user_id: int) -> AsyncIterator[bytes]:
        """The export's pieces: one JSON object. Raises UnknownPlayer before the first piece."""
        async with raw_connection(self._engine) as connection:
            player = await connection.fetchrow(_PLAYER, user_id)
            if player is None:
                raise UnknownPlayer(f"There is no player {user_id}.")
            parts: dict[str, object] = {"player": dict(player)}
            for name, query in _PARTS.items():
                parts[name] = [dict(row) for row in await connection.fetch(query, user_id)]
            acts = await connection.fetch(_ACTS, f"player:{user_id}")
            parts["administrative_acts"] = [dict(row) for row in acts]
        return self._pieces(user_id, to_json(parts))

    async def _pieces(self, user_id: int, head: bytes) -> AsyncIterator[bytes]:
        yield head[:-1] + b',"sessions":['
        after, comma = NEWEST, b""
        while True:
            games, following = await self._sessions.page(user_id, CHUNK, after, any_player=True)
            if games:
                yield comma + b",".join(map(encode_session, games))
                comma = b","
            if following is None:
                break
            after = following
        yield b"]}"


def encode_session(game: Session) -> bytes:
    """A game as JSON, with its metadata as it is stored: a double would round its numbers."""
    fields = game._asdict()
    metadata = fields.pop("metadata") or "null"
    return b'%b,"metadata":%b}' % (to_json(fields)[:-1], metadata.encode())
