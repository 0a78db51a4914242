"""Data out as files and in again: nothing is lost on the way, and nothing counted twice."""

import csv
import io
import json
import stat

from cli_helpers import Service, run
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
        assert "@example" not in plain.stdout
        full = run("export", "players", "-", "--format", "ndjson", "--emails", "--data", data)
        assert len(full.stdout.splitlines()) == 50
        assert json.loads(full.stdout.splitlines()[-1])["email"] == "9@example.com"
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
    ):
        refused = run("export", *wrong, "--data", data)
        assert (refused.returncode, refused.stderr.count("\n")) == (1, 1), refused.stderr
    assert not list(tmp_path.glob("*x.*"))
