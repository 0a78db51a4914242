"""A player's games: newest first, page by page, stable while new ones arrive."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from tests.conftest import Worker

FIELDS = {"session_id", "score", "game_mode", "played_at", "duration_ms", "won", "metadata"}
RACES = """
WITH board AS (
    INSERT INTO boards (slug, name, game_modes) VALUES ('races', 'Races', '{race,sprint}')
    RETURNING id
)
INSERT INTO seasons (board_id, number) SELECT id, 1 FROM board
"""
# In two months' partitions, three at a time in the same microsecond, ids against the order of time.
OLD = """
INSERT INTO game_sessions (id, user_id, score, game_mode, timestamp)
SELECT 1000 - n, $1, n, 'old',
       date_trunc('month', now()) + (n / 3 - 5) * interval '1 microsecond'
FROM generate_series(1, 30) n
"""


# Many in an hour and some at its border, in two partitions, ids in no order.
MANY = """
INSERT INTO game_sessions (id, user_id, score, game_mode, timestamp)
SELECT 10000 + (n * 7919) % 1000, $1, n, CASE WHEN n % 3 = 0 THEN 'race' ELSE 'old' END,
       date_trunc('month', now()) + (n % 5) * interval '6 days' - interval '12 days'
       + (n % 7) * interval '30 minutes' + (n % 3 - 1) * interval '1 microsecond'
FROM generate_series(1, 400) n
"""


async def get(worker: Worker, user_id: int, **query) -> dict:
    answer = await worker.client.get(f"/api/users/{user_id}/sessions", params=query)
    assert answer.status_code == 200, answer.text
    assert answer.json().keys() == {"sessions", "next_cursor"}
    return answer.json()


async def walk(worker: Worker, user_id: int, limit: int, **query) -> list[dict]:
    """All games, page by page."""
    page = await get(worker, user_id, limit=limit, **query)
    found = page["sessions"]
    while page["next_cursor"] is not None:
        assert len(page["sessions"]) == limit
        page = await get(worker, user_id, limit=limit, cursor=page["next_cursor"], **query)
        assert page["sessions"]
        found += page["sessions"]
    return found


def ids(sessions: list[dict]) -> list[int]:
    return [each["session_id"] for each in sessions]


async def test_games_as_they_were_sent(worker):
    ada, bo = await worker.add_players(2)
    assert await get(worker, ada) == {"sessions": [], "next_cursor": None}
    played = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1)
    metadata = {"level": 7, "tags": ["a", None], "far": 10**300, "deep": {"x": 1.5, "": False}}
    sent = [
        {"score": 5},
        {"score": -3, "game_mode": "race", "duration_ms": 0, "won": False, "metadata": metadata},
        {"score": 2**53 - 1000, "won": True, "metadata": {}},
        {"score": 0, "played_at": played.isoformat()},
    ]
    made = [(await worker.submit(ada, **fields)).json()["session_id"] for fields in sent]
    await worker.submit(bo, 1)
    page = await get(worker, ada)
    # Sent last, played first.
    assert ids(page["sessions"]) == [made[2], made[1], made[0], made[3]]
    assert page["next_cursor"] is None
    third, second, first, offline = page["sessions"]
    assert all(set(each) == FIELDS for each in page["sessions"])
    assert (first["score"], first["game_mode"], first["won"]) == (5, "default", None)
    assert (first["duration_ms"], first["metadata"]) == (None, None)
    assert (second["score"], second["game_mode"], second["won"]) == (-3, "race", False)
    assert (second["duration_ms"], second["metadata"]) == (0, metadata)
    assert (third["score"], third["won"], third["metadata"]) == (2**53 - 1000, True, None)
    assert datetime.fromisoformat(offline["played_at"]) == played
    await worker.client.patch(f"/api/users/{ada}", json={"is_active": False})
    assert await get(worker, ada) == page


NUMBERS = {
    "12345678901234567890": "12345678901234567890",
    "9" * 4_000: "9" * 4_000,
    "1e400": "1" + "0" * 400,
    "0.1000000000000000055": "0.1000000000000000055",
    "0.10": "0.10",
    "-1.50E+2": "-150",
    "2.5e-7": "0.00000025",
    "-0": "0",
    "-0.0": "0.0",
    "123456789.123456789123456789e300": "123456789123456789123456789" + "0" * 282,
}
"""How they are sent, and how they are answered: the same numbers, written out."""


@pytest.mark.parametrize("way", ["alone", "in a batch", "beside a bad one"])
async def test_numbers_in_metadata_are_kept_exactly(worker, way):
    (ada,) = await worker.add_players(1)
    for number, written_out in NUMBERS.items():
        metadata = f'{{"in": [{{"it": {number}}}, "1e5 \u00e9"], "v": 1}}'
        item = f'{{"user_id": {ada}, "score": 1, "metadata": {metadata}}}'
        others = {"in a batch": f"{item}, ", "beside a bad one": f'{{"score": 1.5}}, {item}, '}
        batch = f'{{"submissions": [{others.get(way)}{item}]}}'
        answer = await worker.client.post(
            "/api/leaderboard/submit" + ("" if way == "alone" else "/batch"),
            content=(item if way == "alone" else batch).encode(),
            headers={"Content-Type": "application/json"},
        )
        assert answer.status_code == 200, answer.text
        answer = await worker.client.get(f"/api/users/{ada}/sessions?limit=1")
        told = f'"metadata":{{"v": 1, "in": [{{"it": {written_out}}}, "1e5 \u00e9"]}}}}'
        assert told in answer.text, answer.text


@pytest.fixture
async def veteran(sandbox, worker) -> int:
    """A player with 30 games, many at the same moment, on both sides of a partition's border."""
    (player,) = await worker.add_players(1)
    connection = await sandbox.connect()
    await connection.execute(OLD, player)
    await connection.close()
    return player


