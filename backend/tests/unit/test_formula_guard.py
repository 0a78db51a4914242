"""No spreadsheet finds a formula in an exported file, whatever it takes for the separator."""

import csv
import io
import json
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.cli.transfer.formats import Format, RawJson, encoder, guard, guard_json, unguard

SIGNS = tuple("=+-@\uff1d\uff0b\uff0d\uff20")
TRICKY = st.text(st.sampled_from([*"=+-@\uff1d\uff0b\uff0d\uff20;,|\t\r\n'\" \\ax\u00a0\u3000"]))
ESCAPED = re.compile(r"\\u([0-9a-f]{4})")


def cells(line, separator):
    """Every cell that a spreadsheet could make of the line, quoted or not."""
    for row in csv.reader(io.StringIO(line, newline=""), delimiter=separator):
        yield from row
    for quoting in (csv.QUOTE_NONE,):
        for row in csv.reader(io.StringIO(line, newline=""), delimiter=separator, quoting=quoting):
            yield from row


def harmless(cell):
    return not cell.strip(' "\u00a0\u3000').startswith(SIGNS)


@given(TRICKY)
@example("x;=1+2")
@example("\uff1d1+1")
@example(';""=1+1;')
@example("x|\t-1")
@example("''=x;'=y")
def test_any_text_comes_back_and_is_no_formula(text):
    assert unguard(guard(text)) == text
    for separator in ",;\t|":
        _, encode = encoder(Format.CSV, ("a", "b"), separator)
        line = encode([[1, text]])
        for other in ",;\t|":
            assert all(map(harmless, cells(line, other))), (line, other)


@pytest.mark.parametrize("name", ["Nova", "a-b", "1+1", "o'Brien", "a, b", "Žofie 龍", "x = y"])
def test_what_is_no_formula_stays_as_it_is(name):
    assert guard(name) == name


@given(
    st.recursive(
        TRICKY | st.integers() | st.none(),
        lambda each: st.lists(each) | st.dictionaries(TRICKY, each),
    )
)
def test_json_stays_the_same_json_and_holds_no_formula(value):
    for ascii_only in (True, False):
        text = json.dumps(value, ensure_ascii=ascii_only)
        guarded = guard_json(text)
        assert json.loads(guarded) == value
        for body in re.findall(r'"((?:[^"\\]|\\.)*)"', guarded):
            parts = re.split("[;,|]", body)
            assert all(map(harmless, parts)), guarded


def test_metadata_without_signs_is_not_touched():
    text = '{"level": 7, "x": [-1, -2.50], "map": "a-b"}'
    _, encode = encoder(Format.NDJSON, ("m",))
    assert guard_json(text) == text
    assert encode([[RawJson('{"x": "=1"}')]]) == '{"m":{"x": "=1"}}\n'
