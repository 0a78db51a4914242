"""The writer under locks, races and faults, each forced by a transaction or a connection of the
test's own."""

import asyncio
import os
import signal
import time
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

from app.core.connection import ServiceTransaction
from app.core.database import create_engine, is_away, raw_connection
from app.core.errors import DatabaseAway, InternalError, Overloaded
from app.services import sql_standings, standings
from app.services.rank_index.index import RankIndex
from app.services.submissions import Submission
from app.services.submit import answers, transactions
from app.services.submit.transactions import Transactions
from app.services.verify import verify

BOARDS = """
WITH board AS (
    INSERT INTO boards (slug, name, game_modes, sort_order, is_private)
    VALUES ('races', 'Races', '{race}', 'asc', false), ('duels', 'Duels', '{duel}', 'desc', false),
           ('secret', 'Secret', '{duel}', 'desc', true)
    RETURNING id
)
INSERT INTO seasons (board_id, number) SELECT id, 1 FROM board
"""


async def agrees(sandbox) -> None:
    found: list[str] = []
    assert await verify(sandbox.settings, found.append) == 0, found


@asynccontextmanager
async def holding(sandbox, statement: str, *arguments: object):
    """Somebody else's transaction, from its statement on to the end of the block."""
    connection = await sandbox.connect()
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute(statement, *arguments)
    try:
        yield connection
    finally:
        if not connection.is_closed():
            await transaction.rollback()
            await connection.close()


def hold_player(sandbox, user_id: int):
    return holding(sandbox, "SELECT FROM users WHERE id = $1 FOR UPDATE", user_id)


async def count(sandbox, query: str = "SELECT count(*) FROM game_sessions") -> int:
    connection = await sandbox.connect()
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def waiting_for_locks(sandbox, number: int) -> None:
    """Returns once so many of the service's transactions wait for a lock."""
    connection = await sandbox.connect()
    async with asyncio.timeout(10):
        while number > await connection.fetchval(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE datname = current_database() AND wait_event_type = 'Lock'"
        ):
            await asyncio.sleep(0.005)
    await connection.close()


def batch_of(worker, *items: dict, **headers: str):
    return worker.client.post(
        "/api/leaderboard/submit/batch", json={"submissions": list(items)}, headers=headers
    )


# Locks


async def test_a_locked_player_holds_up_nobody_else(sandbox, monkeypatch):
    commit, together = Transactions.commit, []

    async def seen(self, items, deadline, *, skip_locked=False):
        players = {item.submission.user_id for item in items}
        if ada in players and len(players) > 1 and not skip_locked:
            together.append(players)
        return await commit(self, items, deadline, skip_locked=skip_locked)

    monkeypatch.setattr(Transactions, "commit", seen)
    async with sandbox.worker(database_lock_timeout=0.1, write_timeout=3) as worker:
        ada, bo, cy = await worker.add_players(3)
        async with hold_player(sandbox, ada):
            stuck = asyncio.create_task(worker.submit(ada, 1))
            for number in range(10):
                more = asyncio.create_task(worker.submit(ada, 2))
                answer = await worker.submit((bo, cy)[number % 2], 1)
                assert answer.status_code == 200
            refused = await stuck
            assert (refused.status_code, refused.json()["code"]) == (503, "busy")
            assert refused.headers["retry-after"] == "1"
            assert (await more).status_code == 503
        # Once it is known who is locked, no other player's score waits with that one.
        assert len(together) <= 1
        assert (await worker.submit(ada, 3)).json()["boards"]["global"]["total_score"] == 3
        assert (await worker.rank(bo))["score"] == 5
        # Free again: the usual way is open.
        assert ada not in worker.service.writer._aside
    await agrees(sandbox)


async def test_a_locked_players_scores_keep_their_order(sandbox):
    async with sandbox.worker(database_lock_timeout=0.05) as worker:
        ada, bo = await worker.add_players(2)
        async with hold_player(sandbox, ada):
            sent = [asyncio.create_task(worker.submit(ada, 1))]
            await waiting_for_locks(sandbox, 1)
            for score in range(2, 6):
                sent.append(asyncio.create_task(worker.submit(ada, score)))
                assert (await worker.submit(bo, 1)).status_code == 200
        answers_ = [await each for each in sent]
        assert [each.status_code for each in answers_] == [200] * 5
        sessions = [each.json()["session_id"] for each in answers_]
        assert sessions == sorted(sessions)
        totals = [each.json()["boards"]["global"]["total_score"] for each in answers_]
        assert totals == [1, 3, 6, 10, 15]


