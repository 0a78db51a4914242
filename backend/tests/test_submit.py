"""Submitting: durable, ranked, counted once."""

import asyncio

import pytest

MAX = 2**53 - 1


async def ledger_count(sandbox, **where) -> int:
    connection = await sandbox.connect()
    try:
        return await connection.fetchval("SELECT count(*) FROM game_sessions")
    finally:
        await connection.close()


async def test_a_score_is_stored_and_ranked(worker, sandbox):
    ada, bo = await worker.add_players(2)
    first = (
        await worker.submit(ada, 100, game_mode="ranked", duration_ms=5, metadata={"a": 1})
    ).json()
    assert first["new_rank"] == 1
    assert first["rank_change"] == 0
    second = (await worker.submit(bo, 150)).json()
    assert (second["new_rank"], second["total_players"]) == (1, 2)
    third = (await worker.submit(ada, 60)).json()
    assert (third["new_rank"], third["rank_change"]) == (1, 1)
    assert [each["user_id"] for each in await worker.top()] == [ada, bo]
    connection = await sandbox.connect()
    row = await connection.fetchrow(
        "SELECT * FROM game_sessions WHERE id = $1", first["session_id"]
    )
    await connection.close()
    assert (row["user_id"], row["score"], row["game_mode"], row["duration_ms"]) == (
        ada,
        100,
        "ranked",
        5,
    )
    assert row["metadata"] == '{"a": 1}'


async def test_ties_go_to_whoever_was_first(worker):
    ada, bo, cy = await worker.add_players(3)
    for player, score in ((bo, 50), (ada, 20), (cy, 50), (ada, 30)):
        await worker.submit(player, score)
    assert [each["user_id"] for each in await worker.top()] == [bo, cy, ada]
    # A session that leaves the score as it was leaves its moment as it was.
    await worker.submit(bo, 0)
    assert [each["user_id"] for each in await worker.top()] == [bo, cy, ada]
    # Going away and coming back reaches the score anew.
    await worker.submit(bo, 5)
    await worker.submit(bo, -5)
    assert [each["user_id"] for each in await worker.top()] == [cy, ada, bo]


async def test_win_rate_counts_the_games_that_said_who_won(worker):
    (ada,) = await worker.add_players(1)
    for won in (True, None, False, True):
        await worker.submit(ada, 1, won=won)
    (entry,) = await worker.top()
    assert entry["win_rate"] == 0.6667
    assert entry["games_played"] == 4


async def test_totals_stay_exact_and_in_range(worker, sandbox):
    ada, bo = await worker.add_players(2)
    await worker.submit(ada, MAX - 1)
    await worker.submit(bo, MAX)
    assert [each["total_score"] for each in await worker.top()] == [MAX, MAX - 1]
    refused = await worker.submit(bo, 1)
    assert refused.status_code == 409
    assert refused.json()["code"] == "total-out-of-range"
    assert (await worker.rank(bo))["score"] == MAX
    assert await ledger_count(sandbox) == 2
    await worker.submit(bo, -MAX)
    await worker.submit(bo, -MAX)
    assert (await worker.submit(bo, -1)).status_code == 409
    assert (await worker.rank(bo))["score"] == -MAX


async def test_a_repeat_with_its_key_counts_once(worker, sandbox):
    (ada,) = await worker.add_players(1)
    first = await worker.submit(ada, 10, key="k1")
    again = await worker.submit(ada, 10, key="k1")
    assert again.status_code == 200
    assert again.json()["session_id"] == first.json()["session_id"]
    assert again.json()["replayed"] is True
    other = await worker.submit(ada, 11, key="k1")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-mismatch")
    assert (await worker.rank(ada))["score"] == 10
    assert await ledger_count(sandbox) == 1


async def test_repeats_at_the_same_time_count_once(sandbox):
    async with sandbox.worker() as one, sandbox.worker() as two:
        ada, bo = await one.add_players(2)
        sent = [
            worker.submit(player, 7, key=f"k{number}")
            for number in range(5)
            for worker in (one, two)
            for player in (ada,)
            for _ in range(10)
        ]
        answers = [answer.json() for answer in await asyncio.gather(*sent)]
        assert len({answer["session_id"] for answer in answers}) == 5
        assert (await two.rank(ada))["score"] == 35
        # One key, two players: one of them has it, for the other it is a mismatch.
        mixed = await asyncio.gather(
            *(worker.submit(player, 1, key="mine") for worker in (one, two) for player in (ada, bo))
        )
        assert sorted(answer.status_code for answer in mixed) == [200, 200, 422, 422]


async def test_an_unknown_player_stores_nothing(worker, sandbox):
    answer = await worker.submit(404, 1)
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown-player")
    assert await ledger_count(sandbox) == 0


