"""Run by test_failures.py inside a mount of its own: fills PostgreSQL's disk under the service."""

import asyncio
import sys
from pathlib import Path

import httpx

from app.core.config import Settings
from app.core.embedded import start_servers
from app.main import create_app
from app.services.verify import verify
from tests.conftest import serve


async def told_of(client: httpx.AsyncClient) -> None:
    """Health and metrics say why no score is stored, while more of them are refused."""
    async with asyncio.timeout(40):
        while True:
            await client.post("/api/leaderboard/submit", json={"user_id": 1, "score": 1})
            health = await client.get("/api/leaderboard/health")
            writer = health.json()["writer"]
            if writer["status"] == "down":
                break
            await asyncio.sleep(0.1)
    assert health.status_code == 503, health.text
    assert writer["detail"] == "scores can't be stored: disk full", writer
    metrics = (await client.get("/metrics")).text
    assert 'leaderboard_writes_failing{why="disk full"' in metrics, metrics


async def main(disk: Path, settings: Settings) -> None:
    async with (
        serve(create_app(settings)) as address,
        httpx.AsyncClient(base_url=f"http://{address}", timeout=30) as client,
    ):
        user = (await client.post("/api/users", json={"username": "Nova"})).json()["user_id"]

        async def submit() -> int:
            answer = await client.post(
                "/api/leaderboard/submit", json={"user_id": user, "score": 1}
            )
            return answer.status_code

        while await submit() != 200:
            await asyncio.sleep(0.1)
        filler = disk / "filler"
        with filler.open("wb") as file:
            try:
                while True:
                    file.write(bytes(1 << 16))
                    file.flush()
            except OSError:
                pass
        stored = 1
        for _ in range(3000):
            status = await submit()
            if status != 200:
                break
            stored += 1
        assert status == 503, status
        print("refused")
        await told_of(client)
        print("told")
        rank = await client.get(f"/api/leaderboard/rank/{user}")
        assert (rank.status_code, rank.json()["score"]) == (200, stored), rank.text
        print("read")
        filler.unlink()
        for _ in range(200):
            if await submit() == 200:
                break
            await asyncio.sleep(0.1)
        else:
            raise AssertionError("writes did not come back")
        async with asyncio.timeout(20):
            while (await client.get("/api/leaderboard/health")).status_code != 200:
                await submit()
                await asyncio.sleep(0.1)
        print("written")
        found: list[str] = []
        assert await verify(settings, found.append) == 0, found
        print("verified")


if __name__ == "__main__":
    root = Path(sys.argv[1])
    with start_servers(root / "s", postgres_settings={"max_wal_size": "64MB"}) as servers:
        options = Settings(
            _env_file=None,
            database_url=servers.database_url,
            redis_url=servers.redis_url,
            log_level="error",
            auth_mode="open",
        )
        asyncio.run(main(root, options))
