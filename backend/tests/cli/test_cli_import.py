"""A game of a file counts once for good: repeated, broken off, grown or twice at once."""

import asyncio
import hashlib
import json
import signal
import subprocess
import sys

import pytest
from cli_helpers import COMMAND, environment, run

from app.services.imported import Rows
from app.services.verify import verify

GAMES = 12_000

CUT = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


@pytest.fixture
async def database(sandbox):
    connection = await sandbox.connect()
    yield connection
    await connection.close()


async def begin(sandbox, file, *more):
    """`leaderboard import games` on the sandbox's servers."""
    settings = sandbox.settings
    return await asyncio.create_subprocess_exec(
        *COMMAND, "import", "games", str(file), *more,
        env=environment(
            DATABASE_URL=settings.database_url,
            REDIS_URL=settings.redis_url,
            REDIS_PREFIX=settings.redis_prefix,
        ),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )  # fmt: skip


async def bring(sandbox, file, *more, code=0):
    """What it says at its end."""
    process = await begin(sandbox, file, *more)
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == code, (out, err)
    return out.decode().rstrip()


def lines(first, last):
    return "".join(
        json.dumps({"username": f"p{number % 40}", "score": number, "won": number % 2 == 0}) + "\n"
        for number in range(first, last + 1)
    )


async def total(database):
    """Games and their scores, in the ledger and on the board."""
    ledger = await database.fetchrow("SELECT count(*), sum(score)::bigint FROM game_sessions")
    board = await database.fetchrow(
        "SELECT sum(games_played)::bigint, sum(total_score)::bigint FROM leaderboard"
    )
    assert tuple(board) == tuple(ledger)
    return tuple(ledger)


async def forget_keys(database):
    """What IDEMPOTENCY_HOURS does when they are over."""
    await database.execute("DELETE FROM submission_keys")


async def all_agree(sandbox):
    found = []
    await verify(sandbox.make_settings(), found.append)
    assert found == []


