"""A player's score and rank over time are what the ledger says they were."""

import asyncio
import random
from bisect import insort
from collections import defaultdict
from datetime import UTC, datetime, timedelta

import pytest

from app.services import history
from app.services.samples import BEST
from tests.conftest import Sandbox, Worker

POINT = {"at", "total_score", "rank", "total_players", "exact"}
JOIN = "INSERT INTO users (username) SELECT 'p' || n FROM generate_series(1, $1::int) n"
SESSIONS = "SELECT id, user_id, score FROM game_sessions ORDER BY id"
SAMPLES = "SELECT at, version FROM standings_samples ORDER BY at"


@pytest.fixture
async def quiet(sandbox, monkeypatch):
    """A worker that takes a sample only when it is told to, and draws every graph anew."""
    monkeypatch.setattr(history, "PAST_SECONDS", 0)
    async with sandbox.worker(sample_interval=3_600) as worker:
        yield worker


async def take_sample(worker: Worker) -> bool:
    return await worker.service.samplers[0].sample()


async def get(worker: Worker, user_id: int, **query) -> list[dict]:
    answer = await worker.client.get(f"/api/users/{user_id}/history", params=query)
    assert answer.status_code == 200, answer.text
    document = answer.json()
    assert (document["board"], document["season"], document["user_id"]) == ("global", 1, user_id)
    points = document["points"]
    assert all(set(each) == POINT for each in points)
    for each in points:
        each["at"] = datetime.fromisoformat(each["at"])
    moments = [each["at"] for each in points]
    assert moments == sorted(moments)
    assert len(points) <= query.get("points", 120)
    now = await worker.rank(user_id)
    last = points[-1]
    assert last.pop("at") <= datetime.now(UTC)
    assert last == {
        "total_score": now["score"],
        "rank": now["rank"],
        "total_players": now["total_players"],
        "exact": True,
    }
    last["at"] = moments[-1]
    return points


async def submit(worker: Worker, scores: list[tuple[int, int]]) -> None:
    body = [{"user_id": user_id, "score": score} for user_id, score in scores]
    for at in range(0, len(body), 1_000):
        answer = await worker.client.post(
            "/api/leaderboard/submit/batch", json={"submissions": body[at : at + 1_000]}
        )
        assert {each["status"] for each in answer.json()["results"]} == {"accepted"}


class Past:
    """Standings at any version, from the ledger alone and without any cleverness."""

    def __init__(self, sessions: list, *, descending: bool) -> None:
        self._sessions = [tuple(row) for row in sessions]
        self._sign = -1 if descending else 1

    def at(self, version: int) -> dict[int, tuple[int, int]]:
        """{player: (rank, total)}"""
        totals, reached = defaultdict(int), {}
        for session_id, user_id, score in self._sessions:
            if session_id > version:
                break
            totals[user_id] += score
            if score or user_id not in reached:
                reached[user_id] = session_id
        order = sorted(totals, key=lambda each: (self._sign * totals[each], reached[each]))
        return {user_id: (rank, totals[user_id]) for rank, user_id in enumerate(order, 1)}


async def check_past(sandbox: Sandbox, worker: Worker, looked_at: list[int]) -> list[bool]:
    """Every sample in these players' histories against the ledger. Which ones were exact."""
    connection = await sandbox.connect()
    past = Past(
        await connection.fetch(SESSIONS), descending=worker.service.boards.default.descending
    )
    then = {row["at"]: past.at(row["version"]) for row in await connection.fetch(SAMPLES)}
    await connection.close()
    exact = []
    for user_id in looked_at:
        points = await get(worker, user_id, points=500)
        seen = {each["at"]: each for each in points[:-1] if each["rank"] is not None}
        assert seen.keys() == {at for at, standings in then.items() if user_id in standings}
        for at, point in seen.items():
            rank, total = then[at][user_id]
            assert point["total_score"] == total
            assert point["total_players"] == len(then[at])
            if point["exact"] or rank <= BEST:
                assert (point["rank"], point["exact"]) == (rank, True)
            else:
                assert abs(point["rank"] - rank) <= rank * 0.005
            exact.append(point["exact"])
    return exact


@pytest.mark.parametrize("order", ["desc", "asc"])
async def test_ranks_are_what_they_were(sandbox, order):
    """More players than every one of whom is in a sample, with ties and games without a score."""
    connection = await sandbox.connect()
    await connection.execute("UPDATE boards SET sort_order = $1", order)
    await connection.execute(JOIN, 1_600)
    await connection.close()
    dice = random.Random(5)
    players = list(range(1, 1_601))
    async with sandbox.worker(sample_interval=3_600) as worker:
        await submit(worker, [(each, dice.randint(0, 400)) for each in players[:700]])
        assert await take_sample(worker)
        await submit(worker, [(each, dice.randint(0, 400)) for each in players[700:]])
        for _ in range(12):
            assert await take_sample(worker)
            some = dice.sample(players, 150)
            await submit(worker, [(each, dice.choice([-40, 0, 0, 7, 90])) for each in some])
        looked_at = dice.sample(players[:700], 20) + dice.sample(players[700:], 20)
        exact = await check_past(sandbox, worker, looked_at)
        assert 0.3 < sum(exact) / len(exact) < 0.9


