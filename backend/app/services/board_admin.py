"""Changing a board's name and who may use it; each change is in the audit log."""

from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.database import raw_connection
from app.core.errors import UnknownBoard
from app.services.access import audit
from app.services.access.audit import Act
from app.services.access.sealing import UNSEALED, Sealer
from app.services.boards import BoardRules

_LOCK = """
SELECT slug, name, client_submissions, is_private FROM boards WHERE slug = $1 FOR NO KEY UPDATE
"""

_CHANGE = "UPDATE boards SET name = $2, client_submissions = $3, is_private = $4 WHERE slug = $1"


class BoardAdmin:
    """The boards as administrators handle them. `actor` is who does it, for the log."""

    def __init__(self, engine: AsyncEngine, sealer: Sealer = UNSEALED) -> None:
        self._engine = engine
        self._sealer = sealer

    async def change(
        self,
        slug: str,
        actor: str,
        *,
        name: str | None = None,
        client_submissions: bool | None = None,
        is_private: bool | None = None,
        reason: str | None = None,
    ) -> BoardRules:
        """What is None stays. The rules as they are now. Raises UnknownBoard."""
        async with raw_connection(self._engine) as connection, connection.transaction():
            row = await connection.fetchrow(_LOCK, slug)
            if row is None:
                raise UnknownBoard(f"There is no board {slug!r}.")
            before = BoardRules(*row)
            after = BoardRules(
                slug,
                before.name if name is None else name,
                before.client_submissions if client_submissions is None else client_submissions,
                before.is_private if is_private is None else is_private,
            )
            if after == before:
                return before
            await connection.execute(_CHANGE, *after)
            changes = {
                field: [old, new]
                for field, old, new in zip(BoardRules._fields, before, after, strict=True)
                if old != new
            }
            act = Act(actor, "board.change", f"board:{slug}", changes, reason)
            await audit.append(connection, act, self._sealer)
        return after