async def test_a_locked_row_of_a_board_holds_up_nobody_else(sandbox, monkeypatch):
    """The batch is written without that player at once, not in halves that wait one by one."""
    commit, sizes = Transactions.commit, set()

    async def seen(self, items, deadline, *, skip_locked=False):
        sizes.add(len(items))
        return await commit(self, items, deadline, skip_locked=skip_locked)

    monkeypatch.setattr(Transactions, "commit", seen)
    async with sandbox.worker(database_lock_timeout=0.05, write_timeout=4) as worker:
        ada, *others = await worker.add_players(8)
        for player in (ada, *others):
            await worker.submit(player, 1)
        lock = "SELECT FROM leaderboard WHERE user_id = $1 FOR UPDATE"
        async with holding(sandbox, lock, ada):
            items = [{"user_id": player, "score": 1} for player in (ada, *others)]
            results = (await batch_of(worker, *items)).json()["results"]
            assert results[0]["problem"]["code"] == "busy"
            assert {each["status"] for each in results[1:]} == {"accepted"}
        assert sizes == {1, 8}
        assert (await worker.submit(ada, 1)).status_code == 200


async def test_what_else_waits_for_a_locked_player_is_told_so(sandbox):
    async with sandbox.worker(database_lock_timeout=0.05) as worker:
        (ada,) = await worker.add_players(1)
        async with hold_player(sandbox, ada):
            answer = await worker.client.patch(f"/api/users/{ada}", json={"username": "Nova"})
            assert (answer.status_code, answer.json()["code"]) == (503, "busy")


async def test_a_silent_transaction_ends_by_itself(sandbox):
    """A worker that is stopped within a transaction lets go of its players."""
    engine = create_engine(sandbox.make_settings(database_timeout=0.3))
    async with sandbox.worker() as worker:
        (ada,) = await worker.add_players(1)
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)) as ended:
            async with raw_connection(engine) as connection, connection.transaction():
                await connection.execute("SELECT FROM users WHERE id = $1 FOR UPDATE", ada)
                assert await connection.fetchval("SHOW client_connection_check_interval") == "1s"
                assert (await worker.submit(ada, 1)).status_code == 200
                await connection.execute("SELECT 1")
        assert is_away(ended.value)
    await engine.dispose()


async def test_event_ids_are_drawn_after_the_players_locks(sandbox):
    """Worker one waits for Ada's row with a batch of Ada and Bo, while worker two writes Bo: Bo's
    later score must have the later number, or the index would not take it."""
    async with (
        sandbox.worker(database_lock_timeout=20) as one,
        sandbox.worker(database_lock_timeout=20) as two,
    ):
        ada, bo = await one.add_players(2)
        assert ada < bo
        async with hold_player(sandbox, ada):
            late = asyncio.create_task(
                batch_of(one, {"user_id": ada, "score": 5}, {"user_id": bo, "score": 7})
            )
            await waiting_for_locks(sandbox, 1)
            early = (await two.submit(bo, 1)).json()
            assert early["new_rank"] == 1
        results = (await late).json()["results"]
        assert results[0]["session_id"] > early["session_id"]
        assert results[1]["session_id"] > early["session_id"]
        for worker in (one, two):
            assert (await worker.rank(bo))["score"] == 8
    await agrees(sandbox)


# Keys


async def test_two_transactions_meet_at_one_new_key(sandbox):
    """The key is claimed by a transaction that has not ended when another player brings it."""
    async with sandbox.worker(database_lock_timeout=20) as worker:
        ada, bo = await worker.add_players(2)
        probe = await worker.submit(ada, 1, key="probe")
        connection = await sandbox.connect()
        row = await connection.fetchrow("DELETE FROM submission_keys RETURNING *")
        await connection.close()
        claim = "INSERT INTO submission_keys (key_hash, body_hash, session_id) VALUES ($1, $2, $3)"
        held = (row["key_hash"], b"another body", probe.json()["session_id"])
        async with holding(sandbox, claim, *held) as other:
            late = asyncio.create_task(worker.submit(bo, 1, key="probe"))
            await waiting_for_locks(sandbox, 1)
            await other.execute("COMMIT")
        answer = await late
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency-mismatch")
        assert await count(sandbox) == 1
        assert await count(sandbox, "SELECT count(*) FROM submission_keys") == 1


