"""`verify` beside a service: in small steps, with rests, without a long snapshot."""

import time

import asyncpg

from app.services import verify as verifying
from app.services.verify import Pace, verify


async def test_every_step_finds_what_is_wrong_in_it(sandbox, monkeypatch):
    """Chunks of two or three: repeated ids and wrong folds at the borders."""
    monkeypatch.setattr(verifying, "PLAYERS", 2)
    monkeypatch.setattr(verifying, "EVENTS", 3)
    monkeypatch.setattr(verifying, "CHUNK", 2)
    monkeypatch.setattr(verifying, "LOOK_SECONDS", 0.05)
    async with sandbox.worker() as worker:
        players = await worker.add_players(5)
        for player in players:
            await worker.submit(player, player)
        found: list[str] = []
        assert await verify(sandbox.settings, found.append) == 0, found
        connection = await sandbox.connect()
        sessions = [row[0] for row in await connection.fetch("SELECT id FROM game_sessions")]
        for session in (min(sessions), max(sessions)):
            await connection.execute(
                "INSERT INTO game_sessions (id, user_id, score, game_mode) VALUES ($1, $2, 0, 'x')",
                session, players[2],
            )  # fmt: skip
        await connection.execute(
            "INSERT INTO game_sessions (id, user_id, score, game_mode) "
            "SELECT 1000, $1, 0, 'x' FROM generate_series(1, 2)",
            players[2],
        )
        await connection.execute(
            "UPDATE leaderboard SET total_score = total_score + 1 WHERE user_id = ANY($1)",
            [players[0], players[1], players[4]],
        )
        await connection.close()
        await verify(sandbox.settings, found.append)
    repeated = {line for line in found if line.startswith("ledger")}
    assert len(repeated) == 3, found
    folds = {int(line.split("player ")[1].split(":")[0]) for line in found if "folds:" in line}
    assert folds == set(players) - {players[3]}


async def test_a_step_is_followed_by_a_rest_as_long(monkeypatch):
    slept = []

    async def sleep(seconds):
        slept.append(seconds)

    monkeypatch.setattr(verifying.asyncio, "sleep", sleep)
    now = [5.0]
    monkeypatch.setattr(verifying.time, "monotonic", lambda: now[0])
    pace = Pace()
    for took in (0.25, 7.0):
        now[0] += took
        await pace.rest()
    assert slept == [0.25, verifying.MAX_REST_SECONDS]


async def test_no_snapshot_is_held_while_it_rests(sandbox, monkeypatch):
    """A long snapshot would keep dead rows from being removed, at the very boards that are busy."""
    held = []
    rest = Pace.rest

    async def looked_at(pace):
        connection = await asyncpg.connect(
            sandbox.servers.postgres_dsn.replace("/leaderboard?", f"/{sandbox.name}?")
        )
        held.append(
            await connection.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                "AND backend_type = 'client backend' AND pid <> pg_backend_pid() "
                "AND coalesce(backend_xmin::text, xact_start::text) IS NOT NULL"
            )
        )
        await connection.close()
        await rest(pace)

    async with sandbox.worker(sweep_interval=60) as worker:
        (player,) = await worker.add_players(1)
        await worker.submit(player, 1)
    # Without the service, whose own short transactions would be counted.
    monkeypatch.setattr(Pace, "rest", looked_at)
    started = time.monotonic()
    assert await verify(sandbox.settings, lambda _: None) == 0
    assert time.monotonic() - started < 20
    assert held
    assert set(held) == {0}
