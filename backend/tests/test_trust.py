"""When the index is trusted, and what is told while it is not. Interleavings are forced."""

import pytest

from app.services.rank_index.index import IndexAway
from tests.index_helpers import add_players, folds_of, parts, play


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
