"""Reading: pages to the last player, ranks, neighbours, friends; the same from index and SQL."""

import asyncio
from itertools import count
from tempfile import TemporaryDirectory

import pytest
from sqlalchemy import make_url

from app.services.standings import percentile
from tests.conftest import Worker

BASE = "/api/leaderboard"
LIST = {"board", "season", "total_players", "version", "entries"}
ENTRY = {
    "rank", "user_id", "username", "total_score", "games_played", "win_rate", "achieved_at",
}  # fmt: skip
PLAYERS = 60


class Board:
    """A board that a test fills through the API, and what it must show."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.players: list[int] = []
        self.scores: dict[int, int] = {}
        self.reached: dict[int, int] = {}
        self.away: set[int] = set()
        self._moment = count()

    async def fill(self, players: int) -> None:
        """Scores in no order, each four times, so that half the places are ties."""
        self.players = await self.worker.add_players(players)
        for number, player in enumerate(self.players):
            self.scores[player] = number * 7 % (players // 4) + 1
            self.reached[player] = next(self._moment)
        body = [{"user_id": player, "score": score} for player, score in self.scores.items()]
        await self.worker.client.post(f"{BASE}/submit/batch", json={"submissions": body})

    async def submit(self, player: int, score: int) -> None:
        answer = await self.worker.submit(player, score)
        assert answer.status_code == 200, answer.text
        self.scores[player] = self.scores.get(player, 0) + score
        self.reached[player] = next(self._moment)
        assert answer.json()["new_rank"] == self.rank(player)

    async def set_active(self, player: int, *, active: bool) -> None:
        (self.away.discard if active else self.away.add)(player)
        answer = await self.worker.client.patch(f"/api/users/{player}", json={"is_active": active})
        assert answer.status_code == 200, answer.text

    def standings(self) -> list[int]:
        there = [player for player in self.scores if player not in self.away]
        return sorted(there, key=lambda player: (-self.scores[player], self.reached[player]))

    def rank(self, player: int) -> int:
        return self.standings().index(player) + 1

    def rows(self, first: int = 0, last: int | None = None) -> list[tuple[int, int, int]]:
        ranked = list(enumerate(self.standings(), 1))[first:last]
        return [(rank, player, self.scores[player]) for rank, player in ranked]


def rows(entries: list[dict]) -> list[tuple[int, int, int]]:
    assert all(set(each) == ENTRY for each in entries)
    return [(each["rank"], each["user_id"], each["total_score"]) for each in entries]


async def get(worker: Worker, path: str, **query) -> dict:
    """An answer, and where it came from under `source`."""
    answer = await worker.client.get(f"{BASE}/{path}", params=query)
    assert answer.status_code == 200, answer.text
    return {**answer.json(), "source": answer.headers["leaderboard-source"]}


async def friends(worker: Worker, *user_ids: int) -> dict:
    answer = await worker.client.post(f"{BASE}/ranks", json={"user_ids": user_ids})
    assert answer.status_code == 200, answer.text
    assert set(answer.json()) == LIST
    return {**answer.json(), "source": answer.headers["leaderboard-source"]}


@pytest.fixture
async def board(sandbox):
    """More players than the worker mirrors in memory."""
    async with sandbox.worker(index_window=20, live_top=10) as worker:
        made = Board(worker)
        await made.fill(PLAYERS)
        yield made


async def test_every_page_to_the_last_player(board):
    assert board.worker.standings.follower.mirror.complete is False
    for limit in (1, 7, 20, 25, 60, 1_000):
        seen = []
        for offset in range(0, PLAYERS + limit, limit):
            page = await get(board.worker, "top", limit=limit, offset=offset)
            assert page["total_players"] == PLAYERS
            assert page["source"] == "index"
            assert rows(page["entries"]) == board.rows(offset, offset + limit)
            seen += page["entries"]
        assert rows(seen) == board.rows()
    for offset in (PLAYERS, 10**9, 2**32, 2**48 - 1_000, 2**48 - 1):
        for limit in (1, 1_000):
            page = await get(board.worker, "top", limit=limit, offset=offset)
            assert (page["entries"], page["total_players"]) == ([], PLAYERS)


async def test_a_page_has_the_shape_of_the_contract(board):
    page = await get(board.worker, "top")
    assert set(page) == LIST | {"source"}
    assert (page["board"], page["season"]) == ("global", 1)
    assert len(page["entries"]) == PLAYERS
    assert page == await get(board.worker, "top", board="global", season=1, limit=100, offset=0)
    entry = page["entries"][0]
    assert entry["username"] == f"player-{board.players.index(entry['user_id'])}"
    assert (entry["games_played"], entry["win_rate"]) == (1, None)
    assert entry["achieved_at"].endswith("Z")
    await board.submit(entry["user_id"], 1)
    assert (await get(board.worker, "top"))["version"] > page["version"]


async def test_around(board):
    standings = board.standings()
    for rank in (1, 2, 5, 6, 19, 20, 21, 30, 55, 59, 60):
        for radius in (0, 1, 5, 100):
            page = await get(board.worker, f"around/{standings[rank - 1]}", radius=radius)
            first = max(0, rank - 1 - radius)
            assert rows(page["entries"]) == board.rows(first, rank + radius)
            assert page["total_players"] == PLAYERS
    default = await get(board.worker, f"around/{standings[29]}")
    assert len(default["entries"]) == 11


async def test_windows_that_share_a_call_are_each_ones_own(board, monkeypatch):
    from app.services.rank_index import windows

    monkeypatch.setattr(windows, "MEMBERS_PER_CALL", 50)  # so that a call must be split, too
    board.worker.standings.follower.mirror = None  # so that pages are read from the index
    standings = board.standings()
    (stranger,) = await board.worker.add_players(1, prefix="stranger")
    ranks = [*range(1, PLAYERS + 1)]
    pages = await asyncio.gather(
        *(get(board.worker, f"around/{standings[rank - 1]}", radius=rank % 13) for rank in ranks),
        *(get(board.worker, "top", limit=rank, offset=60 - rank) for rank in ranks),
    )
    around, top = pages[:PLAYERS], pages[PLAYERS:]
    for rank, page in zip(ranks, around, strict=True):
        assert rows(page["entries"]) == board.rows(max(0, rank - 1 - rank % 13), rank + rank % 13)
    for rank, page in zip(ranks, top, strict=True):
        assert rows(page["entries"]) == board.rows(60 - rank, 60)
    answers = await asyncio.gather(
        *(board.worker.client.get(f"{BASE}/around/{each}") for each in (stranger, 10**9))
    )
    assert [answer.status_code for answer in answers] == [404, 404]


async def test_friends(board):
    standings = board.standings()
    (stranger,) = await board.worker.add_players(1, prefix="stranger")
    await board.set_active(standings[3], active=False)
    asked = [standings[40], standings[3], stranger, 10**9, standings[0], standings[40]]
    for ids in (asked, asked * 100, [*asked, *range(10**6, 10**6 + 900)]):
        answer = await friends(board.worker, *ids)
        assert rows(answer["entries"]) == [board.rows()[0], board.rows()[39]]
        assert answer["total_players"] == PLAYERS - 1
    assert (await friends(board.worker, stranger, 10**9))["entries"] == []
    assert rows((await friends(board.worker, *reversed(standings)))["entries"]) == board.rows()


async def from_database(worker: Worker, path: str, **query) -> dict:
    worker.standings.index.distrust("test")
    answer = await get(worker, path, **query)
    assert answer["source"] == "database"
    return answer


def timeless(answer: dict) -> dict:
    """Without what may differ: where it came from, and how new it is at the least."""
    return {name: value for name, value in answer.items() if name not in ("source", "version")}


async def test_sql_says_the_same(board):
    """Ties, a player who left, one with several games, negative totals and zero included."""
    worker, standings = board.worker, board.standings()
    await board.set_active(standings[10], active=False)
    await worker.submit(standings[20], 0, won=True)
    await board.submit(standings[30], -100)
    await board.submit(standings[31], -board.scores[standings[31]])
    players = board.standings()
    asked = [("top", {"limit": 7, "offset": offset}) for offset in (0, 17, 55, 59, 70, 2**48 - 1)]
    asked += [(f"rank/{players[at]}", {}) for at in (0, 1, 25, 57, 58)]
    asked += [(f"around/{players[at]}", {"radius": 3}) for at in (0, 2, 30, 58)]
    for path, query in asked:
        async with asyncio.timeout(5):
            await worker.standings.index.wait_trusted()
        by_index = await get(worker, path, **query)
        assert by_index["source"] == "index"
        by_sql = await from_database(worker, path, **query)
        assert timeless(by_sql) == timeless(by_index)
        assert by_sql["version"] >= by_index["version"]
    for path in ("rank", "around"):
        worker.standings.index.distrust("test")
        gone = await worker.client.get(f"{BASE}/{path}/{standings[10]}")
        assert (gone.status_code, gone.json()["code"]) == (404, "not-ranked")
    for size in (1, 8, 9, PLAYERS):
        await worker.standings.index.wait_trusted()
        by_index = await friends(worker, *board.players[:size])
        worker.standings.index.distrust("test")
        by_sql = await friends(worker, *board.players[:size])
        assert (by_index["source"], by_sql["source"]) == ("index", "database")
        assert timeless(by_sql) == timeless(by_index)


async def test_many_ranks_at_once_from_sql(board):
    """So many look-ups at the same time share one pass over the board."""
    board.worker.standings.index.distrust("test")
    ranks = await asyncio.gather(*(board.worker.rank(player) for player in board.players))
    assert [each["rank"] for each in ranks] == [board.rank(player) for player in board.players]


async def refilled(worker: Worker, least: int) -> None:
    async with asyncio.timeout(2):
        while len(worker.standings.follower.mirror) < least:
            await asyncio.sleep(0.01)


async def test_the_mirror_is_refilled_when_the_best_leave_or_fall(board):
    worker = board.worker
    for fall in (False, True):
        for player in board.standings()[:12]:
            if fall:
                await board.submit(player, -1_000)
            else:
                await board.set_active(player, active=False)
            page = await get(worker, "top", limit=20)
            assert rows(page["entries"]) == board.rows(0, 20)
            assert page["source"] == "index"
        await refilled(worker, 16)
        assert rows((await get(worker, "top", limit=16))["entries"]) == board.rows(0, 16)
    for player in list(board.away):
        await board.set_active(player, active=True)
        assert rows((await get(worker, "top", limit=20))["entries"]) == board.rows(0, 20)
    assert len(worker.standings.follower.mirror) <= 20
    while len(board.standings()) > 11:
        players = board.standings()[:11]
        await asyncio.gather(*(board.set_active(player, active=False) for player in players))
        assert rows((await get(worker, "top"))["entries"]) == board.rows()
    assert worker.standings.index.available


async def test_an_empty_board(worker):
    (ada,) = await worker.add_players(1)
    empty = {"board": "global", "season": 1, "total_players": 0, "entries": []}
    for source in ("index", "database"):
        for query in ({}, {"limit": 1}, {"offset": 5}, {"limit": 1_000, "offset": 2**48 - 1}):
            if source == "database":
                worker.standings.index.distrust("test")
            page = await get(worker, "top", **query)
            assert page["source"] == source
            assert timeless(page) == empty
        for path in (f"rank/{ada}", f"around/{ada}"):
            answer = await worker.client.get(f"{BASE}/{path}")
            assert (answer.status_code, answer.json()["code"]) == (404, "not-ranked")
        assert timeless(await friends(worker, ada, 99)) == empty


async def test_percentiles_and_tiers(worker):
    players = await worker.add_players(10)
    expected = {
        1: [(100.0, "Diamond")],
        2: [(100.0, "Diamond"), (50.0, "Silver")],
        3: [(100.0, "Diamond"), (66.67, "Silver"), (33.33, "Bronze")],
        10: [(100.0, "Diamond"), (90.0, "Platinum"), (80.0, "Gold"), (70.0, "Gold"),
             (60.0, "Silver"), (50.0, "Silver"), (40.0, "Silver"), (30.0, "Bronze"),
             (20.0, "Bronze"), (10.0, "Bronze")],
    }  # fmt: skip
    for number, player in enumerate(players, 1):
        await worker.submit(player, 100 - number)
        if number not in expected:
            continue
        for source in ("index", "database"):
            if source == "database":
                worker.standings.index.distrust("test")
            ranks = [await worker.rank(each) for each in players[:number]]
            assert [(each["percentile"], each["tier"]) for each in ranks] == expected[number]
            assert [each["rank"] for each in ranks] == list(range(1, number + 1))
        await worker.standings.index.wait_trusted()


async def test_tiers_are_settings(sandbox):
    async with sandbox.worker(tiers=(("Gods", 50.0), ("Mortals", 0.0))) as worker:
        players = await worker.add_players(3)
        for player in players:
            await worker.submit(player, 1)
        assert [(await worker.rank(each))["tier"] for each in players] == [
            "Gods",
            "Gods",
            "Mortals",
        ]


@pytest.mark.parametrize(
    ("rank", "total", "percent"),
    [(1, 1, 100.0), (1, 10**6, 100.0), (2, 10**6, 100.0), (52, 10**6, 99.99), (10**6, 10**6, 0.0),
     (2, 3, 66.67), (3, 3, 33.33), (6, 7, 28.57), (2, 100, 99.0), (2, 2**48, 100.0)],
)  # fmt: skip
def test_percentile(rank, total, percent):
    assert percentile(rank, total) == percent


async def test_a_page_that_did_not_change_is_not_sent_again(board):
    client, best = board.worker.client, board.standings()[0]
    for url in (f"{BASE}/top?limit=3", f"{BASE}/top?limit=50", f"{BASE}/around/{best}"):
        first = await client.get(url)
        tag = first.headers["etag"]
        assert tag.startswith('"')
        assert first.headers["cache-control"] == "private, no-cache"
        for given in (tag, f"W/{tag}", f'"x", {tag}', "*"):
            same = await client.get(url, headers={"If-None-Match": given})
            assert (same.status_code, same.content) == (304, b"")
            assert same.headers["etag"] == tag
            assert not {"content-type", "content-length"} & set(same.headers)
        assert (await client.get(url, headers={"If-None-Match": '"x"'})).content == first.content
        await board.submit(best, 1)
        changed = await client.get(url, headers={"If-None-Match": tag})
        assert changed.status_code == 200
        assert changed.headers["etag"] != tag
    assert (await client.get(f"{BASE}/rank/{best}")).headers["cache-control"] == "private, no-store"


async def test_health_tells_of_each_part(worker):
    await worker.submit((await worker.add_players(1))[0], 1)
    answer = await worker.client.get(f"{BASE}/health")
    assert answer.status_code == 200
    health = answer.json()
    names = ("database", "redis", "index", "live", "writer", "limits", "tasks")
    parts = {name: health.pop(name) for name in names}
    assert {name: part["status"] for name, part in parts.items()} == dict.fromkeys(parts, "ok")
    assert parts["database"]["latency_ms"] > 0
    assert parts["redis"]["latency_ms"] > 0
    assert health.pop("version")
    assert health == {"status": "ok", "auth": "open", "clients": 0, "total_players": 1}
    for _ in range(50):  # the keeper may be quick to earn trust back
        worker.standings.index.distrust("doubt")
        doubted = (await worker.client.get(f"{BASE}/health")).json()
        if doubted["index"]["status"] != "ok":
            break
    assert (doubted["status"], doubted["index"]["status"]) == ("degraded", "degraded")
    assert doubted["index"]["detail"] == "doubt"


class Gate:
    """A way to PostgreSQL that can be shut: a Unix socket in front of the server's own."""

    def __init__(self, sandbox, folder: str) -> None:
        url = make_url(sandbox.settings.database_url)
        self._server = f"{url.query['host']}/.s.PGSQL.5432"
        self._path = f"{folder}/.s.PGSQL.5432"
        query = {**url.query, "host": folder}
        self.url = url.set(query=query).render_as_string(hide_password=False)
        self._pipes: set[asyncio.Task] = set()

    async def open(self) -> None:
        self._listener = await asyncio.start_unix_server(self._connected, self._path)

    async def shut(self) -> None:
        self._listener.close()
        for pipe in self._pipes:
            pipe.cancel()
        await asyncio.gather(*self._pipes, return_exceptions=True)

    async def _connected(self, reader, writer) -> None:
        inner_reader, inner_writer = await asyncio.open_unix_connection(self._server)
        for source, sink in ((reader, inner_writer), (inner_reader, writer)):
            pipe = asyncio.create_task(self._pipe(source, sink))
            self._pipes.add(pipe)
            pipe.add_done_callback(self._pipes.discard)

    @staticmethod
    async def _pipe(source, sink) -> None:
        try:
            while data := await source.read(65_536):
                sink.write(data)
        finally:
            sink.close()


