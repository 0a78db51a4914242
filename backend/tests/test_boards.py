"""Boards: their rules, bounds, tiers and seasons, as loaded at start."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
import websockets
from websockets.asyncio.client import connect

from app.main import create_app
from app.services import exports
from app.services.access.callers import OPEN
from app.websocket.frames import Close

BOARDS = "/api/boards"
MAX = 2**53 - 1
LAPS = """
WITH board AS (
    INSERT INTO boards (slug, name, game_modes, sort_order, decimals, unit)
    VALUES ('laps', 'Lap times', '{sprint,race}', 'asc', 3, 's') RETURNING id
)
INSERT INTO seasons (board_id, number, starts_at, ends_at, closed_at)
SELECT id, number, starts_at, ends_at, closed_at FROM board, (VALUES
    (1, timestamptz '2026-01-01Z', timestamptz '2026-02-01Z', timestamptz '2026-02-01 00:05Z'),
    (2, timestamptz '2026-02-01Z', timestamptz '2026-03-01Z', NULL)
) AS season (number, starts_at, ends_at, closed_at)
"""


async def get(worker, path: str = "") -> dict:
    answer = await worker.client.get(f"{BOARDS}{path}")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_the_board_that_there_always_is(worker):
    board = await get(worker, "/global")
    assert board == {
        "slug": "global",
        "name": "Global",
        "game_modes": None,
        "operator": "sum",
        "sort_order": "desc",
        "tie_policy": "ordinal",
        "decimals": 0,
        "unit": None,
        "season": 1,
        "client_submissions": False,
        "is_private": False,
        "limits": {
            "min_score": -MAX,
            "max_score": MAX,
            "max_duration_ms": 7 * 24 * 3_600_000,
            "max_metadata_bytes": 4_096,
            "game_mode_pattern": "^[A-Za-z0-9_-]{1,32}$",
        },
        "tiers": [
            {"name": "Diamond", "percentile": 99.0},
            {"name": "Platinum", "percentile": 90.0},
            {"name": "Gold", "percentile": 70.0},
            {"name": "Silver", "percentile": 40.0},
            {"name": "Bronze", "percentile": 0.0},
        ],
    }
    assert await get(worker) == {"boards": [board]}
    answer = await get(worker, "/global/seasons")
    (season,) = answer["seasons"]
    assert answer["board"] == "global"
    assert season.keys() == {"number", "starts_at", "ends_at", "closed_at", "current"}
    assert (season["number"], season["current"]) == (1, True)
    assert (season["ends_at"], season["closed_at"]) == (None, None)
    started = datetime.fromisoformat(season["starts_at"])
    assert timedelta(0) <= datetime.now(UTC) - started < timedelta(hours=1)


async def test_a_board_with_rules_of_its_own(sandbox):
    connection = await sandbox.connect()
    await connection.execute(LAPS)
    await connection.close()
    async with sandbox.worker() as worker:
        laps = await get(worker, "/laps")
        assert (laps["name"], laps["game_modes"]) == ("Lap times", ["sprint", "race"])
        assert (laps["sort_order"], laps["decimals"], laps["unit"]) == ("asc", 3, "s")
        assert laps["season"] == 2
        assert [each["slug"] for each in (await get(worker))["boards"]] == ["global", "laps"]
        seasons = (await get(worker, "/laps/seasons"))["seasons"]
        assert [(each["number"], each["current"]) for each in seasons] == [(2, True), (1, False)]
        assert seasons[0]["closed_at"] is None
        assert seasons[1]["ends_at"] == "2026-02-01T00:00:00Z"
        assert seasons[1]["closed_at"] == "2026-02-01T00:05:00Z"


async def test_bounds_and_tiers_are_settings(sandbox):
    async with sandbox.worker(
        tiers=(("Gods", 50.0), ("Mortals", 0.0)), max_duration_ms=1_000, max_metadata_bytes=64
    ) as worker:
        board = await get(worker, "/global")
        assert [each["name"] for each in board["tiers"]] == ["Gods", "Mortals"]
        assert board["limits"]["max_duration_ms"] == 1_000
        assert board["limits"]["max_metadata_bytes"] == 64


def season_reads(sandbox) -> list[tuple[str, str]]:
    """(method, path) of every operation that takes a season."""
    return [
        (method, path)
        for path, methods in create_app(sandbox.settings).openapi()["paths"].items()
        for method, operation in methods.items()
        if method != "head"
        and "season" in {each["name"] for each in operation.get("parameters", ())}
    ]


async def test_only_the_current_season_has_standings(sandbox):
    connection = await sandbox.connect()
    await connection.execute("INSERT INTO seasons (board_id, number) VALUES (1, 2)")
    await connection.close()
    operations = season_reads(sandbox)
    assert len(operations) >= 6, operations
    async with sandbox.worker() as worker:
        (player,) = await worker.add_players(1)
        await worker.submit(player, 5)
        for method, path in operations:
            url = path.format(user_id=player)
            body = {"json": {"user_ids": [player]}} if method == "post" else {}
            wanted = {"prefix": "player"} if path == "/api/users" else {}
            for season, status in (({}, 200), ({"season": 2}, 200), ({"season": 1}, 404)):
                query = {**wanted, **season}
                answer = await worker.client.request(method, url, params=query, **body)
                assert answer.status_code == status, (method, url, query, answer.text)
                if status != 200:
                    assert answer.json()["code"] == "unknown-season"
        seasons = (await get(worker, "/global/seasons"))["seasons"]
        assert [(each["number"], each["current"]) for each in seasons] == [(2, True), (1, False)]
        # An export reads SQL alone, so it can have them all.
        past = worker.service.boards.find_stored(None, 1, OPEN)
        async with exports.open_export(worker.service.engine, exports.standings_of(past)) as (
            rows,
            _,
        ):
            assert rows == 0
    async with sandbox.serve() as address:
        for path in ("/ws/leaderboard", f"/ws/leaderboard/{player}"):
            async with connect(f"ws://{address}{path}?season=2") as socket:
                await asyncio.wait_for(socket.recv(), 5)
            async with connect(f"ws://{address}{path}?season=1") as socket:
                with pytest.raises(websockets.ConnectionClosed) as closed:
                    await asyncio.wait_for(socket.recv(), 5)
                assert closed.value.rcvd.code == Close.BAD_REQUEST
                assert "season" in closed.value.rcvd.reason