async def test_a_rank_drifts_while_others_play(quiet):
    ada, *others = await quiet.add_players(6)
    await quiet.submit(ada, 100)
    for each in others:
        await take_sample(quiet)
        await quiet.submit(each, 1_000)
    points = await get(quiet, ada)
    assert [each["rank"] for each in points] == [None, 1, 2, 3, 4, 5, 6]
    assert [each["total_players"] for each in points] == [None, 1, 2, 3, 4, 5, 6]
    assert {each["total_score"] for each in points} == {100}
    assert [each["exact"] for each in points] == [False] + [True] * 6


async def test_a_player_who_has_just_begun_has_a_line(quiet):
    ada, bo = await quiet.add_players(2)
    await quiet.submit(bo, 5)
    await take_sample(quiet)
    for score in (1, 0, 10):
        await quiet.submit(ada, score)
        await asyncio.sleep(0.05)
    points = await get(quiet, ada)
    assert [each["total_score"] for each in points] == [1, 1, 11, 11]
    assert [each["rank"] for each in points] == [None, None, None, 1]
    # One game is a line too: from there to now.
    assert [each["total_score"] for each in await get(quiet, bo)] == [5, 5, 5]


async def test_the_moment_of_a_score_stays_when_nothing_was_scored(quiet):
    ada, bo = await quiet.add_players(2)
    await quiet.submit(ada, 0)
    await quiet.submit(bo, 0)
    await quiet.submit(ada, 0, won=True)
    await take_sample(quiet)
    await quiet.submit(ada, 5)
    await quiet.submit(ada, -5)
    await take_sample(quiet)
    first, second, _ = (each["rank"] for each in await get(quiet, ada) if each["rank"])
    assert (first, second) == (1, 2)


async def test_a_player_who_was_away_had_no_rank(quiet):
    ada, bo = await quiet.add_players(2)
    await quiet.submit(ada, 10)
    await quiet.submit(bo, 5)
    await take_sample(quiet)
    for active in (False, True):
        answer = await quiet.client.patch(f"/api/users/{ada}", json={"is_active": active})
        assert answer.status_code == 200
        await take_sample(quiet)
        if not active:
            gone = await quiet.client.get(f"/api/users/{ada}/history")
            assert (gone.status_code, gone.json()["code"]) == (404, "not-ranked")
    points = [each for each in await get(quiet, ada) if each["total_players"]]
    assert [(each["rank"], each["total_players"]) for each in points] == [
        (1, 2), (None, 1), (1, 2), (1, 2),
    ]  # fmt: skip
    points = [each for each in await get(quiet, bo) if each["total_players"]]
    assert [each["rank"] for each in points] == [2, 1, 2, 2]


async def spread(sandbox: Sandbox, step: timedelta) -> list[datetime]:
    """Puts the samples, in their order, so far apart that the last one was just now. Their times;
    the games move along."""
    connection = await sandbox.connect()
    rows = await connection.fetch(SAMPLES)
    now = await connection.fetchval("SELECT now()")
    times = [now - (len(rows) - 1 - number) * step for number in range(len(rows))]
    for (at, _), moved in zip(rows, times, strict=True):
        await connection.execute("UPDATE standings_samples SET at = $2 WHERE at = $1", at, moved)
    await connection.execute(
        "UPDATE game_sessions SET timestamp = timestamp - $1::interval", step * len(rows)
    )
    await connection.close()
    return times


async def test_ranges(sandbox, quiet):
    """Each has what was sampled in it, and the one sample before that."""
    ada, bo = await quiet.add_players(2)
    await quiet.submit(ada, 1)
    for score in range(30):
        await quiet.submit(bo, score)
        await take_sample(quiet)
    times = await spread(sandbox, timedelta(minutes=4))
    for name, count in (("hour", 16), ("day", 30), ("week", 30), ("month", 30), ("all", 30)):
        points = await get(quiet, ada, range=name)
        sampled = [each["at"] for each in points[:-1] if each["rank"] is not None]
        assert sampled == times[-count:], name
    few = await get(quiet, ada, range="all", points=10)
    assert len(few) >= 8
    assert few[0]["at"] < times[3]
    assert few[-2]["at"] >= times[-4]
    # After many quiet hours the last sample still tells how things stood.
    connection = await sandbox.connect()
    await connection.execute("UPDATE standings_samples SET at = at - interval '20 days'")
    await connection.execute("UPDATE game_sessions SET timestamp = timestamp - interval '20 days'")
    await connection.close()
    points = await get(quiet, ada, range="week")
    assert [each["rank"] for each in points] == [2, 2]
    assert points[0]["at"] == times[-1] - timedelta(days=20)


