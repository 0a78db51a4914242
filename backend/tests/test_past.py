"""A database that is set back under running workers: noticed, and never believed over itself."""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager

import asyncpg
import pytest

from app.services.rank_index import keeper as keeping
from app.services.rank_index.index import IndexAway
from app.services.rank_index.past import overtake
from app.services.verify import verify
from tests.index_helpers import add_players, be_patient, folds_of, order, parts, play

TABLES = ("leaderboard", "game_sessions", "player_events", "index_marks")


async def keep(connection: asyncpg.Connection) -> int:
    """Keeps a copy of the database as it is now. Where its sequence is."""
    await connection.execute("CREATE SCHEMA kept")
    for table in (*TABLES, "users"):
        await connection.execute(f"CREATE TABLE kept.{table} AS TABLE {table}")
    return await connection.fetchval("SELECT last_value FROM event_id_seq")


async def set_back(connection: asyncpg.Connection, sequence: int) -> None:
    """As after a restore of that copy."""
    async with connection.transaction():
        await connection.execute("TRUNCATE leaderboard, game_sessions, player_events, index_marks")
        await connection.execute("DELETE FROM users WHERE id NOT IN (SELECT id FROM kept.users)")
        for table in TABLES:
            columns = await connection.fetchval(
                "SELECT string_agg(quote_ident(attname), ', ') FROM pg_attribute "
                "WHERE attrelid = $1::regclass AND attnum > 0 AND attgenerated = '' "
                "AND NOT attisdropped",
                table,
            )
            await connection.execute(
                f"INSERT INTO {table} ({columns}) SELECT {columns} FROM kept.{table}"
            )
        await connection.execute("SELECT setval('event_id_seq', $1)", sequence)


async def follow(own, connection: asyncpg.Connection, *games: tuple[int, int]) -> int:
    """Games that are played, indexed and swept. The newest event."""
    event = 0
    for player, score in games:
        event = await play(connection, player, score)
        await own.standings.apply(await folds_of(own, player))
    for _ in range(keeping.LOOKS_PER_SWEEP):
        await own.keeper.look()
    return event


async def trusted(*workers) -> None:
    """Lets the keepers try until all of them trust the index."""

    async def recover(own) -> None:
        while not own.index.available:
            await own.keeper.recover()
            await asyncio.sleep(0.01)

    async with asyncio.timeout(20):
        await asyncio.gather(*map(recover, workers))


@asynccontextmanager
async def running_follower(own):
    task = asyncio.create_task(own.follower.run())
    refills = asyncio.create_task(own.follower.run_refills())
    try:
        yield
    finally:
        for each in (task, refills):
            each.cancel()
        await asyncio.wait([task, refills])


async def heard(own, player: int, event: int) -> None:
    async with asyncio.timeout(10):
        while own.follower.recent.get(player, 0) != event:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("played_since", [0, 2, 9])
async def test_a_database_that_was_set_back_is_noticed_by_every_worker(sandbox, played_since):
    """Also if the ids drawn since have overtaken what the index knew. One worker rebuilds."""
    connection = await sandbox.connect()
    ada, bo = await add_players(connection, 2)
    async with parts(sandbox) as own, parts(sandbox) as other:
        await trusted(own, other)
        await follow(own, connection, (ada, 5), (bo, 3))
        sequence = await keep(connection)
        (cy,) = [
            row["id"]
            for row in await connection.fetch(
                "INSERT INTO users (username) VALUES ('cy') RETURNING id"
            )
        ]
        newest = await follow(own, connection, (bo, 7), (cy, 9), (cy, 1), (bo, 1))
        assert await order(own) == [bo, cy, ada]
        await other.keeper.look()

        await set_back(connection, sequence)
        for _ in range(played_since):
            await play(connection, bo, -1)
        for each in (own, other):
            with pytest.raises(IndexAway):
                await each.keeper.look()
            assert not each.index.available
        await trusted(own, other)
        assert await order(own) == [ada, bo]
        assert own.keeper.rebuilt + other.keeper.rebuilt == 2  # the first was the very first index
        # No event gets an id that the index knew.
        assert await play(connection, ada, 1) > newest
        await own.standings.apply(await folds_of(own, ada))
        for each in (own, other):
            for _ in range(3):
                await each.keeper.look()
            assert each.index.available
        assert own.keeper.rebuilt + other.keeper.rebuilt == 2
    await connection.execute("DROP SCHEMA kept CASCADE")
    await connection.close()
    found: list[str] = []
    assert await verify(sandbox.settings, found.append) == 0, found


