"""Data out as files and in again: nothing is lost on the way, and nothing counted twice."""

import csv
import io
import json
import stat

from cli_helpers import Service, run
from conftest import copy
from hypothesis import given
from hypothesis import strategies as st
from test_cli_backup import post, submit

from app.cli.transfer.formats import Format, encoder, guard, unguard

NAMES = [
    "=cmd()",
    "-7",
    "+1",
    "@me",
    "'=quoted",
    "''+",
    "o'Brien",
    'says "hi"',
    "a,b;c",
    "x;=1+2",
    "a|-b",
    "o;'=1",
    "Žofie 龍",
]


def rows_of(file):
    with file.open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def export(what, file, data, *more):
    done = run("export", what, file, "--data", data, *more)
    assert done.returncode == 0, done.stderr
    return file


@given(st.text())
def test_any_text_survives_the_guard_against_formulas(text):
    assert unguard(guard(text)) == text
    assert not guard(text).startswith(("=", "+", "-", "@", "\t", "\r"))


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=2, max_size=2))
def test_csv_and_ndjson_keep_any_text(texts):
    head, encode = encoder(Format.CSV, ("a", "b"))
    _, row = csv.reader(io.StringIO(head + encode([texts]), newline=""))
    assert [unguard(cell) for cell in row] == texts
    _, encode = encoder(Format.NDJSON, ("a", "b"))
    assert json.loads(encode([texts])) == dict(zip("ab", texts, strict=True))


def test_export(data, tmp_path):
    with Service(data) as service:
        assert run("demo", "--data", data, "--players", 40, "--rate", 0).returncode == 0
        ids = {
            name: post(service, "/api/users", {"username": name, "email": f"{number}@example.com"})[
                "user_id"
            ]
            for number, name in enumerate(NAMES)
        }
        for name in NAMES:
            submit(service, ids[name], 2**53 - 1, mode="-x")  # all of them tied
        status, page = service.get("/api/leaderboard/top?limit=1000")
        assert status == 200

        file = export("standings", tmp_path / "s.ndjson", data)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        rows = [json.loads(line) for line in file.read_text().splitlines()]
        moments = [row.pop("achieved_at") for row in rows]
        entries = page["entries"]
        assert [each[:23] + "Z" for each in moments] == [row.pop("achieved_at") for row in entries]
        assert rows == entries
        table = rows_of(export("standings", tmp_path / "s.csv", data))
        names = [unguard(row["username"]) for row in table]
        assert names == [entry["username"] for entry in entries]

        games = rows_of(export("games", tmp_path / "g.csv", data))
        assert [int(game["session_id"]) for game in games] == sorted(
            int(game["session_id"]) for game in games
        )
        mine = [game for game in games if game["game_mode"] == "'-x"]
        assert [unguard(game["username"]) for game in mine] == NAMES
        assert {game["score"] for game in mine} == {str(2**53 - 1)}
        assert {game["metadata"] for game in mine} == {'{"level": 7}'}

        plain = run("export", "players", "-", "--format", "csv", "--data", data)
        assert plain.stdout.startswith("user_id,username,join_date,is_active\n"), plain.stderr
        marked = export("players", tmp_path / "p.csv", data, "--bom").read_bytes()
        assert marked.decode("utf-8-sig").replace("\r", "") == plain.stdout
        assert len(marked) == len(plain.stdout.replace("\n", "\r\n").encode()) + 3
        assert "@example" not in plain.stdout
        assert "export.emails" not in run("audit", "--data", data).stdout
        full = run("export", "players", "-", "--format", "ndjson", "--emails", "--data", data)
        assert len(full.stdout.splitlines()) == 53
        assert json.loads(full.stdout.splitlines()[-1])["email"] == "12@example.com"
        assert "export.emails" in run("audit", "--limit", 1, "--data", data).stdout
        assert service.end() == 0

    again = run("export", "games", tmp_path / "g.csv", "--data", data)
    assert (again.returncode, "is there already" in again.stderr) == (1, True)
    for wrong in (
        ("standings", tmp_path / "x.csv", "--board", "none"),
        ("standings", tmp_path / "x.csv", "--season", 9),
        ("standings", tmp_path / "x.txt"),
        ("standings", tmp_path / "no" / "x.csv"),
        ("games", tmp_path / "x.csv", "--board", "global"),
        ("games", tmp_path / "x.csv", "--emails"),
        ("games", tmp_path / "x.ndjson", "--bom"),
    ):
        refused = run("export", *wrong, "--data", data)
        assert (refused.returncode, refused.stderr.count("\n")) == (1, 1), refused.stderr
    assert not list(tmp_path.glob("*x.*"))


