"""What a writer committed and could not index: found by sweeps, counted as drift only if it is."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from app.core.database import create_engine
from app.services.rank_index import keeper as keeping
from app.services.rank_index import rebuild as rebuilding
from app.services.rank_index.index import IndexAway
from app.services.rank_index.tail import Watermark
from tests.index_helpers import add_players, dump, folds_of, order, parts, play, restore


async def test_what_is_on_its_way_is_no_drift(sandbox):
    """Between two looks a writer has committed and not yet indexed: it is given its time."""
    connection = await sandbox.connect()
    ada, bo = await add_players(connection, 2)
    async with parts(sandbox) as own:
        await own.keeper.recover()
        await play(connection, ada, 1)
        await own.keeper.look()
        await own.standings.apply(await folds_of(own, ada))  # the writer of ada, in time
        await play(connection, bo, 5)
        await own.keeper.look()
        assert own.keeper.repaired == 0
        assert await order(own) == [ada]
        await own.standings.apply(await folds_of(own, bo))
        await own.keeper.look()
        assert own.keeper.repaired == 0
        assert await order(own) == [bo, ada]
    await connection.close()


async def test_what_was_lost_is_drift_and_is_there_after_one_sweep(sandbox):
    connection = await sandbox.connect()
    (ada,) = await add_players(connection, 1)
    async with parts(sandbox) as own:
        await own.keeper.recover()
        await play(connection, ada, 5)
        for _ in range(keeping.LOOKS_PER_SWEEP):
            await own.keeper.look()
        assert await order(own) == [ada]
        assert own.keeper.repaired == 1
    await connection.close()


async def test_a_long_tail_beside_a_long_transaction_is_no_reason_to_rebuild_for_ever(
    sandbox, monkeypatch
):
    """A new index would begin with the same tail. It is built once, when the transaction ends."""
    read, settle = keeping.read_tail, 0.05

    async def read_short(connection, since, reach, upto=2**62):
        tail = await read(connection, since, reach, upto)
        if len(tail) > 2:
            raise TimeoutError
        return tail

    monkeypatch.setattr(keeping, "read_tail", read_short)
    monkeypatch.setattr(keeping, "SETTLE_SECONDS", settle)
    monkeypatch.setattr(keeping, "TAIL_PAUSE", 0)
    monkeypatch.setattr(rebuilding, "SETTLE_SECONDS", settle)
    connection, slow = await sandbox.connect(), await sandbox.connect()
    players = await add_players(connection, 4)
    async with parts(sandbox) as own:
        await own.keeper.recover()
        built = own.keeper.rebuilt
        transaction = slow.transaction()
        await transaction.start()
        await play(slow, players[0], 9)
        for player in players[1:]:
            await play(connection, player, 1)
        for _ in range(4):
            with suppress(TimeoutError):
                await own.keeper.look()
            if not own.index.available:
                await own.keeper.recover()
        assert (own.keeper.rebuilt - built, own.index.available) == (0, True)
        await transaction.commit()
        for _ in range(4):
            with suppress(TimeoutError, IndexAway):
                await own.keeper.look()
            if not own.index.available:
                await own.keeper.recover()
        assert (own.keeper.rebuilt - built, own.index.available) == (1, True)
        assert await order(own) == players
    await connection.close()
    await slow.close()


async def test_scores_after_the_servers_clock_was_set_back_are_found(sandbox):
    """The watermark was drawn while PostgreSQL's clock was hours ahead: what came after the clock
    was put right is dated before it."""
    connection = await sandbox.connect()
    (ada,) = await add_players(connection, 1)
    async with parts(sandbox) as own:
        await own.keeper.recover()
        watermark = Watermark.decode((await own.index.state()).watermark)
        ahead = replace(watermark, at=datetime.now(UTC) + timedelta(days=2))
        await own.index.client.hset(own.index.state_key, "watermark", ahead.encode())
        await play(connection, ada, 5)
        own.index.distrust("a test")
        await own.keeper.recover()
        assert await order(own) == [ada]
    await connection.close()


async def test_catching_up_after_an_outage_is_no_drift(sandbox):
    connection = await sandbox.connect()
    (ada,) = await add_players(connection, 1)
    async with parts(sandbox) as own:
        await own.keeper.recover()
        await play(connection, ada, 5)
        own.index.distrust("a test")
        await own.keeper.recover()
        assert await order(own) == [ada]
        assert own.keeper.repaired == 0
    await connection.close()


async def test_players_beyond_a_chunks_border_are_swept_too(sandbox, monkeypatch):
    monkeypatch.setattr(keeping, "CHUNK", 3)
    connection = await sandbox.connect()
    players = await add_players(connection, 8)
    async with parts(sandbox, index_chunk=2) as own:
        await own.keeper.recover()
        for number, player in enumerate(players):
            await play(connection, player, number)
        for _ in range(keeping.LOOKS_PER_SWEEP):
            await own.keeper.look()
        assert await order(own) == players[::-1]
        assert own.keeper.repaired == len(players)
    await connection.close()


async def test_a_game_of_the_past_is_swept_up_as_far_back_as_the_setting_allows(sandbox):
    """Its writer died before the index heard of it."""
    connection = await sandbox.connect()
    (ada,) = await add_players(connection, 1)
    async with parts(sandbox, played_at_window=7 * 24 * 3_600) as own:
        await own.keeper.recover()
        event = await play(connection, ada, 5)
        await connection.execute(
            "UPDATE game_sessions SET timestamp = $1 WHERE id = $2",
            datetime.now(UTC) - timedelta(days=7, minutes=10),
            event,
        )
        for _ in range(keeping.LOOKS_PER_SWEEP):
            await own.keeper.look()
        assert await order(own) == [ada]
    await connection.close()


async def test_a_tail_that_takes_too_long_to_read_is_left_for_a_rebuild(sandbox):
    connection = await sandbox.connect()
    ada, bo = await add_players(connection, 2)
    async with parts(sandbox) as own:
        own.keeper._reach = replace(own.keeper._reach, seconds=0.2)
        await own.keeper.recover()
        await play(connection, ada, 5)
        await play(connection, bo, 9)
        epoch = (await own.index.state()).epoch
        own.index.distrust("a test")
        async with connection.transaction():
            await connection.execute("LOCK TABLE player_events IN ACCESS EXCLUSIVE MODE")
            await own.keeper.recover()
            assert not own.index.available
            await own.keeper.recover()
            assert own.index.available
        assert (await own.index.state()).epoch != epoch
        assert await order(own) == [bo, ada]
        await own.keeper.look()
    await connection.close()


async def test_a_tail_that_is_too_long_for_a_sweep_is_too(sandbox, monkeypatch):
    connection = await sandbox.connect()
    (ada,) = await add_players(connection, 1)
    async with parts(sandbox) as own:
        await own.keeper.recover()
        await play(connection, ada, 5)
        await own.keeper.look()

        async def too_long(*_):
            raise TimeoutError

        with monkeypatch.context() as patch, pytest.raises(TimeoutError):
            patch.setattr(keeping, "read_tail", too_long)
            await own.keeper.look()
        assert not own.index.available
        await own.keeper.recover()
        assert own.index.available
        assert await order(own) == [ada]
    await connection.close()


async def test_an_outage_of_postgresql_is_no_reason_to_rebuild(sandbox, monkeypatch):
    """Nothing answers at all, so the tail's length has nothing to do with it."""
    async with parts(sandbox) as own:
        await own.keeper.recover()
        epoch = (await own.index.state()).epoch
        own.index.distrust("a test")
        engine = own.keeper._engine
        nowhere = create_engine(
            own.settings.model_copy(
                update={"database_url": "postgresql+asyncpg://nobody@127.0.0.1:1/none"}
            )
        )

        async def frozen(*_):
            own.keeper._engine = nowhere
            raise TimeoutError

        with monkeypatch.context() as patch:
            patch.setattr(keeping, "read_tail", frozen)
            with pytest.raises(OSError):
                await own.keeper.recover()
        own.keeper._engine = engine
        await own.keeper.recover()
        assert own.index.available
        assert (await own.index.state()).epoch == epoch
        await nowhere.dispose()


