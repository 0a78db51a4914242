"""An index that is built beside writers, beside another build, and over what is broken."""

import asyncio

import pytest
import redis

from app.core.database import create_engine, raw_connection
from app.services.rank_index import rebuild as rebuilding
from app.services.rank_index.index import IndexAway
from app.services.rank_index.past import Past
from app.services.rank_index.rebuild import Outcome, rebuild
from tests.index_helpers import add_players, folds_of, order, parts, play


def before_load(index, then, *, at: int = 1) -> None:
    """Has `then` awaited before the chunk of this number is loaded."""
    load = index.load
    count = 0

    async def loaded(folds):
        nonlocal count
        count += 1
        if count == at:
            await then()
        return await load(folds)

    index.load = loaded


async def begun(index) -> None:
    """Returns once a build is under way."""
    with index.asking():
        while not await index.client.hexists(index.state_key, "building"):
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("chunk", [2, 3])
async def test_players_beyond_a_chunks_border_are_built_too(sandbox, monkeypatch, chunk):
    monkeypatch.setattr(rebuilding, "CHUNK", chunk)
    monkeypatch.setattr(rebuilding, "FORGET_CHUNK", chunk)
    connection = await sandbox.connect()
    players = await add_players(connection, 7)
    for number, player in enumerate(players):
        await play(connection, player, number)
    await connection.execute(
        "UPDATE leaderboard SET is_active = false WHERE user_id = $1", players[3]
    )
    told = []
    async with parts(sandbox) as own:
        for _ in range(3):
            outcome = await rebuild(own.index, own.engine, lambda *each: told.append(each))
            assert outcome is Outcome.BUILT
        assert await order(own) == [player for player in players[::-1] if player != players[3]]
        assert told[-1] == (7, 7)
        epoch = (await own.index.state()).epoch
        with sandbox.redis() as client:
            left = {key.decode().split(":")[2] for key in client.keys(f"{sandbox.name}:*:z")}
        assert left == {epoch}
    await connection.close()


async def test_a_newer_write_stands_before_an_older_load(sandbox):
    """A chunk is read, then one of its players plays, then the chunk is loaded."""
    connection = await sandbox.connect()
    ada, bo = await add_players(connection, 2)
    await play(connection, ada, 5)
    await play(connection, bo, 3)
    async with parts(sandbox) as own:
        await own.keeper.recover()

        async def meanwhile():
            await play(connection, bo, 9)
            await own.standings.apply(await folds_of(own, bo))

        before_load(own.index, meanwhile)
        assert await rebuild(own.index, own.engine) is Outcome.BUILT
        assert await order(own) == [bo, ada]
        ranks = await own.index.ranks([bo])
        assert ranks.standings[0].place.total_score == 12
    await connection.close()


async def test_a_player_who_joins_behind_the_scan_is_in_the_new_index(sandbox, monkeypatch):
    monkeypatch.setattr(rebuilding, "CHUNK", 2)
    connection = await sandbox.connect()
    players = await add_players(connection, 6)
    first, rest = players[0], players[1:]
    for player in rest:
        await play(connection, player, 1)
    async with parts(sandbox) as own:
        await own.keeper.recover()

        async def meanwhile():
            await play(connection, first, 9)
            await own.standings.apply(await folds_of(own, first))

        before_load(own.index, meanwhile, at=2)
        assert await rebuild(own.index, own.engine) is Outcome.BUILT
        assert await order(own) == [first, *rest]
    await connection.close()


async def test_of_two_rebuilds_at_once_one_waits(sandbox):
    connection = await sandbox.connect()
    (ada,) = await add_players(connection, 1)
    await play(connection, ada, 5)
    async with parts(sandbox) as own, parts(sandbox) as other:

        async def meanwhile():
            assert await rebuild(other.index, other.engine) is Outcome.BUSY

        before_load(own.index, meanwhile)
        assert await rebuild(own.index, own.engine) is Outcome.BUILT
        assert await order(own) == [ada]
    await connection.close()