async def test_many_games_are_thinned(quiet):
    (ada,) = await quiet.add_players(1)
    for _ in range(40):
        await quiet.submit(ada, 1)
        await asyncio.sleep(0.002)
    totals = [each["total_score"] for each in await get(quiet, ada, points=10)]
    assert totals == sorted(totals)
    assert totals[-2:] == [40, 40]
    assert len(totals) <= 10


async def test_a_game_that_was_played_before_the_last_sample(quiet):
    """It comes after the sample that doesn't have it: no total goes up and down again."""
    (ada,) = await quiet.add_players(1)
    await quiet.submit(ada, 1)
    await take_sample(quiet)
    played = datetime.now(UTC) - timedelta(minutes=2)
    await quiet.submit(ada, 10, played_at=played.isoformat())
    points = await get(quiet, ada)
    assert [each["total_score"] for each in points] == [1, 1, 11, 11]
    await take_sample(quiet)
    points = await get(quiet, ada)
    assert [each["total_score"] for each in points] == [1, 1, 11, 11, 11]


async def test_games_of_a_board(sandbox):
    connection = await sandbox.connect()
    await connection.execute(
        "WITH board AS (INSERT INTO boards (slug, name, game_modes) VALUES ('races', 'Races', "
        "'{race}') RETURNING id) INSERT INTO seasons (board_id, number) SELECT id, 1 FROM board"
    )
    await connection.close()
    async with sandbox.worker(sample_interval=3_600) as worker:
        ada, bo = await worker.add_players(2)
        await worker.submit(ada, 5, game_mode="race")
        await worker.submit(ada, 50, game_mode="duel")
        await worker.submit(bo, 20, game_mode="race")
        for sampler in worker.service.samplers:
            assert await sampler.sample()
        answer = await worker.client.get(f"/api/users/{ada}/history?board=races&season=1")
        points = answer.json()["points"]
        assert answer.json()["board"] == "races"
        assert [(each["total_score"], each["rank"]) for each in points] == [
            (5, None), (5, 2), (5, 2),
        ]  # fmt: skip
        assert [each["rank"] for each in await get(worker, ada)][-2:] == [1, 1]


async def test_without_the_index(quiet):
    ada, bo = await quiet.add_players(2)
    await quiet.submit(ada, 1)
    await take_sample(quiet)
    await quiet.submit(bo, 2)
    url = f"/api/users/{ada}/history"
    by_index = await quiet.client.get(url)
    quiet.standings.index.distrust("test")
    by_sql = await quiet.client.get(url)
    assert by_index.headers["leaderboard-source"] == "index"
    assert by_sql.headers["leaderboard-source"] == "database"
    ranks = [[each["rank"] for each in answer.json()["points"]] for answer in (by_index, by_sql)]
    assert ranks == [[None, 1, 2]] * 2


async def test_a_sample_that_cannot_be_read_is_left_out(sandbox, quiet):
    (ada,) = await quiet.add_players(1)
    await quiet.submit(ada, 1)
    await take_sample(quiet)
    connection = await sandbox.connect()
    for broken in ("players = 5", "players = 1, members = 'xx'"):
        await connection.execute(f"UPDATE standings_samples SET {broken}")
        assert [each["rank"] for each in await get(quiet, ada)] == [None, 1]
    await connection.close()


async def test_samples_are_read_once(quiet, monkeypatch):
    monkeypatch.setattr(history, "KEPT", 3)
    ada, bo = await quiet.add_players(2)
    for score in range(5):
        await quiet.submit(ada, score)
        await quiet.submit(bo, score)
        await take_sample(quiet)
    for _ in range(2):
        assert len(await get(quiet, ada)) >= 6
        assert len(await get(quiet, bo)) >= 6
        assert len(quiet.service.histories._kept) == 3


def test_slots():
    start = datetime(2026, 1, 1, tzinfo=UTC)
    end = start + timedelta(hours=1)
    taken = []
    for minute in range(-3, 60):
        insort(taken, history.Taken(start + timedelta(minutes=minute), minute))
    kept = history.thin(taken, start, end, 6)
    assert [each.version for each in kept] == [-1, 9, 19, 29, 39, 49, 59]
    assert history.thin(taken, start, end, 63) == taken
    assert history.slots(start, end, 0) == history.slots(start, end, -1) == []
    assert history.slots(start, end, 2) == [start, start + timedelta(minutes=30)]