# Whose turn it is


async def test_a_worker_that_cannot_reach_postgresql_gives_its_turn_away(sandbox):
    async with parts(sandbox) as own, parts(sandbox) as other:
        await own.keeper.recover()
        await other.keeper.recover()
        await own.keeper.look()
        await other.keeper.look()
        assert (own.keeper._is_sweeper, other.keeper._is_sweeper) == (True, False)
        nowhere = create_engine(
            own.settings.model_copy(
                update={"database_url": "postgresql+asyncpg://nobody@127.0.0.1:1/none"}
            )
        )
        own.keeper._engine, engine = nowhere, own.keeper._engine
        for _ in range(2):
            with pytest.raises(OSError):
                await own.keeper.look()
            await other.keeper.look()
            assert (own.keeper._is_sweeper, other.keeper._is_sweeper) == (False, True)
        # Reads from the index go on meanwhile, on both.
        assert own.index.available
        own.keeper._engine = engine
        await own.keeper.look()
        assert not own.keeper._is_sweeper
        await nowhere.dispose()


async def test_the_turn_of_a_sweeper_that_died_ends_by_itself(sandbox):
    connection = await sandbox.connect()
    (ada,) = await add_players(connection, 1)
    async with (
        parts(sandbox, sweep_interval=0.04) as own,
        parts(sandbox, sweep_interval=0.04) as other,
    ):
        await own.keeper.recover()
        await other.keeper.recover()
        await own.keeper.look()
        await play(connection, ada, 5)  # and nobody hears of own or of this any more
        async with asyncio.timeout(5):
            while await order(other) != [ada]:
                await other.keeper.look()
                await asyncio.sleep(0.01)
    await connection.close()


