"""After any sequence of operations the index, SQL, pages and a plain model say the same."""

import asyncio
import os
from contextlib import AsyncExitStack
from itertools import count

import asyncpg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from app.services.rank_index.rebuild import rebuild
from app.services.verify import verify
from tests.conftest import Sandbox

PLAYERS = 6
SCORES = st.integers(-3, 3) | st.sampled_from([2**53 - 1, -(2**53 - 1), 10**12])
MAX = 2**53 - 1
SQL = """
SELECT user_id, total_score,
       row_number() OVER (ORDER BY total_score DESC, achieved_id, user_id) AS rank
FROM leaderboard WHERE is_active
"""


class Model:
    """What a leaderboard is, in a few lines: totals, moments, and who is there."""

    def __init__(self) -> None:
        self.totals: dict[int, int] = {}
        self.moments: dict[int, int] = {}
        self.games: dict[int, int] = {}
        self.away: set[int] = set()
        self.clock = count()

    def submit(self, player: int, score: int) -> int:
        """The status that the service should answer with."""
        if player in self.away:
            return 409
        total = self.totals.get(player, 0) + score
        if abs(total) > MAX:
            return 409
        if player not in self.totals or score:
            self.moments[player] = next(self.clock)
        self.totals[player] = total
        self.games[player] = self.games.get(player, 0) + 1
        return 200

    def standings(self) -> list[int]:
        there = [player for player in self.totals if player not in self.away]
        return sorted(there, key=lambda player: (-self.totals[player], self.moments[player]))


