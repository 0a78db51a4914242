"""`leaderboard players`, beside a running service."""

import asyncio
import json

import pytest
from typer.testing import CliRunner

from app.cli.commands import app


@pytest.fixture
def leaderboard(sandbox, monkeypatch):
    """Runs a command on the sandbox's servers: exit code, output, errors."""
    monkeypatch.setenv("DATABASE_URL", sandbox.settings.database_url)
    monkeypatch.setenv("REDIS_URL", sandbox.settings.redis_url)
    monkeypatch.setenv("REDIS_PREFIX", sandbox.settings.redis_prefix)

    async def run(*arguments: object) -> tuple[int, str, str]:
        words = [str(each) for each in ("players", *arguments)]
        done = await asyncio.to_thread(CliRunner().invoke, app, words)
        return done.exit_code, done.stdout, done.stderr

    return run


async def test_erased_players_leave_the_boards_of_a_running_service(worker, leaderboard):
    ada, bo, cy = await worker.add_players(3)
    for user_id, score in ((ada, 3), (bo, 2), (cy, 1)):
        await worker.submit(user_id, score)
    assert await leaderboard("erase", ada, bo, "--reason", "asked for") == (
        0, "2 players are erased.\n", "",
    )  # fmt: skip
    async with asyncio.timeout(10):
        while [each["user_id"] for each in await worker.top()] != [cy]:
            await asyncio.sleep(0.05)
    assert (await worker.client.get(f"/api/users/{ada}")).status_code == 410
    acts = (await worker.client.get("/api/audit")).json()["entries"]
    assert [(each["action"], each["reason"]) for each in acts] == [
        ("player.erase", "asked for")
    ] * 2
    assert acts[0]["actor"].startswith("os:")


async def test_the_list_erases_again_after_a_restore(sandbox, worker, leaderboard, tmp_path):
    ada, bo = await worker.add_players(2)
    await leaderboard("erase", bo)
    code, erased, _ = await leaderboard("erased")
    assert (code, erased.split()[0], len(erased.splitlines())) == (0, str(bo), 1)
    # As a backup of before would bring the player back.
    connection = await sandbox.connect()
    await connection.execute("DELETE FROM erasures")
    await connection.execute("UPDATE users SET username = 'Bo', email = 'b@b.bb' WHERE id = $1", bo)
    file = tmp_path / "erased.txt"
    file.write_text(erased + "999 2026-01-01T00:00:00+00:00\n\n")
    code, said, problem = await leaderboard("erase", "--file", file)
    assert (code, said) == (1, "1 player is erased.\n")
    assert "no player 999" in problem
    assert await connection.fetchval("SELECT email FROM users WHERE id = $1", bo) is None
    await connection.close()
    assert (await worker.client.get(f"/api/users/{ada}")).status_code == 200


async def test_an_export(worker, leaderboard):
    (ada,) = await worker.add_players(1)
    await worker.submit(ada, 5, metadata={"level": 7})
    code, out, _ = await leaderboard("export", ada)
    found = json.loads(out)
    assert (code, found["player"]["user_id"]) == (0, ada)
    assert found["sessions"][0]["metadata"] == {"level": 7}
    code, _, problem = await leaderboard("export", 999)
    assert (code, "There is no player 999." in problem) == (1, True)


@pytest.mark.parametrize("line", ["1_0", "+1", "0", "\u0663", "x", "9" * 30])
async def test_a_line_that_is_no_id_is_refused(leaderboard, tmp_path, line):
    file = tmp_path / "erased.txt"
    file.write_text(f"{line} 2026-01-01\n")
    code, _, problem = await leaderboard("erase", "--file", file)
    assert (code, "line 1" in problem) == (1, True), problem