async def test_a_rebuild_that_lost_its_lock_gives_way_to_the_next(sandbox, monkeypatch):
    """It was stopped for longer than its lock lasts, and goes on while another one builds."""
    monkeypatch.setattr(rebuilding, "CHUNK", 2)
    connection = await sandbox.connect()
    players = await add_players(connection, 5)
    for number, player in enumerate(players):
        await play(connection, player, number)
    async with parts(sandbox) as own, parts(sandbox) as other:

        async def meanwhile():
            with sandbox.redis() as client:
                client.delete(f"{own.index.prefix}rebuild")
            assert await rebuild(other.index, other.engine) is Outcome.BUILT

        before_load(own.index, meanwhile, at=2)
        assert await rebuild(own.index, own.engine) is Outcome.SUPERSEDED
        assert not own.index.available  # nothing was proved to this worker
        await own.keeper.recover()
        assert await order(own) == players[::-1]
        state = await own.index.state()
        assert state.building == ""
        with sandbox.redis() as client:
            assert client.exists(f"{own.index.prefix}{state.epoch}:z")
            assert not client.exists(f"{own.index.prefix}rebuild")
    await connection.close()


async def test_an_epoch_that_is_being_built_is_not_removed_with_the_old_ones(sandbox):
    connection = await sandbox.connect()
    (ada,) = await add_players(connection, 1)
    await play(connection, ada, 5)
    async with parts(sandbox) as own:
        await own.keeper.recover()
        await own.index.client.hset(own.index.state_key, "building", "new")
        assert await own.index.load(await folds_of(own, ada))
        await rebuilding.forget_old_epochs(own.index)
        assert await own.index.promote("new", 9, "9 1", Past(), own.index.run_id)
        assert await order(own) == [ada]
    await connection.close()


async def test_a_rebuild_does_not_extend_anothers_lock(sandbox, monkeypatch):
    monkeypatch.setattr(rebuilding, "CHUNK", 2)
    connection = await sandbox.connect()
    for player in await add_players(connection, 5):
        await play(connection, player, 1)
    async with parts(sandbox) as own:

        async def meanwhile():
            with sandbox.redis() as client:
                client.set(f"{own.index.prefix}rebuild", "somebody else", px=5_000)

        before_load(own.index, meanwhile, at=2)
        assert await rebuild(own.index, own.engine) is Outcome.SUPERSEDED
        with sandbox.redis() as client:
            assert client.get(f"{own.index.prefix}rebuild") == b"somebody else"
    await connection.close()


@pytest.mark.parametrize("reason", [OSError("PostgreSQL is gone"), asyncio.CancelledError()])
async def test_a_rebuild_that_breaks_off_leaves_nothing_behind(sandbox, reason):
    """Else writers would fill an index that nobody will ever read."""
    connection = await sandbox.connect()
    (ada,) = await add_players(connection, 1)
    await play(connection, ada, 5)
    async with parts(sandbox) as own:
        await own.keeper.recover()
        epoch = (await own.index.state()).epoch

        async def meanwhile():
            raise reason

        before_load(own.index, meanwhile)
        with pytest.raises(type(reason)):
            await rebuild(own.index, own.engine)
        state = await own.index.state()
        assert (state.epoch, state.building) == (epoch, "")
        with sandbox.redis() as client:
            assert not client.exists(f"{own.index.prefix}rebuild")
        assert own.index.available
    await connection.close()


async def test_a_doubt_during_a_rebuild_stands(sandbox):
    connection = await sandbox.connect()
    (ada,) = await add_players(connection, 1)
    await play(connection, ada, 5)
    async with parts(sandbox) as own:

        async def meanwhile():
            own.index.distrust("Redis was restarted")

        before_load(own.index, meanwhile)
        assert await rebuild(own.index, own.engine) is Outcome.BUILT
        with pytest.raises(IndexAway):
            await own.index.ranks([ada])
    await connection.close()


async def test_trust_comes_back_though_all_other_connections_are_taken(sandbox):
    """Those who ask PostgreSQL while the index is away must not keep it away."""
    async with sandbox.worker(database_pool_size=2, database_timeout=30) as worker:
        engine = worker.service.engine
        async with engine.connect(), engine.connect():
            sandbox.forget_index()
            worker.standings.index.distrust("the index is missing")
            async with asyncio.timeout(10):
                await worker.standings.index.wait_trusted()