@pytest.mark.parametrize("fate", ["window", "deactivated", "duration"])
async def test_what_was_stored_is_answered_whatever_the_rules_say_now(sandbox, fate):
    now = datetime.now(UTC)
    body = {"played_at": (now - timedelta(seconds=30)).isoformat(), "duration_ms": 9_000}
    async with sandbox.worker() as worker:
        (ada,) = await worker.add_players(1)
        first = (await worker.submit(ada, 5, key="k", **body)).json()
    changes = {"window": {"played_at_window": 1}, "duration": {"max_duration_ms": 1_000}}
    async with sandbox.worker(**changes.get(fate, {})) as worker:
        if fate == "deactivated":
            await worker.client.patch(f"/api/users/{ada}", json={"is_active": False})
        again = await worker.submit(ada, 5, key="k", **body)
        assert again.status_code == 200, again.text
        assert again.json()["session_id"] == first["session_id"]
        assert again.json()["message"].startswith("Already recorded")
        assert (again.json()["new_rank"] is None) is (fate == "deactivated")
        # The rule holds for all that was not stored.
        other = await worker.submit(ada, 5, key="other", **body)
        assert other.status_code in (409, 422)
        mismatch = await worker.submit(ada, 6, key="k", **body)
        assert mismatch.json()["code"] == "idempotency-mismatch"
        assert await count(sandbox) == 1


async def test_repeats_of_a_batch_share_one_call_of_the_index(sandbox, monkeypatch):
    async with sandbox.worker(sweep_interval=60) as worker:
        players = await worker.add_players(60)
        items = [
            {"user_id": player, "score": player, "submission_id": f"s{player}"}
            for player in players
        ]
        first = (await batch_of(worker, *items)).json()["results"]
        calls = []
        call = RankIndex.call

        async def counted(index, script, *args):
            calls.append(script)
            return await call(index, script, *args)

        monkeypatch.setattr(RankIndex, "call", counted)
        again = (await batch_of(worker, *items)).json()["results"]
        assert calls.count("apply") == 1
        assert "ranks" not in calls
        assert [each["session_id"] for each in again] == [each["session_id"] for each in first]
        assert {each["replayed"] for each in again} == {True}
        ranks = [each["new_rank"] for each in again]
        assert ranks == list(range(60, 0, -1))


async def test_a_repeat_is_never_told_a_rank_older_than_its_score(sandbox, monkeypatch):
    """The first worker committed and has not told the index when the repeat comes to the second."""
    async with sandbox.worker() as one, sandbox.worker() as two:
        ada, bo = await one.add_players(2)
        await one.submit(bo, 5)
        apply, held, let_go = RankIndex.apply, asyncio.Event(), asyncio.Event()

        async def slow(index, folds):
            if index is one.standings.index:
                held.set()
                await let_go.wait()
            return await apply(index, folds)

        monkeypatch.setattr(RankIndex, "apply", slow)
        first = asyncio.create_task(one.submit(ada, 9, key="k"))
        await held.wait()
        again = (await two.submit(ada, 9, key="k")).json()
        assert (again["replayed"], again["new_rank"], again["total_players"]) == (True, 1, 2)
        let_go.set()
        assert (await first).json()["session_id"] == again["session_id"]


# Failures between the worker and PostgreSQL


@pytest.mark.parametrize("is_stored", [False, True])
async def test_a_connection_that_dies_at_commit_is_not_tried_again(sandbox, monkeypatch, is_stored):
    """Without a key it must not be: PostgreSQL may have committed, and only the answer is lost."""
    async with sandbox.worker() as worker:
        (ada,) = await worker.add_players(1)
        commit = ServiceTransaction.commit

        async def cut(transaction):
            if is_stored:
                await commit(transaction)
            connection = transaction._owner
            other = await sandbox.connect()
            await other.execute("SELECT pg_terminate_backend($1)", connection.get_server_pid())
            await other.close()
            await connection.execute("SELECT 1" if is_stored else "COMMIT")

        with monkeypatch.context() as patched:
            patched.setattr(ServiceTransaction, "commit", cut)
            answer = await worker.submit(ada, 5)
        assert (answer.status_code, answer.json()["code"]) == (503, "database-unavailable")
        assert "not known" in answer.json()["detail"]
        assert await count(sandbox) == is_stored


