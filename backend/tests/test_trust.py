"""When the index is trusted, and what is told while it is not. Interleavings are forced."""

import asyncio

import pytest

from app.services.rank_index.index import IndexAway
from app.services.rank_index.past import Past
from app.services.rank_index.rebuild import Outcome, rebuild
from tests.index_helpers import add_players, dump, folds_of, order, parts, play, restore


def call_first(index, script: str, then) -> None:
    """Has `then` called right after the server ran the script, before its answer is used."""
    run = index._scripts[script]

    async def ran(*args):
        answer = await run(*args)
        then()
        return answer

    index._scripts[script] = ran


async def test_no_rank_is_told_from_an_index_that_is_not_trusted(sandbox):
    """The folds go in all the same, so that trust has less to catch up with."""
    connection = await sandbox.connect()
    ada, bo = await add_players(connection, 2)
    await play(connection, ada, 5)
    async with parts(sandbox) as own:
        await own.keeper.recover()
        assert own.index.available
        event = await play(connection, bo, 9)
        own.index.distrust("a test")
        with pytest.raises(IndexAway):
            await own.standings.apply(await folds_of(own, bo))
        found = await own.index.ranks([bo], doubted=True)
        assert found.standings[0].version == event
    await connection.close()


async def test_no_rank_is_told_if_the_doubt_came_during_the_call(sandbox):
    """As when the call's connection is new, and greets a server that was restarted."""
    connection = await sandbox.connect()
    (ada,) = await add_players(connection, 1)
    await play(connection, ada, 5)
    async with parts(sandbox) as own:
        await own.keeper.recover()
        call_first(own.index, "apply", lambda: own.index.distrust("Redis was restarted"))
        with pytest.raises(IndexAway):
            await own.standings.apply(await folds_of(own, ada))
    await connection.close()


async def test_a_doubt_that_comes_during_recovery_stands(sandbox):
    connection = await sandbox.connect()
    (ada,) = await add_players(connection, 1)
    async with parts(sandbox) as own:
        await own.keeper.recover()
        await play(connection, ada, 5)
        own.index.distrust("a test")
        call_first(own.index, "apply", lambda: own.index.distrust("another doubt"))
        for _ in range(2):
            await own.keeper.recover()
            assert not own.index.available
            # Nor are those woken who wait for trust.
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(own.index.wait_trusted(), 0.01)
    await connection.close()


async def test_nothing_is_missing_in_an_index_that_is_trusted_again(sandbox):
    """What was committed while the index was not trusted, and what Redis forgot of it since."""
    connection = await sandbox.connect()
    ada, bo, cy = await add_players(connection, 3)
    await play(connection, ada, 5)
    async with parts(sandbox) as own:
        await own.keeper.recover()
        await play(connection, bo, 9)
        kept = dump(sandbox, own)
        await play(connection, cy, 7)
        own.index.distrust("a test")
        await own.keeper.recover()
        assert await order(own) == [bo, cy, ada]
        restore(sandbox, kept)
        own.index.distrust("as a new connection says of a server that was restarted")
        await own.keeper.recover()
        assert await order(own) == [bo, cy, ada]
    await connection.close()


# A server that went back in time


async def test_an_index_that_went_back_in_time_is_noticed_by_the_next_call(sandbox):
    """The connections stay as they are, as behind a proxy: the answers alone show it."""
    connection = await sandbox.connect()
    ada, bo = await add_players(connection, 2)
    async with parts(sandbox) as own:
        await own.keeper.recover()
        event = await play(connection, ada, 5)
        await own.standings.apply(await folds_of(own, ada))
        kept = dump(sandbox, own)
        newest = await play(connection, bo, 9)
        await own.standings.apply(await folds_of(own, bo))
        before = await own.index.state()
        restore(sandbox, kept)
        with pytest.raises(IndexAway):
            await own.index.ranks([ada])
        assert not own.index.available
        await own.keeper.recover()
        assert own.index.available
        assert await order(own) == [bo, ada]
        state = await own.index.state()
        assert (before.version, state.version) == (newest, newest)
        assert event < newest
    await connection.close()


async def test_a_rebuild_that_redis_forgot_is_noticed(sandbox):
    async with parts(sandbox) as own:
        await own.keeper.recover()
        await own.index.state()
        kept = dump(sandbox, own)
        assert await rebuild(own.index, own.engine) is Outcome.BUILT
        await own.index.state()
        restore(sandbox, kept)
        with pytest.raises(IndexAway):
            await own.index.state()
        await own.keeper.recover()
        assert own.index.available