class Leaderboard(RuleBasedStateMachine):
    """Drives two workers and compares everything after every step."""

    servers = None
    template = ""
    numbers = count()

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.model = Model()
        self.keys: dict[str, tuple[int, int, int]] = {}
        self.loop.run(self._start())

    async def _start(self) -> None:
        name = f"m{os.getpid()}_{next(self.numbers)}"
        self.admin = await asyncpg.connect(self.servers.postgres_dsn)
        await self.admin.execute(f"CREATE DATABASE {name} TEMPLATE {self.template}")
        self.box = Sandbox(self.servers, name)
        # A window smaller than the board, so that the mirror loses rows and refills.
        self.workers = [
            await self.stack.enter_async_context(
                self.box.worker(page_max_age=0.0, index_window=6, live_top=3)
            )
            for _ in range(2)
        ]
        self.players = await self.workers[0].add_players(PLAYERS)
        self.database = await self.box.connect()

    async def _stop(self) -> None:
        await self.database.close()
        await self.stack.aclose()
        self.box.forget_index()
        await self.admin.execute(f"DROP DATABASE {self.box.name} WITH (FORCE)")
        await self.admin.close()

    def teardown(self) -> None:
        self.loop.run(self._stop())
        self.loop.close()

    @initialize()
    def begin(self) -> None:
        """The empty board is a state too; the invariant looks at it."""

    @rule(player=st.integers(0, PLAYERS - 1), score=SCORES, worker=st.integers(0, 1))
    def submit(self, player: int, score: int, worker: int) -> None:
        user_id = self.players[player]
        key = f"key-{len(self.keys)}"
        answer = self.loop.run(self.workers[worker].submit(user_id, score, key=key))
        assert answer.status_code == self.model.submit(user_id, score), answer.text
        if answer.status_code == 200:
            self.keys[key] = (user_id, score, answer.json()["session_id"])
            assert answer.json()["new_rank"] == self.model.standings().index(user_id) + 1

    @rule(
        items=st.lists(st.tuples(st.integers(0, PLAYERS - 1), SCORES), min_size=1, max_size=8),
        worker=st.integers(0, 1),
    )
    def batch(self, items: list[tuple[int, int]], worker: int) -> None:
        sent = [{"user_id": self.players[player], "score": score} for player, score in items]
        answer = self.loop.run(
            self.workers[worker].client.post(
                "/api/leaderboard/submit/batch", json={"submissions": sent}
            )
        )
        for item, result in zip(sent, answer.json()["results"], strict=True):
            accepted = self.model.submit(item["user_id"], item["score"]) == 200
            assert result["status"] == ("accepted" if accepted else "rejected")

    @rule(which=st.integers(0, 100), worker=st.integers(0, 1))
    def retry(self, which: int, worker: int) -> None:
        if not self.keys:
            return
        key = list(self.keys)[which % len(self.keys)]
        user_id, score, session_id = self.keys[key]
        answer = self.loop.run(self.workers[worker].submit(user_id, score, key=key))
        # What was stored is answered first, whatever has become of the player since.
        assert answer.status_code == 200
        assert answer.json()["session_id"] == session_id

    @rule(player=st.integers(0, PLAYERS - 1), active=st.booleans(), worker=st.integers(0, 1))
    def set_active(self, player: int, active: bool, worker: int) -> None:
        user_id = self.players[player]
        answer = self.loop.run(
            self.workers[worker].client.patch(f"/api/users/{user_id}", json={"is_active": active})
        )
        assert answer.status_code == 200
        (self.model.away.discard if active else self.model.away.add)(user_id)

    @rule()
    def lose_the_index(self) -> None:
        self.box.forget_index()

    @rule(worker=st.integers(0, 1))
    def rebuild(self, worker: int) -> None:
        service = self.workers[worker].service
        self.loop.run(rebuild(self.workers[worker].standings.index, service.engine))

    @rule()
    def settle(self) -> None:
        """Whatever is being repaired is; then the check must find nothing."""
        for worker in self.workers:
            self.loop.run(worker.ready())
        found: list[str] = []
        assert self.loop.run(verify(self.box.settings, found.append)) == 0, found

    @invariant()
    def all_say_the_same(self) -> None:
        self.loop.run(self._compare())

    async def _compare(self) -> None:
        expected = self.model.standings()
        rows = await self.database.fetch(SQL)
        in_sql = {row["user_id"]: (row["rank"], row["total_score"]) for row in rows}
        assert in_sql == {
            player: (rank, self.model.totals[player]) for rank, player in enumerate(expected, 1)
        }
        for worker in self.workers:
            page = await worker.top()
            assert [(each["user_id"], each["rank"]) for each in page] == [
                (player, rank) for rank, player in enumerate(expected, 1)
            ]
            for each in page:
                assert each["total_score"] == self.model.totals[each["user_id"]]
                assert each["games_played"] == self.model.games[each["user_id"]]
            for rank, player in enumerate(expected, 1):
                found = await worker.rank(player)
                assert (found["rank"], found["score"]) == (rank, self.model.totals[player])
                assert found["total_players"] == len(expected)
                answer = await worker.client.get(f"/api/leaderboard/around/{player}?radius=1")
                around = [each["user_id"] for each in answer.json()["entries"]]
                assert around == expected[max(0, rank - 2) : rank + 1]
            for player in self.model.away:
                answer = await worker.client.get(f"/api/leaderboard/rank/{player}")
                assert answer.json()["code"] == "not-ranked"


@pytest.mark.timeout(240)
def test_everything_says_the_same(servers, template):
    Leaderboard.servers, Leaderboard.template = servers, template
    run_state_machine_as_test(
        Leaderboard,
        settings=settings(
            max_examples=int(os.environ.get("INVARIANT_EXAMPLES", "12")),
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


async def test_verify_finds_nothing_while_everybody_plays_on(worker, sandbox):
    async def play(number: int) -> None:
        (player,) = await worker.add_players(1, prefix=f"always-{number}")
        while True:
            await worker.submit(player, 1)
            await asyncio.sleep(0.01)

    async def join() -> None:
        for number in count():
            (player,) = await worker.add_players(1, prefix=f"new-{number}")
            await worker.submit(player, 1)

    tasks = [asyncio.create_task(play(number)) for number in range(30)]
    tasks.append(asyncio.create_task(join()))
    await asyncio.sleep(0.5)
    found: list[str] = []
    assert await verify(sandbox.settings, found.append) == 0, found
    for task in tasks:
        assert not task.done()
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