async def test_a_connection_that_dies_before_commit_is_replaced(sandbox, monkeypatch):
    """Nothing can be stored before COMMIT is sent, so the batch is tried again."""
    async with sandbox.worker() as worker:
        (ada,) = await worker.add_players(1)
        store = Transactions._store

        async def cut(self, connection, batch):
            monkeypatch.setattr(Transactions, "_store", store)
            connection.terminate()
            await store(self, connection, batch)

        monkeypatch.setattr(Transactions, "_store", cut)
        assert (await worker.submit(ada, 5)).status_code == 200
        assert await count(sandbox) == 1


async def test_one_score_that_the_database_refuses_fails_alone(sandbox):
    async with sandbox.worker() as worker:
        players = await worker.add_players(7)
        connection = await sandbox.connect()
        await connection.execute(
            "ALTER TABLE game_sessions ADD CONSTRAINT test_no_13 CHECK (score <> 13)"
        )
        await connection.close()
        scores = [1, 2, 3, 13, 5, 6, 7]
        items = [{"user_id": p, "score": s} for p, s in zip(players, scores, strict=True)]
        results = (await batch_of(worker, *items)).json()["results"]
        statuses = [each["status"] for each in results]
        assert statuses == ["accepted"] * 3 + ["rejected"] + ["accepted"] * 3
        assert results[3]["problem"]["code"] == "internal-error"
        assert await count(sandbox) == 6
        refused = worker.service.writer.written.refused
        assert refused == {"internal-error": 1}
    await agrees(sandbox)


def processes_of(servers) -> list[int]:
    """PostgreSQL's processes, the postmaster first."""
    pid = servers.postgres.pid
    return [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]


@contextmanager
def frozen(servers):
    pids = processes_of(servers)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds processes through /proc")
async def test_a_frozen_database_is_told_of_in_time(sandbox, servers):
    """Connecting, waiting for a connection, statements and tries share one deadline."""
    async with sandbox.worker(write_timeout=1, database_pool_size=2) as worker:
        (ada,) = await worker.add_players(1)
        with frozen(servers):
            started = time.perf_counter()
            sent = [asyncio.create_task(worker.submit(ada, 1)) for _ in range(3)]
            await asyncio.sleep(0.3)
            sent += [asyncio.create_task(worker.submit(ada, 1)) for _ in range(3)]
            health = worker.client.get("/api/leaderboard/health")
            assert (await asyncio.wait_for(health, 9)).status_code == 503
            for each in sent:
                answer = await each
                assert (answer.status_code, answer.json()["code"]) == (503, "database-unavailable")
            assert time.perf_counter() - started < 10
        async with asyncio.timeout(10):
            while (await worker.submit(ada, 1)).status_code != 200:
                await asyncio.sleep(0.05)
    await agrees(sandbox)


async def test_connections_that_the_server_closed_are_noticed_before_use(sandbox):
    async with sandbox.worker() as worker:
        (ada,) = await worker.add_players(1)
        await asyncio.gather(*(worker.client.get(f"/api/users/{ada}") for _ in range(9)))
        connection = await sandbox.connect()
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await connection.close()
        await asyncio.sleep(0.1)
        assert (await worker.submit(ada, 1)).status_code == 200
        for _ in range(9):
            assert (await worker.client.get(f"/api/users/{ada}")).status_code == 200


# Ranks that can't be told


async def test_a_stored_score_is_answered_within_a_second_without_its_rank(sandbox, monkeypatch):
    """Redis is silent and SQL takes its time: durability waits for neither."""
    async with sandbox.worker(redis_timeout=30, sweep_interval=60) as worker:
        (ada,) = await worker.add_players(1)
        await worker.submit(ada, 1)
        apply = RankIndex.apply

        async def silent(*_):
            monkeypatch.setattr(RankIndex, "apply", apply)  # whoever comes next is answered
            await asyncio.sleep(30)

        monkeypatch.setattr(answers, "RANK_SECONDS", 0.2)
        monkeypatch.setattr(RankIndex, "apply", silent)
        started = time.perf_counter()
        answer = await worker.submit(ada, 2)
        assert time.perf_counter() - started < 20
        told = answer.json()
        assert answer.status_code == 200
        assert (told["new_rank"], told["rank_change"], told["total_players"]) == (None, None, None)
        assert told["boards"]["global"]["total_score"] == 3
        assert told["message"] == ("Stored. The rank can't be told now. There is nothing to retry.")
        assert worker.standings.index.doubts > 1
        assert (await worker.rank(ada))["score"] == 3
        assert worker.service.writer.written.unranked == 1
        await agrees(sandbox)


