"""Imported games reach the index whatever breaks off; an export is never in memory as a whole."""

import asyncio
from datetime import UTC, datetime, timedelta

from app.core.database import raw_connection
from app.services import exports, imported
from app.services.imports import Game, Importer, look_up
from app.services.rank_index.index import IndexAway
from app.services.submissions import Receipt, Submission
from app.services.verify import verify

LONG_AGO = datetime.now(UTC) - timedelta(days=300)
GAMES = 20_000


def game(row, name, number, at=LONG_AGO):
    return Game(row, name, Submission(0, number, "arena", None, None, at))


async def differences(sandbox):
    found = []
    await verify(sandbox.make_settings(), found.append)
    return found


async def test_the_sweeper_finds_old_games_that_were_not_indexed(sandbox, monkeypatch):
    """Another worker sweeps, which knows nothing of games that are older than its own window."""
    async with (
        sandbox.worker(played_at_window=3e7, sweep_interval=3_000) as worker,
        sandbox.worker(sweep_interval=0.1) as sweeper,
    ):
        file = imported.SourceFile(b"digest", 1, [], imported.Rows())
        importer = Importer(worker.service, await imported.begin(worker.service.engine, file))

        async def lost(*_):
            raise IndexAway("lost on the way")

        with monkeypatch.context() as patched:
            patched.setattr(type(worker.standings), "apply", lost)
            outcomes = await importer.store(
                [game(1, "Nova", 5), game(2, "Zed", 7), game(3, "nova", 1)]
            )
        assert all(isinstance(each, Receipt) for each in outcomes), outcomes
        assert importer.players_made == 2
        async with asyncio.timeout(10):
            while [row["total_score"] for row in await sweeper.top()] != [7, 6]:
                await asyncio.sleep(0.05)
        assert await differences(sandbox) == []

        await importer.store([game(4, "Nova", 9)])
        again = await importer.store([game(4, "Nova", 9), game(2, "Zed", 7)])
        assert [each.replayed for each in again] == [True, True]
        await importer.close()
        assert await differences(sandbox) == []
        async with raw_connection(worker.service.engine) as connection:
            assert await connection.fetchval("SELECT count(*) FROM player_events") == 0


async def test_a_large_export_comes_in_bounded_chunks(sandbox):
    async with sandbox.worker(played_at_window=3e7) as worker:
        engine = worker.service.engine
        await worker.add_players(3)
        async with raw_connection(engine) as connection:
            await connection.execute(
                "INSERT INTO game_sessions (user_id, score, game_mode) "
                "SELECT 1 + i % 3, i, 'arena' FROM generate_series(1, $1::int) AS i",
                GAMES,
            )
        async with exports.open_export(engine, exports.games()) as (total, chunks):
            sizes, last = [], 0
            async for rows in chunks:
                sizes.append(len(rows))
                for session_id, *_ in rows:
                    assert session_id > last
                    last = session_id
        assert (total, sum(sizes)) == (GAMES, GAMES)
        assert max(sizes) == exports.CHUNK


async def test_names_are_looked_up_whatever_their_case(worker):
    (user_id,) = await worker.add_players(1, "Žofie")
    games = [game(1, "žOFIE-0", 1), game(2, "Nobody", 1)]
    assert (await look_up(worker.service.engine, games)).names == {"žOFIE-0": user_id}