async def test_the_watermark_covers_nothing_that_redis_forgot(sandbox):
    """A sweep leaves out what was heard in the stream. If Redis then comes back without it, the
    next trust has to bring it in, although the sweep had looked at it."""
    connection = await sandbox.connect()
    ada, bo = await add_players(connection, 2)
    async with parts(sandbox) as own:
        await own.keeper.recover()
        await play(connection, ada, 5)
        await own.standings.apply(await folds_of(own, ada))
        kept = dump(sandbox, own)
        await own.keeper.look()
        event = await play(connection, bo, 9)
        applied = await own.standings.apply(await folds_of(own, bo))
        state = await own.index.state()
        own.follower.epoch, own.follower.position = state.epoch, applied.position
        own.follower.recent.note([(bo, event)])
        await own.keeper.look()
        await own.keeper.look()
        assert (await own.index.state()).watermark.split()[0] == str(event)
        restore(sandbox, kept)
        with pytest.raises(IndexAway):
            await own.keeper.look()
        await own.keeper.recover()
        assert await order(own) == [bo, ada]
    await connection.close()


async def test_a_broken_build_is_dropped_and_a_running_one_is_not(sandbox):
    async with parts(sandbox) as own:
        await own.keeper.recover()
        with sandbox.redis() as client:
            client.hset(own.index.state_key, "building", "dead")
            client.zadd(f"{own.index.prefix}dead:z", {"x" * 20: 0})
            client.set(f"{own.index.prefix}rebuild", "somebody")
            await own.keeper.look()
            assert (await own.index.state()).building == "dead"
            client.delete(f"{own.index.prefix}rebuild")
            await own.keeper.look()
            assert (await own.index.state()).building == ""
            assert not client.exists(f"{own.index.prefix}dead:z")
