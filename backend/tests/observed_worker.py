"""A worker as `serve` runs it, with New Relic's agent in its developer mode, which sends nothing.

Run by test_newrelic.py in a process of its own. Prints what the agent recorded.
"""

import asyncio
import json
import sys
import threading

import httpx
import uvicorn
from websockets.asyncio.client import connect

from app.cli import supervisor
from app.core.config import Settings


async def play(address: str) -> None:
    async with httpx.AsyncClient(base_url=f"http://{address}") as client:
        async with asyncio.timeout(20):
            while (await client.get("/api/leaderboard/health")).json()["status"] != "ok":
                await asyncio.sleep(0.05)
        made = await client.post("/api/users", json={"username": "seen"})
        assert made.status_code == 201, made.text
        player = made.json()["user_id"]
        async with connect(f"ws://{address}/ws/leaderboard") as socket:
            await socket.recv()
            batch = {"submissions": [{"user_id": player, "score": 1}] * 3}
            answer = await client.post("/api/leaderboard/submit/batch", json=batch)
            assert answer.status_code == 200, answer.text
            await socket.recv()
        for score in (5, 6):
            body = {"user_id": player, "score": score}
            answer = await client.post("/api/leaderboard/submit", json=body)
            assert answer.json()["new_rank"] == 1, answer.text
        for path in ("top", f"rank/{player}", f"around/{player}", "rank/987654"):
            await client.get(f"/api/leaderboard/{path}")
        page = await client.get("/", headers={"accept": "text/html"})
        assert b"NREUM" not in page.content, page.content


async def serve() -> None:
    server = uvicorn.Server(supervisor.configure(Settings(), 1))
    server.config.port = 0
    running = asyncio.create_task(server._serve())
    while not server.started:
        assert not running.done(), running.exception()
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        await play(f"127.0.0.1:{port}")
    finally:
        server.should_exit = True
        await running


def recorded() -> dict[str, object]:
    if "newrelic" not in sys.modules:
        return {"imported": False}
    from newrelic.core.agent import agent_instance
    from newrelic.core.config import global_settings

    engine = agent_instance().application("Leaderboard")._stats_engine
    return {
        "imported": True,
        "key": global_settings().license_key,
        "host": global_settings().host,
        "transactions": [event[0]["name"] for event in engine.transaction_events.samples],
        "events": [[event[0]["type"], event[1]] for event in engine.custom_events.samples],
        "metrics": sorted({name for name, _ in engine.stats_table}),
        "errors": [str(error) for error in engine.error_data()],
        "threads": threading.active_count(),
    }


asyncio.run(serve())
print(json.dumps(recorded()))