async def away(index, folds):
    from app.services.rank_index.index import IndexAway

    raise IndexAway("away")


async def test_an_old_player_is_not_welcomed_while_redis_is_away(sandbox, monkeypatch):
    async with sandbox.worker() as worker:
        ada, bo = await worker.add_players(2)
        await worker.submit(ada, 5)
        # SQL may take its time on a machine that is busy.
        monkeypatch.setattr(sql_standings, "QUICK_SECONDS", 30)
        monkeypatch.setattr(standings, "RANK_PATIENCE", 30)
        monkeypatch.setattr(answers, "RANK_SECONDS", 30)
        monkeypatch.setattr(RankIndex, "apply", away)
        told = (await worker.submit(ada, 1)).json()
        assert (told["new_rank"], told["rank_change"], told["total_players"]) == (1, None, 1)
        assert told["message"] == "Stored. You are at rank 1 of 1."
        told = (await worker.submit(bo, 1)).json()
        assert (told["new_rank"], told["rank_change"]) == (2, 0)
        assert told["message"] == "Welcome to the board at rank 2 of 2."


async def test_a_defect_behind_the_commit_says_that_the_score_is_stored(sandbox, monkeypatch):
    """Sent without a key: whoever is told to retry would count twice."""
    async with sandbox.worker() as worker:
        (ada,) = await worker.add_players(1)

        async def broken(*_):
            raise ZeroDivisionError

        monkeypatch.setattr(RankIndex, "apply", broken)
        answer = await worker.submit(ada, 5)
        assert answer.status_code == 200
        assert "Stored." in answer.json()["message"]
        assert "nothing to retry" in answer.json()["message"]


async def test_a_defect_at_one_board_keeps_no_score_from_the_others(sandbox, monkeypatch):
    connection = await sandbox.connect()
    await connection.execute(BOARDS)
    await connection.close()
    async with sandbox.worker() as worker:
        (ada,) = await worker.add_players(1)
        apply = RankIndex.apply

        async def broken_once(index, folds):
            if index.board.slug == "global":
                monkeypatch.setattr(RankIndex, "apply", apply)
                raise ZeroDivisionError
            return await apply(index, folds)

        doubts = worker.standings.index.doubts
        monkeypatch.setattr(answers, "RANK_SECONDS", 30)
        monkeypatch.setattr(RankIndex, "apply", broken_once)
        told = (await worker.submit(ada, 5, game_mode="race")).json()
        assert told["boards"]["races"]["new_rank"] == 1
        assert told["boards"]["global"]["new_rank"] is None
        # What is missing in the first board's index is not read from it.
        assert worker.standings.index.doubts > doubts
        assert (await worker.rank(ada))["score"] == 5
        await worker.ready()
    await agrees(sandbox)


async def test_a_change_is_not_told_if_the_answer_that_knew_it_was_lost(sandbox, monkeypatch):
    """The connection died after Redis had taken the score: what is asked again finds it there."""
    async with sandbox.worker() as worker:
        ada, bo = await worker.add_players(2)
        await worker.submit(ada, 5)
        await worker.submit(bo, 1)
        apply = RankIndex.apply

        async def asked_again(index, folds):
            await apply(index, folds)
            return await apply(index, folds)

        monkeypatch.setattr(answers, "RANK_SECONDS", 30)
        monkeypatch.setattr(RankIndex, "apply", asked_again)
        told = (await worker.submit(bo, 9)).json()
        assert (told["new_rank"], told["rank_change"]) == (1, None)
        assert told["message"] == "Stored. You are at rank 1 of 2."


# Boards


