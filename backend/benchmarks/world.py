"""A world: one database of a given size and the key prefix of its index."""

import asyncio
from dataclasses import dataclass

import asyncpg
import redis

from app.core.embedded import EmbeddedServers
from app.services.boards import BoardSeason
from app.services.rank_index.keys import key_prefix
from benchmarks.seed import seed


@dataclass(frozen=True, slots=True)
class World:
    """Players have the ids from 1 to `players`."""

    servers: EmbeddedServers
    name: str
    players: int

    @property
    def url(self) -> str:
        return self.servers.database_url.replace("/leaderboard?", f"/{self.name}?")

    @property
    def dsn(self) -> str:
        return self.servers.postgres_dsn.replace("/leaderboard?", f"/{self.name}?")

    @property
    def env(self) -> dict[str, str]:
        """What points a service at this world."""
        return {
            "DATABASE_URL": self.url,
            "REDIS_URL": self.servers.redis_url,
            "REDIS_PREFIX": f"{self.name}:",
            "AUTH_MODE": "open",
        }

    @property
    def index_prefix(self) -> str:
        """Of the keys of the one board that there is."""
        board, season = asyncio.run(self._fetch("SELECT board_id, number FROM seasons"))[0]
        return key_prefix(f"{self.name}:", BoardSeason(board, "global", season))

    def create(self) -> None:
        asyncio.run(self._create())

    def clone(self, name: str) -> "World":
        """A copy of the database; nobody may be connected to it."""
        other = World(self.servers, name, self.players)
        asyncio.run(self._administer(f"CREATE DATABASE {name} TEMPLATE {self.name}"))
        return other

    def drop(self) -> None:
        """Removes the database and the index."""
        asyncio.run(self._administer(f"DROP DATABASE IF EXISTS {self.name} WITH (FORCE)"))
        with redis.Redis.from_url(self.servers.redis_url) as client:
            for key in client.scan_iter(f"{self.name}:*", count=10_000):
                client.unlink(key)

    def ledger_rows(self) -> int:
        count: int = asyncio.run(self._fetch("SELECT count(*) FROM game_sessions"))[0][0]
        return count

    def ends(self, count: int) -> tuple[list[int], list[int]]:
        """The ids of the best and of the last players."""
        order = "SELECT user_id FROM leaderboard ORDER BY total_score {}, user_id LIMIT {}"
        best = asyncio.run(self._fetch(order.format("DESC", count)))
        last = asyncio.run(self._fetch(order.format("ASC", count)))
        return [row[0] for row in best], [row[0] for row in last]

    async def _create(self) -> None:
        await self._administer(f"CREATE DATABASE {self.name}")
        await seed(self.url, self.dsn, self.players)

    async def _fetch(self, query: str) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(self.dsn)
        try:
            return await connection.fetch(query)
        finally:
            await connection.close()

    async def _administer(self, statement: str) -> None:
        connection = await asyncpg.connect(self.servers.postgres_dsn)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()