async def test_an_answer_that_was_overtaken_is_no_step_back(sandbox):
    """Two calls under way at once may be answered in either order."""
    connection = await sandbox.connect()
    (ada,) = await add_players(connection, 1)
    async with parts(sandbox) as own:
        await own.keeper.recover()
        run = own.index._scripts["ranks"]
        epoch = (await own.index.state()).epoch

        async def slow(*args):
            answer = await run(*args)
            for _ in range(2):
                await play(connection, ada, 1)
                await own.standings.apply(await folds_of(own, ada))
            await rebuild(own.index, own.engine)
            await own.index.state()
            return answer

        own.index._scripts["ranks"] = slow
        assert (await own.index.ranks([ada])).epoch == epoch
        assert own.index.available
        own.index._scripts["ranks"] = run
        assert (await own.index.ranks([ada])).epoch != epoch
        assert own.index.available
    await connection.close()


async def test_the_watermark_stays_if_the_index_is_not_what_the_sweep_saw(sandbox):
    async with parts(sandbox) as own:
        await own.keeper.recover()
        state = await own.index.state()
        past = Past("1 1", "here")
        run_id = own.index.run_id
        settle = own.index.settle
        assert not await settle(state.epoch, state.position + 1, run_id, "9 1", past)
        assert not await settle("another", state.position, run_id, "9 1", past)
        assert not await settle(state.epoch, state.position, "another run", "9 1", past)
        assert (await own.index.state()).watermark == state.watermark
        assert await settle(state.epoch, state.position, run_id, "9 1", past)
        assert (await own.index.state()).watermark == "9 1"


async def test_a_doubt_during_a_sweep_keeps_the_watermark(sandbox):
    """What the sweep left out because it had been heard may be lost by now."""
    connection = await sandbox.connect()
    (ada,) = await add_players(connection, 1)
    async with parts(sandbox) as own:
        await own.keeper.recover()
        await play(connection, ada, 5)
        await own.keeper.look()
        watermark = (await own.index.state()).watermark
        apply = own.index.apply

        async def doubted(folds):
            own.index.distrust("a test")
            return await apply(folds)

        own.index.apply = doubted
        await own.keeper.sweep()
        assert (await own.index.state()).watermark == watermark
    await connection.close()


async def test_a_version_never_goes_back_with_a_new_epoch(sandbox):
    async with parts(sandbox) as own:
        await own.keeper.recover()
        with sandbox.redis() as client:
            client.hset(own.index.state_key, "version", 500)
            client.hset(own.index.state_key, "building", "new")
        run_id = own.index.run_id
        assert await own.index.promote("given up", 20, "20 1", Past(), run_id) is None
        assert await own.index.promote("new", 20, "20 1", Past(), run_id)
        state = await own.index.state()
        assert (state.epoch, state.version, state.building) == ("new", 500, "")


# A server that keeps nothing


@pytest.mark.parametrize(
    ("refuse", "allow"),
    [
        ("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE"),
        ("CONFIG SET min-replicas-to-write 1", "CONFIG SET min-replicas-to-write 0"),
        ("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0"),
    ],
)
async def test_a_worker_without_writes_notices_that_redis_takes_none(sandbox, refuse, allow):
    async with parts(sandbox) as own:
        await own.keeper.recover()
        await own.keeper.look()
        with sandbox.redis() as client:
            client.execute_command(*refuse.split())
            try:
                with pytest.raises(IndexAway):
                    await own.keeper.look()
                assert not own.index.available
                # There is nothing to bring in, and yet it must not be trusted.
                with pytest.raises(IndexAway):
                    await own.keeper.recover()
                assert not own.index.available
            finally:
                client.execute_command(*allow.split())
        await own.keeper.recover()
        assert own.index.available


async def test_a_redis_that_may_drop_the_index_is_refused(sandbox):
    """And what it may have dropped by then is built anew."""
    async with parts(sandbox) as own:
        await own.keeper.recover()
        epoch = (await own.index.state()).epoch
        with sandbox.redis() as client:
            client.config_set("maxmemory", 2**40)
            client.config_set("maxmemory-policy", "allkeys-lru")
            try:
                for attempt in (own.keeper.look, own.keeper.recover):
                    with pytest.raises(IndexAway):
                        await attempt()
                assert "maxmemory-policy is allkeys-lru" in own.index.reason
            finally:
                client.config_set("maxmemory-policy", "noeviction")
                client.config_set("maxmemory", 0)
        await own.keeper.recover()
        assert own.index.available
        assert (await own.index.state()).epoch != epoch
