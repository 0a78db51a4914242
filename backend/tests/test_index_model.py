"""The sorted list that stands for the index in unit tests does what `apply.lua` does."""

from random import Random

from app.core.redis import create_client
from app.services.rank_index.index import IndexedFold, RankIndex
from tests.unit.index_model import IndexModel
from tests.unit.walking import BIG, Board


async def test_the_model_writes_the_same_steps_as_the_script(sandbox):
    settings = sandbox.make_settings(index_window=6, live_top=3, index_chunk=1_000)
    async with sandbox.worker() as worker:
        board = worker.standings.board
    client = create_client(settings, lambda _: None, timeout=5, connections=1)
    rng = Random(5)
    try:
        sandbox.forget_index()
        index = RankIndex(client, settings, board)
        await client.hset(index.state_key, mapping={"epoch": "e", "position": 0, "version": 0})
        model = IndexModel(6, descending=board.descending)
        ids = [*range(250, 262), *range(BIG - 2, BIG + 3), 256 * BIG]
        players = Board(rng, ids, BIG - 500)
        expected = []
        for _ in range(60):
            size = rng.choice((1, 2, 5, 18))
            batch = [
                IndexedFold(players.change(each), b"" if rng.random() < 0.3 else b"d%d" % each)
                for each in rng.sample(ids, size)
            ]
            # Old news within new ones, and a call of old news alone.
            batch += rng.sample(batch, rng.choice((0, 1)))
            for folds in (batch, batch[:1]):
                applied = await index.apply(folds)
                fields = model.apply(folds)
                expected += [] if fields is None else [(b"%d-0" % model.position, fields)]
                assert (applied.position, applied.version) == (model.position, model.version)
                assert applied.players == len(model.order)
        assert await client.xrange(f"{index.prefix}e:d") == expected
        assert len(expected) == 60
    finally:
        await client.aclose()