async def test_a_game_that_does_not_count_for_the_default_board(sandbox):
    connection = await sandbox.connect()
    await connection.execute(BOARDS)
    await connection.execute("UPDATE boards SET game_modes = '{ranked}' WHERE slug = 'global'")
    await connection.close()
    async with sandbox.worker() as worker:
        (ada,) = await worker.add_players(1)
        duel = await worker.submit(ada, 7, game_mode="duel")
        told = duel.json()
        assert duel.status_code == 200
        assert (told["new_rank"], told["rank_change"], told["total_players"]) == (None, None, None)
        assert told["boards"] == {
            slug: {"new_rank": 1, "rank_change": 0, "total_score": 7, "is_new_best": True}
            for slug in ("duels", "secret")
        }
        assert told["message"] == "Welcome to the board at rank 1 of 1 on board duels."
        nowhere = await worker.submit(ada, 7, game_mode="chess")
        assert (nowhere.status_code, nowhere.json()["boards"]) == (200, {})
        assert nowhere.json()["message"] == "Stored. This game counts for no board."
    await agrees(sandbox)


async def test_a_receipt_with_several_boards(sandbox):
    """Ranks and changes are each board's own; on an ascending one less is better."""
    connection = await sandbox.connect()
    await connection.execute(BOARDS)
    await connection.close()
    async with sandbox.worker() as worker:
        ada, bo, cy = await worker.add_players(3)
        for player, score in ((ada, 10), (bo, 20), (cy, 30)):
            await worker.submit(player, score, game_mode="race")
        told = (await worker.submit(cy, -25, game_mode="race")).json()
        assert (told["new_rank"], told["rank_change"]) == (3, -2)
        assert told["boards"] == {
            "global": {"new_rank": 3, "rank_change": -2, "total_score": 5, "is_new_best": False},
            "races": {"new_rank": 1, "rank_change": 2, "total_score": 5, "is_new_best": True},
        }
        rank = (await worker.client.get(f"/api/leaderboard/rank/{cy}?board=races")).json()
        assert (rank["rank"], rank["score"]) == (1, 5)
        around = await worker.client.get(f"/api/leaderboard/around/{cy}?board=races&radius=1")
        entries = [(each["user_id"], each["total_score"]) for each in around.json()["entries"]]
        assert entries == [(cy, 5), (ada, 10)]


async def test_a_receipt_keeps_private_boards_to_itself(sandbox):
    connection = await sandbox.connect()
    await connection.execute(BOARDS)
    await connection.close()
    async with sandbox.worker() as worker:
        (ada,) = await worker.add_players(1)
        from app.services.submissions import Submission

        receipt = await worker.service.writer.submit(Submission(ada, 3, "duel"))
        assert set(receipt.boards) == {"global", "duels", "secret"}
        shown = receipt.without({"secret"})
        assert set(shown.boards) == {"global", "duels"}


async def test_the_last_of_a_players_scores_in_a_batch_carries_the_change(worker):
    ada, bo, cy = await worker.add_players(3)
    for player, score in ((ada, 10), (bo, 20)):
        await worker.submit(player, score)
    items = [
        {"user_id": ada, "score": 5},
        {"user_id": cy, "score": 1},
        {"user_id": ada, "score": 50},
        {"user_id": cy, "score": 1},
    ]
    results = (await batch_of(worker, *items)).json()["results"]
    assert [(each["new_rank"], each["rank_change"]) for each in results] == [
        (1, 0),
        (3, 0),
        (1, 1),
        (3, 0),
    ]
    totals = [each["boards"]["global"]["total_score"] for each in results]
    assert totals == [15, 1, 65, 2]
    welcomed = [each["message"].startswith("Welcome") for each in results]
    assert welcomed == [False, False, False, True]


async def test_the_events_of_a_batch_are_numbered_in_the_order_of_its_items(sandbox):
    """The number is the moment, so of two equal totals the first one in the batch stands above."""
    async with sandbox.worker() as worker:
        ada, bo = await worker.add_players(2)
        items = [{"user_id": player, "score": score} for player, score in ((bo, 5), (ada, 5))]
        results = (await batch_of(worker, *items, *items)).json()["results"]
        sessions = [each["session_id"] for each in results]
        assert sessions == sorted(sessions)
        assert [each["user_id"] for each in await worker.top()] == [bo, ada]
    await agrees(sandbox)


async def test_a_first_score_of_nothing_ranks_a_player(worker):
    ada, bo = await worker.add_players(2)
    await worker.submit(bo, -1)
    told = (await worker.submit(ada, 0)).json()
    assert (told["new_rank"], told["rank_change"], told["total_players"]) == (1, 0, 2)
    assert told["message"].startswith("Welcome")
    assert (await worker.rank(ada))["score"] == 0
    assert [each["user_id"] for each in await worker.top()] == [ada, bo]