def standings(data, tmp_path, name):
    """The board without what differs from one database to another."""
    rows = rows_of(export("standings", tmp_path / name, data))
    return [{**row, "user_id": None} for row in rows]


def verify(data):
    verified = run("verify", "--data", data)
    assert verified.returncode == 0, verified.stdout
    assert verified.stdout.endswith("All agree.\n"), verified.stderr


def bring(file, data, *more, code=0):
    done = run("import", "games", file, "--data", data, *more)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def write(file, columns, *rows):
    with file.open("w", newline="", encoding="utf-8") as out:
        csv.writer(out).writerows([columns, *rows])
    return file


def test_games_go_round(data, cli_seed, tmp_path):
    with Service(data) as service:
        assert run("demo", "--data", data, "--players", 400, "--rate", 0).returncode == 0
        for number, name in enumerate(NAMES):
            made = post(service, "/api/users", {"username": name})
            submit(service, made["user_id"], -5 if number % 2 else 7, mode="-x")  # ties
        assert service.end() == 0
    before = standings(data, tmp_path, "before.csv")
    table = export("games", tmp_path / "g.csv", data)
    lines = export("games", tmp_path / "g.ndjson", data)

    # Into a running service by CSV; its board shows it.
    (tmp_path / "a").mkdir()
    into = copy(cli_seed, tmp_path / "a")
    with Service(into) as service:
        tried = bring(table, into, "--dry-run")
        assert "413 players would be new" in tried.stdout
        assert service.get("/api/leaderboard/top")[1]["total_players"] == 0
        done = bring(table, into)
        assert "413 new players, 0 were there already, 0 rows rejected." in done.stdout
        page = service.get("/api/leaderboard/top?limit=1000")[1]["entries"]
        assert [row["username"] for row in page] == [unguard(row["username"]) for row in before]
        again = bring(table, into)  # the same file
        assert "nothing was added" in again.stdout
        verify(into)
        assert service.end() == 0
    assert standings(into, tmp_path, "after.csv") == before
    keys = ("username", "score", "game_mode", "played_at", "duration_ms", "won", "metadata")
    moved = rows_of(export("games", tmp_path / "moved.csv", into))
    assert [[row[key] for key in keys] for row in moved] == [
        [row[key] for key in keys] for row in rows_of(table)
    ]

    # Into a data folder that nobody serves by NDJSON.
    (tmp_path / "b").mkdir()
    cold = copy(cli_seed, tmp_path / "b")
    bring(lines, cold)
    assert standings(cold, tmp_path, "cold.csv") == before
    verify(cold)