async def test_a_rebuild_beside_a_long_transaction_misses_nothing_of_it(sandbox, monkeypatch):
    """And does not have the whole ledger looked through afterwards."""
    monkeypatch.setattr(rebuilding, "SETTLE_SECONDS", 0.1)
    connection = await sandbox.connect()
    slow = await sandbox.connect()
    ada, bo = await add_players(connection, 2)
    async with parts(sandbox) as own:
        await own.keeper.recover()
        await play(connection, ada, 5)
        await own.keeper.look()
        await own.keeper.look()
        settled = (await own.index.state()).watermark
        transaction = slow.transaction()
        await transaction.start()
        await play(slow, bo, 9)
        await play(connection, ada, 1)
        assert await rebuild(own.index, own.engine) is Outcome.BUILT
        assert (await own.index.state()).watermark == settled
        assert await order(own) == [ada]
        for _ in range(3):
            await own.keeper.look()
        assert (await own.index.state()).watermark == settled
        await transaction.commit()
        for _ in range(2):
            await own.keeper.look()
        assert await order(own) == [bo, ada]
        await own.keeper.look()
        assert (await own.index.state()).watermark != settled
    await connection.close()
    await slow.close()


async def test_a_first_index_waits_longer_for_a_long_transaction(sandbox, monkeypatch):
    """No mark says from where on the ledger would have to be looked through afterwards."""
    monkeypatch.setattr(rebuilding, "SETTLE_SECONDS", 0.05)
    connection = await sandbox.connect()
    slow = await sandbox.connect()
    ada, bo = await add_players(connection, 2)
    await play(connection, ada, 5)
    transaction = slow.transaction()
    await transaction.start()
    event = await play(slow, bo, 9)
    async with parts(sandbox) as own:
        building = asyncio.create_task(rebuild(own.index, own.engine))
        await asyncio.sleep(0.2)
        assert not building.done()
        await transaction.commit()
        assert await building is Outcome.BUILT
        assert await order(own) == [bo, ada]
        assert (await own.index.state()).watermark.startswith(f"{event} ")
    await connection.close()
    await slow.close()


async def test_a_build_that_waits_for_a_long_transaction_holds_no_connection(sandbox):
    """The keepers of all boards share a few: each of them has to look meanwhile."""
    connection = await sandbox.connect()
    slow = await sandbox.connect()
    (ada,) = await add_players(connection, 1)
    transaction = slow.transaction()
    await transaction.start()
    await play(slow, ada, 9)
    async with parts(sandbox) as own:
        engine = create_engine(own.settings.model_copy(update={"database_pool_size": 1}))
        building = asyncio.create_task(rebuild(own.index, engine))
        await begun(own.index)
        async with asyncio.timeout(0.9 * rebuilding.SETTLE_SECONDS):
            for _ in range(3):
                async with raw_connection(engine) as shared:
                    assert await shared.fetchval("SELECT 1") == 1
        assert not building.done()
        await transaction.commit()
        assert await building is Outcome.BUILT
        await engine.dispose()
    await connection.close()
    await slow.close()


async def test_a_chunk_that_redis_took_too_long_for_is_loaded_again(sandbox, monkeypatch):
    """On a busy machine some chunk is always late: the build must not begin anew for it."""
    monkeypatch.setattr(rebuilding, "CHUNK", 2)
    monkeypatch.setattr(rebuilding, "LOAD_PAUSE", 0)
    connection = await sandbox.connect()
    players = await add_players(connection, 5)
    for number, player in enumerate(players):
        await play(connection, player, number)
    async with parts(sandbox) as own:

        async def late():
            own.index.distrust("TimeoutError")
            raise IndexAway

        for at in (1, 3):
            before_load(own.index, late, at=at)
        assert await rebuild(own.index, own.engine) is Outcome.BUILT
        await own.keeper.recover()
        assert own.index.available
        assert await order(own) == players[::-1]
    await connection.close()


async def test_a_build_is_not_used_if_redis_was_restarted_meanwhile(sandbox, servers, monkeypatch):
    """A part of what was loaded may be lost, and no later look would find it."""
    monkeypatch.setattr(rebuilding, "CHUNK", 2)
    connection = await sandbox.connect()
    players = await add_players(connection, 5)
    for number, player in enumerate(players):
        await play(connection, player, number)
    async with parts(sandbox) as own:
        await own.keeper.recover()
        epoch = (await own.index.state()).epoch

        async def restart():
            servers.valkey.kill()
            with sandbox.redis() as client:
                while True:
                    try:
                        client.ping()
                        break
                    except redis.RedisError:
                        await asyncio.sleep(0.05)

        before_load(own.index, restart, at=2)
        assert await rebuild(own.index, own.engine) is Outcome.SUPERSEDED
        state = await own.index.state()
        assert (state.epoch, state.building) == (epoch, "")
        assert not own.index.available
        await own.keeper.recover()
        assert await rebuild(own.index, own.engine) is Outcome.BUILT
        assert await order(own) == players[::-1]
    await connection.close()
