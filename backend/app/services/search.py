"""Finding players by parts of their names, with their ranks."""

from contextlib import suppress

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.database import RawConnection, raw_connection
from app.core.kept import Kept
from app.core.names import search_key
from app.services.players import COLUMNS, Profile, to_profile
from app.services.rank_index.index import IndexAway
from app.services.standings import Standings

KEPT_SECONDS = 2.0
KEPT = 256
SHORTEST = 3
"""Characters of a word that is looked for inside names: the trigram index knows no shorter ones."""
MOST_WORDS = 4
PATIENCE_MS = 1_000
"""After so long a search within names is given up, where there is no trigram index."""

# The bounds of a prefix as LIKE wants them, in the operator class of idx_user_username_active.
BEGIN_SO = f"""
SELECT {COLUMNS} FROM users WHERE is_active AND search_key LIKE $1 || '%'
ORDER BY search_key USING ~<~ LIMIT $2
"""  # noqa: S608 - constants alone

_HAVE_IN_THEM = f"""
SELECT {COLUMNS}, search_key FROM users
WHERE is_active AND NOT search_key LIKE $1 || '%' AND {{parts}} LIMIT $2
"""  # noqa: S608 - constants alone

# The planner thinks that a common part is found soon enough by reading all names in some order. It
# is wrong where the part is rare, so a bitmap, which the trigram index makes, is all it may use.
BY_TRIGRAMS = """
SELECT set_config('enable_seqscan', 'off', true), set_config('enable_indexscan', 'off', true)
"""


def within(words: int) -> str:
    """The query for names that have so many parts in them: key, limit, then the parts."""
    parts = (f"search_key LIKE '%' || ${at} || '%'" for at in range(3, words + 3))
    return _HAVE_IN_THEM.format(parts=" AND ".join(parts))


def escape(text: str) -> str:
    """The text as LIKE takes it for itself."""
    return text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")


class Search:
    """Searches among active players. Case, accents and what shows nothing make no difference."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._kept: Kept[tuple[str, int], list[Profile]] = Kept(KEPT_SECONDS, KEPT)

    async def begin(self, prefix: str, limit: int) -> list[Profile]:
        """Players whose names begin so, in order of names."""
        key = search_key(prefix)
        if not key:
            return []
        # A blank at the end says that the word is whole.
        key += " " * (prefix[-1:].isspace())
        async with raw_connection(self._engine) as connection:
            return await self._begin(connection, escape(key), limit)

    async def find(self, text: str, limit: int) -> list[Profile]:
        """Players whose names begin so, and then those that have all words of it in their names, if
        one of the words has at least three characters. Kept for two seconds."""
        key = search_key(text)
        return await self._kept.get((key, limit), lambda: self._find(key, limit)) if key else []

    async def _find(self, key: str, limit: int) -> list[Profile]:
        words = [escape(word) for word in key.split(" ")[:MOST_WORDS]]
        async with raw_connection(self._engine) as connection:
            found = await self._begin(connection, escape(key), limit)
            if len(found) < limit and max(map(len, key.split(" "))) >= SHORTEST:
                # Too slow without a trigram index: those that begin so are an answer too.
                with suppress(asyncpg.QueryCanceledError):
                    found += await self._within(connection, escape(key), limit - len(found), words)
        return found

    async def _begin(self, connection: RawConnection, key: str, limit: int) -> list[Profile]:
        return [to_profile(row) for row in await connection.fetch(BEGIN_SO, key, limit)]

    async def _within(
        self, connection: RawConnection, key: str, limit: int, words: list[str]
    ) -> list[Profile]:
        async with connection.transaction(readonly=True):
            await connection.execute(f"SET LOCAL statement_timeout = {PATIENCE_MS}")
            await connection.execute(BY_TRIGRAMS)
            rows = await connection.fetch(within(len(words)), key, limit, *words)
        rows.sort(key=lambda row: row["search_key"])
        return [to_profile(row) for row in rows]


async def ranks_of(
    standings: Standings, profiles: list[Profile]
) -> dict[int, tuple[int | None, int]]:
    """(rank, total) by player, of those who have one. The rank is None while the index is away and
    PostgreSQL can't tell it soon."""
    user_ids = [profile.user_id for profile in profiles if profile.is_active]
    if not user_ids:
        return {}
    try:
        ranks = await standings.index.ranks(user_ids)
    except IndexAway:
        named = await standings.named(user_ids)
        folds = [each.fold for each in named.values() if each.fold is not None]
        found = await standings.ranks_by_sql([fold.user_id for fold in folds])
        known = {} if found is None else found.by_player
        return {
            fold.user_id: known.get(fold.user_id, (None, fold.total_score))
            for fold in folds
            if fold.is_active
        }
    return {
        standing.place.user_id: (standing.rank, standing.place.total_score)
        for standing in ranks.standings
        if standing.rank is not None and standing.place is not None
    }
