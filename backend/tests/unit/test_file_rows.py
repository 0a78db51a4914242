"""Files as other programs write them: taken where it is clear, else told what to do."""

import json
import tracemalloc
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from app.cli.failures import CliError
from app.cli.transfer.formats import Format
from app.cli.transfer.importing import BATCH_CHARACTERS, _in_batches
from app.cli.transfer.rows import COLUMNS, Reading, check_header, read_rows
from app.cli.transfer.source import MAX_LINE, find_layout, open_text
from app.core.config import Settings
from app.services.imported import Rows

SETTINGS = Settings(_env_file=None)


def read(path, data, format_=Format.CSV, zone=None, known=()):
    file = path / "g"
    file.write_bytes(data if isinstance(data, bytes) else data.encode())
    layout = find_layout(file, format_, frozenset(COLUMNS))
    if format_ is Format.CSV:
        check_header(layout.header)
    with open_text(file, layout) as (_, text):
        return list(
            read_rows(
                text, format_, Reading(layout, SETTINGS, Rows(known), zone and ZoneInfo(zone))
            )
        )


def one(path, data, *more, **options):
    (row,) = read(path, data, *more, **options)
    return row


def games(rows):
    return [(row.game.username, row.game.submission.score) for row in rows if row.game]


TABLE = "username,score,won\r\nNova,1500,true\r\nŽofie,-2,false\r\n"


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
@pytest.mark.parametrize("above", ["", "sep={}\r\n", '"sep={}"\r\n', "SEP={}\n"])
def test_separators_and_encodings(tmp_path, separator, encoding, above):
    text = above.format(separator) + TABLE.replace(",", separator)
    mark = b"\xfe\xff" if encoding == "utf-16-be" else b""
    rows = read(tmp_path, mark + text.encode(encoding))
    assert games(rows) == [("Nova", 1500), ("Žofie", -2)]
    assert [row.game.submission.won for row in rows] == [True, False]
    assert [row.line for row in rows] == ([3, 4] if above else [2, 3])


@pytest.mark.parametrize(
    "header", ["Username,Score", " username , SCORE ", "USERNAME,score", "User-Name,score"]
)
def test_names_of_columns_in_any_case_and_with_blanks(tmp_path, header):
    if "User-Name" in header:
        with pytest.raises(CliError, match="user_name"):
            read(tmp_path, f"{header}\nNova,1\n")
    else:
        assert games(read(tmp_path, f"{header}\nNova,1\n")) == [("Nova", 1)]


def test_two_words_in_a_columns_name(tmp_path):
    row = one(tmp_path, "User ID;Score;Game Mode;Duration-ms\n7; 5 ;arena;90\n")
    said = row.game.submission
    assert (said.user_id, said.score, said.game_mode, said.duration_ms) == (7, 5, "arena", 90)


@pytest.mark.parametrize(
    ("header", "why"),
    [
        ("who,score", "mean nothing here: who"),
        ("score,Score,username", "columns that stand twice: score "),
        ("who,score", "submission_id, username, session_id"),
        ("username", "the first line must name"),
        ("username:score", "a comma, a semicolon, a tab"),
        ("", "the first line must name"),
    ],
)
def test_columns_that_mean_nothing(tmp_path, header, why):
    with pytest.raises(CliError, match=why):
        read(tmp_path, f"{header}\nNova,1\n")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"PK\x03\x04\0\0\0", "save a spreadsheet as CSV"),
        ("username,score".encode("utf-16-le"), "save a spreadsheet as CSV"),
        (b"\xff\xfeu\0s", "cut off"),
    ],
)
def test_what_is_no_text(tmp_path, data, why):
    with pytest.raises(CliError, match=why):
        read(tmp_path, data)


@pytest.mark.parametrize("format_", list(Format))
@pytest.mark.parametrize(
    ("given", "won"),
    [
        ("1", True), ("0", False), ("t", True), ("F", False), ("yes", True), ("No", False),
        ("TRUE", True), ("false", False), ("y", True), ("1.0", True),
    ],
)  # fmt: skip
def test_won_as_other_programs_write_it(tmp_path, format_, given, won):
    said = given if given in ("1", "0", "1.0") else json.dumps(given)
    line = f'{{"username": "Nova", "score": 1, "won": {said}}}'
    data = line if format_ is Format.NDJSON else f"username,score,won\nNova,1, {given} \n"
    assert one(tmp_path, data, format_).game.submission.won is won


@pytest.mark.parametrize("given", ["perhaps", "2", "01"])
def test_won_that_is_neither(tmp_path, given):
    said = one(tmp_path, f"username,score,won\nNova,1,{given}\n").problem
    assert said == "won: must be true or false, yes or no, 1 or 0"


@pytest.mark.parametrize("format_", list(Format))
@pytest.mark.parametrize(
    ("given", "score"),
    [
        ("1500.0", 1500),
        ("1.5e3", 1500),
        ("1E3", 1000),
        ("-2.00", -2),
        ("9007199254740991.0", 2**53 - 1),
    ],
)
def test_whole_numbers_however_they_are_written(tmp_path, format_, given, score):
    line = f'{{"username": "Nova", "score": {given}}}'
    data = line if format_ is Format.NDJSON else f"username,score\nNova,{given}\n"
    assert one(tmp_path, data, format_).game.submission.score == score


