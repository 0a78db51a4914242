"""Idempotency keys are forgotten in bounded work, by one worker at a time."""

import asyncio

from app.core.database import create_engine
from app.services.submit import forgetting
from app.services.submit.forgetting import forget_keys

ADD = """
INSERT INTO submission_keys (key_hash, body_hash, session_id, created_at)
SELECT decode(md5(i::text || $2), 'hex'), decode(md5('b'), 'hex'), i, now() - $2::interval
FROM generate_series(1, $1::int) AS i
"""


async def test_keys_are_forgotten_in_steps_and_no_sooner_than_promised(sandbox, monkeypatch):
    connection = await sandbox.connect()
    for age, keys in (("72 hours", 450), ("50 hours", 50), ("47 hours 59 minutes", 7)):
        await connection.execute(ADD.replace("$2", f"'{age}'"), keys)
    monkeypatch.setattr(forgetting, "STEP", 100)
    monkeypatch.setattr(forgetting, "PAUSE_SECONDS", 0)
    engine = create_engine(sandbox.settings)
    assert await forget_keys(engine, 48) == 500
    assert await forget_keys(engine, 48) == 0
    assert await connection.fetchval("SELECT count(*) FROM submission_keys") == 7
    await connection.close()
    await engine.dispose()


async def test_one_worker_at_a_time_forgets(sandbox, monkeypatch):
    connection = await sandbox.connect()
    await connection.execute(ADD.replace("$2", "'72 hours'"), 100)
    engine = create_engine(sandbox.settings)
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", forgetting._LOCK)
        assert await asyncio.wait_for(forget_keys(engine, 48), 5) == 0
    assert await forget_keys(engine, 48) == 100
    await connection.close()
    await engine.dispose()


async def test_a_step_reads_what_it_deletes(sandbox):
    """However many younger keys there are, and however many old ones wait."""
    connection = await sandbox.connect()
    for age in ("72 hours", "1 hour"):
        await connection.execute(ADD.replace("$2", f"'{age}'"), 6_000)
    await connection.execute("ANALYZE submission_keys")
    async with connection.transaction():
        cutoff = await connection.fetchval(forgetting._CUTOFF, 48)
        rows = await connection.fetch(
            f"EXPLAIN (ANALYZE, BUFFERS, COSTS OFF) {forgetting._FORGET}", cutoff, 100
        )
    plan = "\n".join(row[0] for row in rows)
    assert "idx_submission_keys_hour" in plan
    assert "Seq Scan" not in plan
    assert "Tid Scan" in plan
    await connection.close()