async def test_a_score_of_one_season_leaves_the_other_as_it_was(sandbox):
    connection = await sandbox.connect()
    async with sandbox.worker() as worker:
        (ada,) = await worker.add_players(1)
        await worker.submit(ada, 5)
    await connection.execute("INSERT INTO seasons (board_id, number) VALUES (1, 2)")
    async with sandbox.worker() as worker:
        told = (await worker.submit(ada, 7)).json()
        assert (told["rank_change"], told["boards"]["global"]["total_score"]) == (0, 7)
        await worker.submit(ada, 2)  # the season's row is there by now
        assert (await worker.rank(ada))["score"] == 9
    rows = await connection.fetch(
        "SELECT season, total_score, games_played FROM leaderboard ORDER BY season"
    )
    await connection.close()
    assert [tuple(row) for row in rows] == [(1, 5, 1), (2, 9, 2)]


# Played at some time before


async def test_an_old_game_whose_worker_died_before_the_index_is_swept_up(sandbox, monkeypatch):
    async with sandbox.worker(played_at_window=600) as worker:
        ada, bo = await worker.add_players(2)
        await worker.submit(ada, 5)
        apply = RankIndex.apply

        async def dies(index, folds):
            raise asyncio.CancelledError

        monkeypatch.setattr(RankIndex, "apply", dies)
        at = (datetime.now(UTC) - timedelta(minutes=9)).isoformat()
        lost = asyncio.create_task(worker.submit(bo, 9, played_at=at))
        while await count(sandbox) < 2:
            await asyncio.sleep(0.01)
        monkeypatch.setattr(RankIndex, "apply", apply)
        lost.cancel()
        async with asyncio.timeout(5):
            while [each["user_id"] for each in await worker.top()] != [bo, ada]:
                await asyncio.sleep(0.05)
    await agrees(sandbox)


# Back-pressure


async def test_a_full_queue_refuses_and_goes_on(sandbox):
    async with sandbox.worker(
        writer_max_queue=5, writer_max_batch=2, database_lock_timeout=20
    ) as worker:
        ada, bo = await worker.add_players(2)
        async with hold_player(sandbox, ada):
            first = asyncio.create_task(worker.submit(ada, 1))
            await waiting_for_locks(sandbox, 1)
            queued = [asyncio.create_task(worker.submit(bo, 1)) for _ in range(5)]
            while worker.service.writer.queued < 5:
                await asyncio.sleep(0.005)
            refused = await worker.submit(bo, 1)
            assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
            assert refused.headers["retry-after"] == "1"
            whole = await batch_of(worker, {"user_id": bo, "score": 1})
            assert (whole.status_code, whole.json()["code"]) == (503, "overloaded")
        for each in (first, *queued):
            assert (await each).status_code == 200
        too_many = await batch_of(worker, *[{"user_id": bo, "score": 1}] * 6)
        assert (too_many.status_code, too_many.json()["code"]) == (503, "overloaded")
        fits = await batch_of(worker, *[{"user_id": bo, "score": 1}] * 5)
        assert {each["status"] for each in fits.json()["results"]} == {"accepted"}
        assert (await worker.rank(bo))["score"] == 10


async def test_scores_of_locked_players_count_for_the_bound_of_the_queue(sandbox):
    async with sandbox.worker(writer_max_queue=3) as worker:
        ada, bo = await worker.add_players(2)
        writer = worker.service.writer
        items = [writer.item(Submission(ada, 1, "x")) for _ in range(3)]
        writer._put_aside(items)
        with pytest.raises(Overloaded):
            writer.submit(Submission(bo, 1, "x"))
        assert len({(await item.receipt).session_id for item in items}) == 3
        assert (await worker.submit(bo, 1)).status_code == 200


async def test_a_score_whose_time_is_over_takes_no_other_score_with_it(sandbox):
    async with sandbox.worker() as worker:
        ada, bo = await worker.add_players(2)
        writer = worker.service.writer
        late, good = (writer.item(Submission(player, 1, "x")) for player in (ada, bo))
        late.deadline = asyncio.get_running_loop().time()
        await writer.write([late, good])
        with pytest.raises(DatabaseAway):
            await late.receipt
        assert (await good.receipt).on_main.total_score == 1
        assert await count(sandbox) == 1