async def test_pages_are_the_whole(worker, veteran):
    whole = (await get(worker, veteran, limit=100))["sessions"]
    assert len(whole) == 30
    order = [(datetime.fromisoformat(each["played_at"]), each["session_id"]) for each in whole]
    assert order == sorted(order, reverse=True)
    assert len({each["played_at"] for each in whole}) == 11
    for limit in (1, 2, 3, 7, 29, 30, 31):
        assert await walk(worker, veteran, limit) == whole
    assert (await get(worker, veteran))["sessions"] == whole[:20]


async def test_pages_of_games_by_the_hour(sandbox, worker):
    (ada,) = await worker.add_players(1)
    connection = await sandbox.connect()
    await connection.execute(RACES)
    await connection.execute(MANY, ada)
    rows = await connection.fetch("SELECT * FROM game_sessions ORDER BY timestamp DESC, id DESC")
    await connection.close()
    whole = [row["id"] for row in rows]
    races = [row["id"] for row in rows if row["game_mode"] == "race"]
    assert len({row["timestamp"] for row in rows}) < len(rows)
    for limit in (7, 50):
        assert ids(await walk(worker, ada, limit)) == whole
    async with sandbox.worker() as other:  # which knows of the new board
        assert ids(await walk(other, ada, 40, board="races")) == races


# Around full hours of this and other ages.
HOURS = """
SELECT at, hour_of(at) FROM (
    SELECT (year || '-03-01 00:00+00')::timestamptz + hour * interval '1 hour'
           + micro * interval '1 microsecond' AS at
    FROM unnest('{0002,1582,1969,1970,2026,2255,9998}'::text[]) AS year,
         generate_series(-30, 30) AS hour, generate_series(-2, 2) AS micro
) moments ORDER BY at
"""


async def test_hours_are_in_the_order_of_time_whatever_the_zone(sandbox):
    connection = await sandbox.connect()
    found = [list(row) for row in await connection.fetch(HOURS)]
    hours = [hour for _, hour in found]
    assert hours == sorted(hours)
    exact = [(at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(hours=1) for at, _ in found]
    assert [hour for at, hour in found if 1900 < at.year < 2200] == [
        hour for (at, _), hour in zip(found, exact, strict=True) if 1900 < at.year < 2200
    ]
    for zone in ("Asia/Kathmandu", "America/New_York"):
        await connection.execute(f"SET timezone = '{zone}'")
        assert [row[1] for row in await connection.fetch(HOURS)] == hours
    await connection.close()


async def test_new_games_move_no_page(worker, veteran):
    before = (await get(worker, veteran, limit=100))["sessions"]
    page = await get(worker, veteran, limit=4)
    seen = page["sessions"]
    while page["next_cursor"] is not None:
        await asyncio.gather(*(worker.submit(veteran, 1) for _ in range(3)))
        page = await get(worker, veteran, limit=4, cursor=page["next_cursor"])
        seen += page["sessions"]
    assert seen == before
    assert len(await walk(worker, veteran, 10)) == 30 + 3 * 7


async def test_games_of_a_batch_share_a_moment(worker):
    (ada,) = await worker.add_players(1)
    body = [{"user_id": ada, "score": number} for number in range(25)]
    answer = await worker.client.post("/api/leaderboard/submit/batch", json={"submissions": body})
    made = [each["session_id"] for each in answer.json()["results"]]
    assert ids(await walk(worker, ada, 10)) == sorted(made, reverse=True)


async def test_games_that_count_for_a_board(sandbox):
    connection = await sandbox.connect()
    await connection.execute(RACES)
    await connection.close()
    async with sandbox.worker() as worker:
        (ada,) = await worker.add_players(1)
        modes = ["race", "duel", "sprint", "duel", "race"]
        made = [
            (await worker.submit(ada, 1, game_mode=mode)).json()["session_id"] for mode in modes
        ]
        races = [made[4], made[2], made[0]]
        assert ids(await walk(worker, ada, 2, board="races")) == races
        assert ids(await walk(worker, ada, 3, board="races")) == races
        assert ids(await walk(worker, ada, 2, board="global")) == made[::-1]
        assert ids(await walk(worker, ada, 2)) == made[::-1]