@pytest.mark.parametrize(
    "given", ["1500.5", "1e-1", "0x10", "1_000", "1 000", "१२", "1e999", "nine"]
)
def test_numbers_that_are_not_whole(tmp_path, given):
    said = one(tmp_path, f"username,score\nNova,{given}\n").problem
    assert said == "score: must be a whole number"


@pytest.mark.parametrize("given", ["45322.5", "20240131", "2024", "1795563513", "2024-01-31"])
@pytest.mark.parametrize("form", ["{}", '"{}"'])
def test_a_time_is_iso_8601_and_never_a_number(tmp_path, given, form):
    line = f'{{"username": "Nova", "score": 1, "played_at": {form.format(given)}}}'
    for data, format_ in (
        (line, Format.NDJSON),
        (f"username,score,played_at\nNova,1,{given}\n", Format.CSV),
    ):
        row = one(tmp_path, data, format_)
        assert row.game is None
        assert row.problem.startswith(("played_at: ", "row: is not JSON"))


def played(path, text, zone=None):
    row = one(path, f"username,score,played_at\nNova,1,{text}\n", zone=zone)
    return row.game.submission.played_at if row.game else row.problem


def test_times_without_an_offset(tmp_path):
    noon = datetime(2024, 1, 31, 12, tzinfo=UTC)
    assert played(tmp_path, "2024-01-31 12:00:00+00") == noon
    assert played(tmp_path, "2024-01-31T13:00:00", "Europe/Berlin") == noon
    assert played(tmp_path, "2024-01-31T12:00:00Z", "Europe/Berlin") == noon
    assert "--timezone" in played(tmp_path, "2024-01-31T12:00:00")
    for changed in ("2024-03-31T02:30:00", "2024-10-27T02:30:00"):
        assert "clocks were changed" in played(tmp_path, changed, "Europe/Berlin")


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("Nova,1,someday", "played_at: must be a date and time"),
        ('"No\nva",1,', "username: must have no control"),
        (b"\xc4nne,1,", "row: is not text in UTF-8: save the file as UTF-8"),
    ],
)
def test_a_refused_row_says_why_in_plain_words(tmp_path, row, problem):
    line = row if isinstance(row, bytes) else row.encode()
    assert one(tmp_path, b"username,score,played_at\n" + line + b"\n").problem.startswith(problem)


def test_rows_of_separators_alone_are_passed_over_and_counted(tmp_path):
    data = "username,score\nNova,1\n,\n\n , \nZed,2\n,\n"
    rows = read(tmp_path, data)
    assert [(row.line, row.game.row) for row in rows] == [(2, 1), (6, 4)]
    # So a file that an older version has imported is known by the same numbers.
    assert games(read(tmp_path, data, known=[(4, 4)])) == [("Nova", 1)]


def test_a_column_without_a_name_is_passed_over(tmp_path):
    assert games(read(tmp_path, "username,score,\nNova,1,\n")) == [("Nova", 1)]


@pytest.mark.parametrize("format_", list(Format))
def test_a_line_that_is_too_long_is_refused_alone_by_its_number(tmp_path, format_):
    if format_ is Format.CSV:
        head, good, open_, close = "username,score\n", "Nova,{}\n", "a,", "\n"
    else:
        head, good, open_, close = "", '{{"username": "Nova", "score": {}}}\n', '{"x": "', '"}\n'
    file = tmp_path / "g"
    with file.open("w") as out:
        out.write(head + good.format(1) + open_)
        for _ in range(40):
            out.write("x" * MAX_LINE)
        out.write(close + good.format(2))
    layout = find_layout(file, format_, frozenset(COLUMNS))
    tracemalloc.start()
    with open_text(file, layout) as (_, text):
        rows = list(read_rows(text, format_, Reading(layout, SETTINGS, Rows())))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert games(rows) == [("Nova", 1), ("Nova", 2)]
    (bad,) = [row for row in rows if row.game is None]
    assert (bad.line, bad.problem) == (
        2 + (format_ is Format.CSV),
        "row: is longer than 1,000,000 characters",
    )
    assert rows[-1].line == bad.line + 1
    assert peak < 20 * MAX_LINE


def test_a_row_of_many_lines_is_bounded_too(tmp_path):
    cell = "x" * 100_000
    row = ",".join(f'"{cell}\n{number}"' for number in range(30))
    rows = read(tmp_path, f"username,score\nNova,1\n{row}\nZed,2\n")
    assert games(rows) == [("Nova", 1), ("Zed", 2)]
    assert rows[1].problem == "row: is longer than 1,000,000 characters"


def test_batches_are_bounded_in_size(tmp_path):
    line = json.dumps({"username": "Nova", "score": 1, "x": "y" * 500_000})
    rows = read(tmp_path, f"{line}\n" * 20, Format.NDJSON)
    batches = list(_in_batches(rows))
    assert [row for batch in batches for row in batch] == rows
    assert max(sum(row.size for row in batch) for batch in batches) < BATCH_CHARACTERS + MAX_LINE
    assert len(batches) > 1
    assert (tmp_path / "g").stat().st_size > BATCH_CHARACTERS