async def test_a_restarted_database_that_lost_its_last_commits_is_noticed(sandbox):
    """It lost less than one look, so it has the newest mark, and its sequence is ahead: after a
    crash it skips numbers."""
    connection = await sandbox.connect()
    ada, bo = await add_players(connection, 2)
    async with parts(sandbox) as own, running_follower(own):
        await trusted(own)
        await follow(own, connection, (ada, 5), (bo, 3))
        await keep(connection)
        event = await play(connection, bo, 7)
        await own.standings.apply(await folds_of(own, bo))
        await heard(own, bo, event)
        # A restart without a loss changes nothing.
        own.keeper._server_run = "an earlier start"
        await own.keeper.look()
        assert own.index.available
        await set_back(connection, event + 32)
        own.keeper._server_run = "an earlier start"
        with pytest.raises(IndexAway, match="lacks events"):
            await own.keeper.look()
        await trusted(own)
        assert await order(own) == [ada, bo]
    await connection.execute("DROP SCHEMA kept CASCADE")
    await connection.close()


async def test_another_cluster_or_timeline_is_another_past(sandbox):
    """A fail-over may lose events, and draw ids beyond them at once."""
    async with parts(sandbox) as own:
        await trusted(own)
        await own.keeper.look()
        lineage = (await own.index.state()).past.lineage
        system, timeline = lineage.split("/")
        assert int(system) > 0
        assert timeline == "00000001"
        with sandbox.redis() as client:
            client.hset(own.index.state_key, "lineage", f"{system}/00000002")
        with pytest.raises(IndexAway):
            await own.keeper.look()
        await trusted(own)
        assert (await own.index.state()).past.lineage == lineage
        await own.keeper.look()


async def test_an_index_of_the_version_before_is_taken_over(sandbox):
    """It has no marks yet. The first sweep gives it one."""
    connection = await sandbox.connect()
    (ada,) = await add_players(connection, 1)
    async with parts(sandbox) as own:
        await trusted(own)
        with sandbox.redis() as client:
            client.hdel(own.index.state_key, "mark", "lineage")
        epoch = (await own.index.state()).epoch
        await follow(own, connection, (ada, 5))
        state = await own.index.state()
        assert state.epoch == epoch
        assert state.past.mark.startswith(state.watermark.split()[0])
        assert state.past.lineage
    await connection.close()


async def test_marks_are_forgotten_but_for_the_newest(sandbox, monkeypatch):
    from app.services.rank_index import past

    monkeypatch.setattr(past, "_FORGET_MARKS", past._FORGET_MARKS.replace("1000", "2"))
    connection = await sandbox.connect()
    (ada,) = await add_players(connection, 1)
    async with parts(sandbox) as own:
        await trusted(own)
        events = [await follow(own, connection, (ada, 1)) for _ in range(5)]
        rows = await connection.fetch("SELECT event_id FROM index_marks ORDER BY 1")
        assert [row["event_id"] for row in rows] == events[-3:]
        await own.keeper.look()
        assert own.index.available
    await connection.close()


