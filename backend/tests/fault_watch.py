"""Watches workers during a fault: is what they say right, and if not, do they say so?"""

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass

import asyncpg
import httpx

PATIENCE = 3.0
"""Seconds that a caller waits for an answer."""
EVERY = 0.1
STEADY = 3.0
"""Nothing wrong for so long: the service is whole."""
NEVER = 60.0

_TRUTH = """
SELECT user_id, total_score FROM leaderboard JOIN boards b ON b.id = board_id
WHERE b.slug = 'global' AND is_active ORDER BY total_score DESC, achieved_id LIMIT $1
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """One look at one worker. `is_whole`: right, from the index, and health says ok."""

    at: float
    is_right: bool
    is_told: bool
    is_whole: bool
    words: str


class Watch:
    """Compares the best players, who do not play, with what PostgreSQL says of them."""

    def __init__(self, dsn: str, addresses: list[str], best: int) -> None:
        self._dsn = dsn
        self._best = best
        self.truth: list[tuple[int, int]] = []
        self.seen: list[Seen] = []
        self._addresses = addresses
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        self._tasks = [asyncio.create_task(self._watch(each)) for each in self._addresses]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)

    async def ask_truth(self) -> None:
        """Asks PostgreSQL. While it is away, the last answer holds."""
        with suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            async with asyncio.timeout(PATIENCE):
                connection = await asyncpg.connect(self._dsn)
                try:
                    rows = await connection.fetch(_TRUTH, self._best)
                    self.truth = [tuple(row) for row in rows]
                finally:
                    connection.terminate()

    async def _watch(self, address: str) -> None:
        while True:
            self.seen.append(await self._look(address))
            await asyncio.sleep(EVERY)

    async def _look(self, address: str) -> Seen:
        # A connection each, so that each of several workers of one address is met.
        try:
            base = f"http://{address}/api/leaderboard"
            async with httpx.AsyncClient(timeout=PATIENCE) as client:
                page = await client.get(f"{base}/top?limit={self._best}")
                rank = await client.get(f"{base}/rank/{self.truth[-1][0]}")
                health = (await client.get(f"{base}/health")).json()
        except (httpx.HTTPError, TimeoutError) as error:
            return Seen(time.monotonic(), False, False, False, f"no answer: {error!r}")
        return self._judge(page, rank, health)

    def _judge(self, page: httpx.Response, rank: httpx.Response, health: dict) -> Seen:
        codes = {page.status_code, rank.status_code}
        is_right = codes == {200} and (
            [(each["user_id"], each["total_score"]) for each in page.json()["entries"]]
            == self.truth
            and (rank.json()["rank"], rank.json()["score"]) == (self._best, self.truth[-1][1])
        )
        is_busy = 503 in codes and codes <= {200, 503}
        sources = {each.headers.get("leaderboard-source") for each in (page, rank)}
        is_whole = is_right and sources == {"index"} and health["status"] == "ok"
        parts = {
            name: part for name, part in health.items()
            if isinstance(part, dict) and part["status"] != "ok"
        }  # fmt: skip
        told = is_busy or health["status"] != "ok"
        return Seen(time.monotonic(), is_right, told, is_whole, f"{codes} {sources} {parts}")

    def last_untold(self, since: float) -> Seen | None:
        """The last look at a worker that was wrong and did not say so."""
        bad = [
            each for each in self.seen if each.at > since and not (each.is_right or each.is_told)
        ]
        return bad[-1] if bad else None

    async def until_whole(self, since: float) -> tuple[float, str]:
        """(seconds until the service was whole, what was last missing). NEVER if it was not."""
        while time.monotonic() - since < NEVER:
            await self.ask_truth()
            await asyncio.sleep(0.25)
            lacking = [each for each in self.seen if each.at > since and not each.is_whole]
            newest = lacking[-1].at if lacking else since
            if time.monotonic() - newest > STEADY:
                return newest - since, lacking[-1].words if lacking else ""
        return NEVER, lacking[-1].words
