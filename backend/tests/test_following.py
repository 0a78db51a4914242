"""Following the delta stream: dead connections, losses during a refill, pages after a score."""

import asyncio
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

import httpx

from app.services.rank_index import follower as follower_module
from tests.test_live import join, post, until, watching


class Connection:
    """One connection through the proxy. Without `alive` nothing gets through, nor is it closed."""

    def __init__(self) -> None:
        self.alive = asyncio.Event()
        self.alive.set()
        self.reads_stream = False

    async def serve(self, reader, writer, other_reader, other_writer) -> None:
        try:
            await asyncio.gather(
                self.forward(reader, other_writer), self.forward(other_reader, writer)
            )
        finally:
            writer.transport.abort()
            other_writer.transport.abort()

    async def forward(self, reader, writer) -> None:
        while data := await reader.read(65_536):
            self.reads_stream |= b"XREAD" in data
            await self.alive.wait()
            writer.write(data)
        raise ConnectionResetError


class Proxy:
    """Between a worker and its Redis."""

    def __init__(self, redis_url: str) -> None:
        self._redis = urlsplit(redis_url)
        self.connections: list[Connection] = []
        self.tasks: set[asyncio.Task] = set()

    async def take(self, reader, writer) -> None:
        self.tasks.add(asyncio.current_task())
        redis = self._redis
        if redis.scheme == "unix":
            other = await asyncio.open_unix_connection(redis.path)
        else:
            other = await asyncio.open_connection(redis.hostname, redis.port)
        self.connections.append(Connection())
        with suppress(ConnectionError):
            await self.connections[-1].serve(reader, writer, *other)

    def freeze_stream(self) -> int:
        """Lets the connections die that wait for the delta stream. New ones work."""
        frozen = [each for each in self.connections if each.reads_stream and each.alive.is_set()]
        for each in frozen:
            each.alive.clear()
        return len(frozen)


@asynccontextmanager
async def proxied(servers):
    """A proxy, and the address of Redis through it."""
    proxy = Proxy(servers.redis_url)
    server = await asyncio.start_server(proxy.take, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    password = urlsplit(servers.redis_url).password
    credentials = f":{password}@" if password else ""
    try:
        yield proxy, f"redis://{credentials}127.0.0.1:{port}/0"
    finally:
        server.close()
        for task in proxy.tasks:
            task.cancel()
        await asyncio.wait(proxy.tasks)


async def test_a_stream_connection_that_died_without_a_word_is_replaced(sandbox, servers):
    async with (
        proxied(servers) as (proxy, redis_url),
        sandbox.serve(redis_url=redis_url) as address,
        sandbox.worker() as other,
        httpx.AsyncClient(base_url=f"http://{address}") as client,
    ):
        ada, bo = await join(client, 2)
        await post(client, ada, 10)
        async with watching(address, ada) as watcher:
            await until(lambda: watcher.rank == 1)
            assert proxy.freeze_stream() == 1
            await other.submit(bo, 20)
            # Pages come from the index meanwhile: only the first one waits, and shortly.
            clock = asyncio.get_running_loop().time
            began = clock()
            for _ in range(5):
                page = (await client.get("/api/leaderboard/top")).json()
                assert [row["user_id"] for row in page["entries"]] == [bo, ada]
            assert clock() - began < 0.9
            await until(lambda: watcher.rank == 2, 10)
            # The new connection went on where the old one had stopped.
            assert [frame["type"] for frame in watcher.frames].count("snapshot") == 1
            assert watcher.live


async def test_a_loss_while_the_window_is_read_leaves_no_hole(sandbox):
    """Steps between the loss and the new mirror are in no list of missed ones."""
    async with sandbox.worker(index_window=6, live_top=2, sweep_interval=30) as worker:
        players = await worker.add_players(14)
        for number, player in enumerate(players):
            await worker.submit(player, 100 - number)
        follower = worker.standings.follower
        window, gate, asked = worker.standings.index.window, asyncio.Event(), asyncio.Event()

        async def slow_window(first, last):
            found = await window(first, last)
            if not asked.is_set():  # the refill's; the next one is the new mirror's
                asked.set()
                await gate.wait()
            return found

        worker.standings.index.window = slow_window
        for player in players[:3]:
            await worker.submit(player, -1_000)  # the mirror grows thin
        await asyncio.wait_for(asked.wait(), 5)
        follower._lose()
        await worker.submit(players[3], -2_000)
        await worker.submit(players[13], 5_000)
        await worker.ready()
        await worker.submit(players[12], 1_000)
        await follower.reach(follower.position)
        gate.set()
        await asyncio.sleep(0)
        for number in range(6):
            await worker.submit(players[5 + number], 10)
            rows = await worker.top(limit=4)
            asked_ranks = [(await worker.rank(row["user_id"]))["rank"] for row in rows]
            assert asked_ranks == [1, 2, 3, 4]
            members = worker.standings.follower.mirror.top(6)
            assert members == (await window(0, len(members) - 1)).members


async def test_a_page_shows_an_own_score_though_another_looked_before_it(sandbox):
    async with sandbox.worker(page_max_age=0) as worker:
        ada, bo = await worker.add_players(2)
        await worker.submit(ada, 10)
        await worker.top()
        index = worker.standings.index
        state, answered, gate = index.state, asyncio.Event(), asyncio.Event()

        async def slow_state():
            found = await state()
            answered.set()
            await gate.wait()
            return found

        index.state = slow_state
        before = asyncio.create_task(worker.top())
        await answered.wait()
        # The step of this score is held back from the mirror until the page was asked for.
        stream, held = worker.standings.follower._client, asyncio.Event()
        read = stream.xread

        async def read_held(*args, **kwargs):
            found = await read(*args, **kwargs)
            await held.wait()
            return found

        stream.xread = read_held
        await worker.submit(ada, 1)  # ends the read that was under way
        await worker.submit(bo, 20)
        after = asyncio.create_task(worker.top())
        await asyncio.sleep(0.01)
        gate.set()
        await before
        await asyncio.sleep(0.01)
        held.set()
        assert [row["user_id"] for row in await after] == [bo, ada]


async def test_own_pages_beside_batches_of_another_worker(sandbox, monkeypatch):
    """No pause between a score and the page, and none between two scores. The stream is read two
    steps at a time."""
    monkeypatch.setattr(follower_module, "READ_COUNT", 2)
    async with sandbox.worker() as one, sandbox.worker() as two:
        ada, *others = await one.add_players(12)
        stop = asyncio.Event()

        async def write_batches() -> None:
            number = 0
            while not stop.is_set():
                number += 1
                batch = [{"user_id": each, "score": number % 3} for each in others]
                await two.client.post("/api/leaderboard/submit/batch", json={"submissions": batch})

        async def read_pages() -> None:
            while not stop.is_set():
                await one.top()
                await asyncio.sleep(0.002)

        beside = [asyncio.create_task(write_batches()), asyncio.create_task(read_pages())]
        for total in range(1, 30):
            await one.submit(ada, 1)
            rows = {row["user_id"]: row for row in await one.top()}
            assert rows[ada]["total_score"] == total
        stop.set()
        await asyncio.gather(*beside)