async def test_a_slow_index_slows_the_writer_down(sandbox, monkeypatch):
    """At most one batch a lane is in the index: what comes meanwhile gathers in the queue."""
    async with sandbox.worker(sweep_interval=60) as worker:
        (ada,) = await worker.add_players(1)
        apply, let_go, running = RankIndex.apply, asyncio.Event(), [0, 0]

        async def slow(index, folds):
            running[0] += 1
            running[1] = max(running)
            await let_go.wait()
            running[0] -= 1
            return await apply(index, folds)

        monkeypatch.setattr(answers, "RANK_SECONDS", 30)
        monkeypatch.setattr(RankIndex, "apply", slow)
        sent = []
        for number in range(1, 7):
            sent.append(asyncio.create_task(worker.submit(ada, 1)))
            while len(worker.service.writer._waiting) + await count(sandbox) < number:
                await asyncio.sleep(0.005)
        assert await count(sandbox) <= 3
        assert worker.service.writer.queued >= 3
        let_go.set()
        assert {(await each).status_code for each in sent} == {200}
        assert running[1] == 1


@pytest.mark.parametrize("place", ["plan", "lane", "aside", "answer"])
async def test_a_defect_leaves_nobody_waiting(sandbox, monkeypatch, place):
    async with sandbox.worker(database_lock_timeout=0.05) as worker:
        ada, bo = await worker.add_players(2)

        def broken(*_, **__):
            raise ZeroDivisionError

        if place == "plan":
            monkeypatch.setattr(transactions, "make_plan", broken)
        elif place == "lane":
            monkeypatch.setattr(worker.service.writer, "_in_time", broken)
        elif place == "answer":
            monkeypatch.setattr(worker.service.writer._answers, "tell", broken)
        else:
            worker.service.writer._aside.put([])
            commit = Transactions.commit

            async def fails_aside(self, items, deadline, *, skip_locked=False):
                if [item.submission.user_id for item in items] == [ada] and not skip_locked:
                    raise ZeroDivisionError
                return await commit(self, items, deadline, skip_locked=skip_locked)

            monkeypatch.setattr(Transactions, "commit", fails_aside)
        async with hold_player(sandbox, ada if place == "aside" else 10**6):
            sent = [worker.submit(player, 1, key=f"k{player}") for player in (bo, ada)]
            answered = await asyncio.wait_for(asyncio.gather(*sent), 30)
        codes = {each.json().get("code") for each in answered}
        assert InternalError.code in codes
        monkeypatch.undo()
        assert worker.service.writer.queued == 0
        assert (await worker.submit(ada, 1)).status_code == 200


async def test_a_defect_in_a_replay_leaves_nobody_waiting(sandbox, monkeypatch):
    async with sandbox.worker() as worker:
        (ada,) = await worker.add_players(1)
        await worker.submit(ada, 1, key="k")

        async def broken(*_):
            raise ZeroDivisionError

        monkeypatch.setattr(RankIndex, "apply", broken)
        again = await asyncio.wait_for(worker.submit(ada, 1, key="k"), 30)
        assert (again.status_code, again.json()["replayed"]) == (200, True)


async def test_a_defect_at_one_set_aside_score_leaves_nobody_waiting(sandbox, monkeypatch):
    async with sandbox.worker(database_lock_timeout=0.05) as worker:
        ada, bo = await worker.add_players(2)
        commit, calls = Transactions.commit, 0

        async def fails_aside(self, items, deadline, *, skip_locked=False):
            nonlocal calls
            calls += 1
            if calls > 2:  # after the batch's own attempt, and the one without locked players
                if len(items) > 1:
                    raise asyncpg.DataError("one of them can't be stored")
                if items[0].submission.user_id == ada:
                    raise ZeroDivisionError
            return await commit(self, items, deadline, skip_locked=skip_locked)

        monkeypatch.setattr(Transactions, "commit", fails_aside)
        sent = [{"user_id": player, "score": 1} for player in (ada, bo)]
        async with hold_player(sandbox, ada), hold_player(sandbox, bo):
            answer = await asyncio.wait_for(
                worker.client.post("/api/leaderboard/submit/batch", json={"submissions": sent}), 30
            )
        codes = [result["problem"]["code"] for result in answer.json()["results"]]
        assert codes == [InternalError.code, "busy"]