async def test_a_file_repeated_and_grown(sandbox, database, tmp_path):
    file = tmp_path / "g.ndjson"
    file.write_text(lines(1, 2_500))
    assert await bring(sandbox, file) == (
        "2,500 games came in with 40 new players, 0 were there already, 0 rows rejected."
    )
    once = await total(database)
    assert once == (2_500, 2_500 * 2_501 // 2)
    assert await database.fetchval("SELECT count(*) FROM submission_keys") == 0

    await forget_keys(database)
    again = await bring(sandbox, file)
    begun = await database.fetchval("SELECT begun_at FROM imports")
    assert again == (
        f"This file was imported on {begun:%Y-%m-%d %H:%M} UTC: nothing was added, 0 rows rejected."
    )
    assert await total(database) == once

    with file.open("a") as out:
        out.write(lines(2_501, 2_700))
    tried = await bring(sandbox, file, "--dry-run")
    assert "200 games could come in, 0 players would be new, 2,500 games are there already" in tried
    grown = await bring(sandbox, file)
    assert grown.startswith("200 games came in with 0 new players, 2,500 were there already")
    assert await total(database) == (2_700, 2_700 * 2_701 // 2)
    assert "nothing was added" in await bring(sandbox, file)

    acts = await database.fetch(
        "SELECT subject, detail FROM audit_log WHERE action = 'import' ORDER BY id"
    )
    assert {row["subject"] for row in acts} == {"file:g.ndjson"}
    details = [json.loads(row["detail"]) for row in acts]
    assert sum(detail["games"] for detail in details) == 2_700
    assert details[-1]["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()

    # Another beginning is another file.
    file.write_text(lines(2, 3))
    assert (await bring(sandbox, file)).startswith("2 games came in")
    await all_agree(sandbox)


async def test_a_last_line_that_goes_on_is_another_row(sandbox, database, tmp_path):
    file = tmp_path / "g.csv"
    file.write_text("username,score\nNova,1\nNova,2")
    await bring(sandbox, file)
    file.write_text("username,score\nNova,1\nNova,2\r\nNova,30\r\n")
    assert (await bring(sandbox, file)).startswith("1 games came in")
    assert await total(database) == (3, 33)
    file.write_text("username,score\nNova,1\nNova,25\n")
    assert (await bring(sandbox, file)).startswith("2 games came in")


async def test_refused_rows_are_tried_again(sandbox, database, tmp_path):
    file = tmp_path / "g.csv"
    rows = ["user_id,username,score,submission_id"]
    rows += [",Nova,1,a", "9,,2,b", ",Nova,4,c", ",Nova,nine,d", "9,,8,", ",Zed,16,a"]
    file.write_text("\n".join(rows))
    done = await bring(sandbox, file, code=1)
    assert done.startswith("2 games came in with 2 new players")
    assert done.endswith("4 rows rejected.")
    assert await total(database) == (2, 5)

    await database.execute(
        "INSERT INTO users (id, username) OVERRIDING SYSTEM VALUE VALUES (9,'n')"
    )
    again = await bring(sandbox, file, code=1)
    # The row of a player who was not there is in, and one with another game's id is still refused.
    assert again == "2 games came in with 0 new players, 2 were there already, 2 rows rejected."
    assert await total(database) == (4, 15)
    rejected = (tmp_path / "g.csv.rejected").read_text().splitlines()
    assert [row.split(",")[0] for row in rejected] == ["line", "5", "7"]

    # A game that another file brought in under its id counts as there for this file too.
    other = tmp_path / "other.csv"
    other.write_text("username,score,submission_id\nNova,1,a\nNova,32,e\n")
    assert (await bring(sandbox, other)).startswith("1 games came in with 0 new players, 1 were")
    await forget_keys(database)
    assert "nothing was added" in await bring(sandbox, other)
    assert await total(database) == (5, 47)
    await all_agree(sandbox)


async def test_many_rows_without_a_good_one_and_a_file_of_a_spreadsheet(
    sandbox, database, tmp_path
):
    file = tmp_path / "g.csv"
    rows = ["sep=;", "Username;Score ;Won;Played_at"]
    rows += [f"p{number};nine;1;" for number in range(2_100)]
    rows += [";;;", "Žofie;1500.0;yes;2024-01-31 12:00:00+00", "Nova;2;0;2024-01-31 12:00"]
    file.write_bytes("\r\n".join(rows).encode("utf-16"))
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "g.csv.rejected").symlink_to(victim)
    done = await bring(sandbox, file, "--timezone", "America/New_York", code=1)
    assert done == (
        "2 games came in with 2 new players, 0 were there already, 2,100 rows rejected."
    )
    assert await total(database) == (2, 1502)
    found = await database.fetch("SELECT timestamp, won FROM game_sessions ORDER BY id")
    assert [(row["timestamp"].hour, row["won"]) for row in found] == [(12, True), (17, False)]

    assert victim.read_text() == "precious"
    kept = (tmp_path / "g.csv.rejected").read_bytes()
    first, second, *_, last = kept.decode("utf-8-sig").splitlines()
    assert kept.startswith(b"\xef\xbb\xbf")
    assert (first, second, last) == (
        "line;reason;username;score;won;played_at",
        "3;score: must be a whole number;p0;nine;1;",
        "2102;score: must be a whole number;p2099;nine;1;",
    )
    # What was rejected and put right comes in.
    (tmp_path / "again.csv").write_bytes(kept.replace(b"nine", b"9"))
    assert (await bring(sandbox, tmp_path / "again.csv")).startswith("2,100 games came in")
    refused = await begin(sandbox, file, "--timezone", "Mars/Base")
    _, err = await refused.communicate()
    assert err == b"leaderboard: there is no time zone Mars/Base: write it as in Europe/Berlin\n"


async def test_an_import_that_was_killed_goes_on_where_it_was(sandbox, database, tmp_path):
    file = tmp_path / "g.ndjson"
    file.write_text(lines(1, GAMES))
    process = await begin(sandbox, file)
    async with asyncio.timeout(60):
        while await database.fetchval("SELECT count(*) FROM game_sessions") < 3_000:
            await asyncio.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    await process.communicate()
    await forget_keys(database)
    kept, _ = await total(database)
    assert 3_000 <= kept < GAMES
    assert await bring(sandbox, file) == (
        f"{GAMES - kept:,} games came in with 0 new players, {kept:,} were there already, "
        "0 rows rejected."
    )
    assert await total(database) == (GAMES, GAMES * (GAMES + 1) // 2)
    await all_agree(sandbox)


async def test_connections_that_are_cut_lose_and_double_nothing(sandbox, database, tmp_path):
    """Also where it is not known whether a batch was committed."""
    file = tmp_path / "g.ndjson"
    file.write_text(lines(1, GAMES))
    cuts, runs, code = 0, 0, 1
    async with asyncio.timeout(120):
        while code:
            assert (runs := runs + 1) < 20
            process = await begin(sandbox, file)
            done = asyncio.create_task(process.communicate())
            while not done.done():
                await asyncio.wait([done], timeout=0.4)
                if cuts < 6 and await database.fetchval("SELECT count(*) FROM game_sessions"):
                    cuts += await database.fetchval(CUT)
            _, err = await done
            code = process.returncode
            assert code == 0 or err.endswith(b"Run it again: no game counts twice.\n"), err
    assert cuts >= 3
    assert await total(database) == (GAMES, GAMES * (GAMES + 1) // 2)
    assert "nothing was added" in await bring(sandbox, file)
    await all_agree(sandbox)


async def test_a_row_that_the_database_refuses(sandbox, database, tmp_path):
    file = tmp_path / "g.ndjson"
    file.write_text(lines(1, 1_500))
    await database.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN IF NEW.score IN (13, 700) THEN RAISE 'unlucky'; END IF; RETURN NEW; END $$; "
        "CREATE TRIGGER refuse BEFORE INSERT ON game_sessions "
        "FOR EACH ROW EXECUTE FUNCTION refuse()"
    )
    done = await bring(sandbox, file, code=1)
    assert done.startswith("1,498 games came in")
    await database.execute("DROP FUNCTION refuse CASCADE")
    assert (await bring(sandbox, file)).startswith("2 games came in with 0 new players, 1,498 were")
    assert await total(database) == (1_500, 1_500 * 1_501 // 2)
    await all_agree(sandbox)


async def test_two_imports_of_one_file_at_once(sandbox, database, tmp_path):
    file = tmp_path / "g.ndjson"
    file.write_text(lines(1, GAMES))
    said = await asyncio.gather(bring(sandbox, file), bring(sandbox, file))
    assert all("0 rows rejected" in each for each in said), said
    assert await total(database) == (GAMES, GAMES * (GAMES + 1) // 2)
    runs = await database.fetch("SELECT first_row, last_row FROM imported_rows ORDER BY last_row")
    assert len(Rows(map(tuple, runs))) == GAMES
    await all_agree(sandbox)


def test_a_backup_knows_what_was_imported(data, tmp_path):
    file = tmp_path / "g.ndjson"
    file.write_text(lines(1, 50))
    assert run("import", "games", file, "--data", data).returncode == 0
    assert run("backup", tmp_path / "b.dump", "--data", data).returncode == 0
    restored = tmp_path / "restored"
    assert run("restore", tmp_path / "b.dump", "--data", restored).returncode == 0
    again = run("import", "games", file, "--data", restored)
    assert "nothing was added" in again.stdout, again.stderr


def test_rows():
    rows = Rows([(7, 9), (1, 1), (10, 10)])
    assert [row for row in range(12) if row in rows] == [1, 7, 8, 9, 10]
    assert len(rows) == 5
    assert len(Rows()) == 0
    assert sys.maxsize not in Rows()