async def test_a_database_that_is_away_is_told(sandbox, monkeypatch):
    monkeypatch.setattr("app.services.probe.EVERY", 0.0)
    with TemporaryDirectory(prefix="lb-") as folder:
        gate = Gate(sandbox, folder)
        await gate.open()
        async with sandbox.worker(database_url=gate.url) as worker:
            (ada,) = await worker.add_players(1)
            await worker.submit(ada, 1)
            await gate.shut()
            await check_without_database(worker, ada)
            await gate.open()
            assert (await worker.submit(ada, 1)).status_code == 200
            assert (await worker.client.get(f"{BASE}/health")).json()["status"] == "ok"
        await gate.shut()


async def check_without_database(worker: Worker, ada: int) -> None:
    health = await worker.client.get(f"{BASE}/health")
    assert (health.status_code, health.json()["status"]) == (503, "down")
    assert health.headers["retry-after"] == "2"
    assert health.json()["database"]["status"] == "down"
    for method, url, body in (
        ("POST", "/api/users", {"username": "bo"}),
        ("PATCH", f"/api/users/{ada}", {"username": "bo"}),
        ("GET", f"/api/users/{ada}", None),
        ("GET", "/api/users?username=ada", None),
        ("GET", f"/api/users/{ada}/sessions", None),
        ("GET", f"/api/users/{ada}/history", None),
        ("GET", f"{BASE}/rank/99", None),
        ("GET", f"{BASE}/around/{ada}", None),
        ("POST", f"{BASE}/submit", {"user_id": ada, "score": 1}),
        ("POST", f"{BASE}/ranks", {"user_ids": [ada]}),
    ):
        refused = await worker.client.request(method, url, json=body)
        assert (refused.status_code, refused.json()["code"]) == (503, "database-unavailable")
        assert refused.headers["retry-after"] == "2"
    # What the index and the mirror know, they still tell.
    assert (await worker.rank(ada))["rank"] == 1
    assert rows(await worker.top()) == [(1, ada, 1)]