async def test_batch_items_are_answered_on_their_own(worker):
    ada, bo = await worker.add_players(2)
    answer = await worker.client.post(
        "/api/leaderboard/submit/batch",
        json={
            "submissions": [
                {"user_id": ada, "score": 5, "submission_id": "a"},
                {"user_id": ada, "score": "5"},
                {"user_id": 999, "score": 5},
                {"user_id": bo, "score": 9, "won": True},
                {"user_id": ada, "score": 5, "submission_id": "a"},
                {"user_id": ada, "score": 6, "submission_id": "a"},
                "what",
            ]
        },
    )
    assert answer.status_code == 200
    results = answer.json()["results"]
    assert [each["status"] for each in results] == [
        "accepted",
        "rejected",
        "rejected",
        "accepted",
        "accepted",
        "rejected",
        "rejected",
    ]
    assert results[1]["problem"]["errors"][0]["field"] == "score"
    assert results[2]["problem"]["code"] == "unknown-player"
    assert results[4]["session_id"] == results[0]["session_id"]
    assert results[5]["problem"]["code"] == "idempotency-mismatch"
    assert (await worker.rank(ada))["score"] == 5


async def test_a_batch_key_makes_a_key_for_each_item(worker):
    (ada,) = await worker.add_players(1)
    body = {"submissions": [{"user_id": ada, "score": 1}, {"user_id": ada, "score": 1}]}
    answers = [
        (
            await worker.client.post(
                "/api/leaderboard/submit/batch", json=body, headers={"Idempotency-Key": "call-1"}
            )
        ).json()["results"]
        for _ in range(2)
    ]
    assert [each["session_id"] for each in answers[0]] == [
        each["session_id"] for each in answers[1]
    ]
    assert (await worker.rank(ada))["score"] == 2


async def test_played_at_lies_within_the_last_minutes(worker):
    from datetime import UTC, datetime, timedelta

    (ada,) = await worker.add_players(1)
    now = datetime.now(UTC)
    fine = await worker.submit(ada, 1, played_at=(now - timedelta(minutes=2)).isoformat())
    assert fine.status_code == 200
    for at in (now - timedelta(hours=1), now + timedelta(minutes=1)):
        late = await worker.submit(ada, 1, played_at=at.isoformat())
        assert (late.status_code, late.json()["errors"][0]["field"]) == (422, "played_at")
    naive = await worker.submit(ada, 1, played_at="2026-01-01T00:00:00")
    assert naive.status_code == 422


async def test_concurrent_writers_lose_no_update(sandbox):
    """200 writers on 20 players, over two workers with two lanes each."""
    async with (
        sandbox.worker(writer_lanes=2, writer_max_batch=16) as one,
        sandbox.worker(writer_lanes=2, writer_max_batch=16) as two,
    ):
        players = await one.add_players(20)

        async def write(number: int) -> None:
            worker = (one, two)[number % 2]
            for step in range(5):
                answer = await worker.submit(players[(number + step) % 20], 1 + number)
                assert answer.status_code == 200, answer.text

        await asyncio.gather(*(write(number) for number in range(200)))
        expected = dict.fromkeys(players, 0)
        for number in range(200):
            for step in range(5):
                expected[players[(number + step) % 20]] += 1 + number
        for player, total in expected.items():
            assert (await two.rank(player))["score"] == total


async def test_batches_in_opposite_order_never_deadlock(sandbox):
    async with (
        sandbox.worker(writer_lanes=4, writer_max_batch=50) as one,
        sandbox.worker(writer_lanes=4, writer_max_batch=50) as two,
    ):
        players = await one.add_players(50)

        async def send(worker, order) -> None:
            for _ in range(10):
                body = {"submissions": [{"user_id": player, "score": 1} for player in order]}
                answer = await worker.client.post("/api/leaderboard/submit/batch", json=body)
                assert {each["status"] for each in answer.json()["results"]} == {"accepted"}

        await asyncio.gather(
            *(send(one, players) for _ in range(4)),
            *(send(two, players[::-1]) for _ in range(4)),
        )
        assert {each["total_score"] for each in await two.top()} == {80}
    connection = await sandbox.connect()
    deadlocks = await connection.fetchval(
        "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    )
    await connection.close()
    assert deadlocks == 0


@pytest.mark.parametrize("board", ["nope", "global&season=2"])
async def test_boards_and_seasons_that_are_not_there(worker, board):
    answer = await worker.client.get(f"/api/leaderboard/top?board={board}")
    assert answer.status_code == 404
    assert answer.json()["code"] in ("unknown-board", "unknown-season")