def test_old_games_known_games_and_bad_rows(data, tmp_path):
    good = [
        ("Nova", 10, "2011-03-01T12:00:00+01:00", "true", "", "m-1"),
        ("nova", 5, "1999-12-31T23:59:59.123456Z", "", '{"a": 1}', "m-2"),
        ("'=cmd()", 15, "", "false", "", "m-3"),
    ]
    bad = [
        ("Nova", 1.5, "", "", "", "m-4"),
        ("", 1, "", "", "", "m-5"),
        ("Bad\u200bname", 1, "", "", "", "m-6"),
        ("Nova", 1, "2999-01-01T00:00:00Z", "", "", "m-7"),
        ("Nova", 1, "yesterday", "", "", "m-8"),
        ("Nova", 1, "", "perhaps", "", "m-9"),
        ("Nova", 1, "", "", "[1]", "m-10"),
        ("Nova", 2**53, "", "", "", "m-11"),
        ("Nova", 2**53 - 1, "", "", "", "m-12"),  # the total would be out of range
        ("Nova", 6, "2011-03-01T11:00:00Z", "true", "", "m-1"),  # another game with m-1's id
        ("Nova",),
    ]
    columns = ("username", "score", "played_at", "won", "metadata", "submission_id")
    file = write(tmp_path / "g.csv", columns, *good, *bad)
    rejected = tmp_path / "g.csv.rejected"

    tried = bring(file, data, "--dry-run", code=1)
    # Two of the bad ones show only when they are counted.
    assert "5 games could come in, 2 players would be new, 0 " in tried.stdout
    assert "9 rows rejected." in tried.stdout
    assert not rejected.exists()

    done = bring(file, data, code=1)
    assert "3 games came in with 2 new players" in done.stdout
    assert "11 rows rejected." in done.stdout
    assert "line 5: score: " in done.stderr
    rows = rows_of(rejected)
    assert [row["submission_id"] for row in rows[:-1]] == [row[-1] for row in bad[:-1]]
    assert {int(row["line"]) for row in rows} == set(range(5, 16))
    fields = [row["reason"].split(":")[0] for row in rows[:8]]
    assert fields == [
        "score", "username", "username", "played_at", "played_at", "won", "metadata", "score",
    ]  # fmt: skip
    assert "key was used before" in rows[9]["reason"]
    board = rows_of(export("standings", tmp_path / "s.csv", data))
    assert [(row["username"], row["total_score"]) for row in board] == [
        ("Nova", "15"),
        ("'=cmd()", "15"),
    ]
    assert board[0]["achieved_at"] == "1999-12-31T23:59:59.123456Z"  # the later one in the file

    # Put right and brought in again: what is there counts once, and a rejected file is a file.
    write(tmp_path / "again.csv", columns, *good, ("Nova", 1, "", "", "", "m-4"))
    done = bring(tmp_path / "again.csv", data)
    assert done.stdout.startswith("1 games came in with 0 new players, 3 were there already")
    bring(rejected, data, "--format", "csv", code=1)
    verify(data)

    for name, text in (("x.csv", "who,score\r\n"), ("y.csv", "username\r\n"), ("z.txt", "")):
        (tmp_path / name).write_text(text)
        refused = bring(tmp_path / name, data, code=1)
        assert refused.stderr.count("\n") == 1, refused.stderr
    bring(tmp_path / "none.csv", data, code=1)


def test_numbers_of_metadata_go_round(data, tmp_path):
    numbers = ("12345678901234567890", "0.1000000000000000055", "0.10", "1" + "0" * 400)
    lines = [f'{{"username": "Nova", "score": 1, "metadata": {{"n": {each}}}}}' for each in numbers]
    lines += ['{"username": "Nova", "score": 1.50, "metadata": {"n": 0.10}}']
    lines += ['{"username": "Nova", "score": 1, "metadata": {"n": NaN}}']
    file = tmp_path / "g.ndjson"
    file.write_text("\n".join(lines))
    bring(file, data, code=1)
    rejected = (tmp_path / "g.ndjson.rejected").read_text().splitlines()
    assert '"score":1.50,"metadata":{"n":0.10}}' in rejected[0]
    assert len(rejected) == 2
    games = rows_of(export("games", tmp_path / "out.csv", data))
    assert [game["metadata"] for game in games] == [f'{{"n": {each}}}' for each in numbers]
    bring(tmp_path / "out.csv", data)
    again = rows_of(export("games", tmp_path / "again.csv", data))[len(numbers) :]
    assert [game["metadata"] for game in again] == [game["metadata"] for game in games]


def test_lines_that_are_no_games(data, tmp_path):
    file = tmp_path / "g.ndjson"
    lines = [
        b'{"username": "Nova", "score": 3, "metadata": {"x": [1.10, null]}}',
        b"",
        b'{"username": "Nova", "score": 3',
        b"[1]",
        b'{"username": "N\xff", "score": 3}',
        b'{"username": "Nova", "score": true}',
        b'{"username": "Nova", "score": 3, "rank": 1}',
        b'{"user_id": 99, "score": 3}',
        b'{"username": "Nova", "score": 3, "metadata": {"x": "\\u0000"}}',
        b'{"username": "Nova", "score": 3, "metadata": ' + b"[" * 5_000 + b"]" * 5_000 + b"}",
        b'{"user_id": 1, "score": 4}',
    ]
    file.write_bytes(b"\n".join(lines))
    done = bring(file, data, code=1)
    assert (
        "2 games came in with 1 new players, 0 were there already, 8 rows rejected" in done.stdout
    )
    rejected = (tmp_path / "g.ndjson.rejected").read_text().splitlines()
    assert [json.loads(line)["line"] for line in rejected] == [3, 4, 5, 6, 7, 8, 9, 10]
    verify(data)