async def test_a_page_never_shows_players_whom_the_database_lacks(sandbox, monkeypatch):
    """The page comes from SQL, and the index is built anew if it still has them a look later."""
    be_patient(monkeypatch)
    connection = await sandbox.connect()
    ada, bo = await add_players(connection, 2)
    async with parts(sandbox) as own:
        await trusted(own)
        await follow(own, connection, (ada, 5), (bo, 9))
        await connection.execute("DELETE FROM leaderboard WHERE user_id = $1", bo)
        pages = await asyncio.gather(
            own.standings.top(10, 0), own.standings.around(ada, 3), own.standings.among([ada, bo])
        )
        for page in pages:
            assert page.source == "database"
            assert b"player-2" not in page.body
            assert b"player-1" in page.body
        epoch = (await own.index.state()).epoch
        await own.keeper.look()
        with pytest.raises(IndexAway):
            await own.keeper.look()
        await trusted(own)
        assert (await own.index.state()).epoch != epoch
        assert await order(own) == [ada]
    await connection.close()


async def test_a_player_who_is_just_being_removed_is_no_reason_to_rebuild(sandbox, monkeypatch):
    be_patient(monkeypatch)
    connection = await sandbox.connect()
    ada, bo = await add_players(connection, 2)
    async with parts(sandbox) as own:
        await trusted(own)
        await follow(own, connection, (ada, 5), (bo, 9))
        await connection.execute("DELETE FROM leaderboard WHERE user_id = $1", bo)
        await own.standings.top(10, 0)
        await own.keeper.look()
        with sandbox.redis() as client:
            epoch = (await own.index.state()).epoch
            (member,) = client.zrange(f"{own.index.prefix}{epoch}:z", 0, 0)
            client.zrem(f"{own.index.prefix}{epoch}:z", member)
        await own.keeper.look()
        await own.keeper.look()
        assert own.index.available
    await connection.close()


async def test_a_foreign_index_is_rebuilt_once(sandbox):
    """By one of four workers, and not again after Redis was restarted."""
    async with AsyncExitStack() as stack:
        workers = [await stack.enter_async_context(parts(sandbox)) for _ in range(4)]
        one = workers[0]
        await trusted(one)
        with sandbox.redis() as client:
            client.hset(one.index.state_key, "version", 5_000)
        one.index.distrust("a test")
        await trusted(*workers)
        for each in workers:
            each.index.distrust("Redis was restarted")
        await trusted(*workers)
        assert sum(each.keeper.rebuilt for each in workers) == 2


async def test_the_sequence_is_moved_on_after_those_who_draw_from_it(sandbox):
    """And never back, whatever is drawn in between."""
    connection = await sandbox.connect()
    mover = await sandbox.connect()
    (ada,) = await add_players(connection, 1)
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute("SELECT FROM users WHERE id = $1 FOR NO KEY UPDATE", ada)
    moving = asyncio.create_task(overtake(mover, 50))
    while not await connection.fetchval(
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'users'::regclass"
    ):
        await asyncio.sleep(0.01)
    await connection.execute("SELECT nextval('event_id_seq') FROM generate_series(1, 80)")
    await transaction.commit()
    assert await moving == 80
    assert await overtake(mover, 200) == 200
    assert await connection.fetchval("SELECT nextval('event_id_seq')") == 201
    assert await overtake(mover, 100) == 201
    await connection.close()
    await mover.close()


async def test_without_the_right_to_move_the_sequence_the_index_is_rebuilt_once_all_the_same(
    sandbox, monkeypatch
):
    async def denied(*_):
        raise asyncpg.InsufficientPrivilegeError("permission denied for sequence event_id_seq")

    monkeypatch.setattr(keeping, "overtake", denied)
    async with parts(sandbox) as own:
        await trusted(own)
        with sandbox.redis() as client:
            client.hset(own.index.state_key, "version", 5_000)
        with pytest.raises(IndexAway):
            await own.keeper.look()
        await trusted(own)
        await own.keeper.look()
        assert own.keeper.rebuilt == 2
