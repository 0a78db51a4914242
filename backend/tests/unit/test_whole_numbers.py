"""Whole numbers as engines write them: `1500.0` and `1.5e3` are 1500, exactly."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ConfigDict, TypeAdapter, ValidationError

from app.api.bodies import validated
from app.api.submission import read_submission
from app.core.exact_json import read_exactly, to_whole

WHOLE = {
    "1500.0": 1500, "1.5e3": 1500, "15E+2": 1500, "-2.50e1": -25, "0.0": 0, "-0.0": 0, "0e999": 0,
    "1500000e-3": 1500, "9007199254740991.0": 2**53 - 1, "-9007199254740991.000": -(2**53 - 1),
    "9.007199254740991e15": 2**53 - 1,
}  # fmt: skip
NOT_WHOLE = (
    "1500.5", "1e-1", "1e400", "-1e400", "1e999999999", "9007199254740992.0", "true", '"5"', "null",
    # Doubles would round these to whole numbers.
    "9007199254740990.5", "4503599627370497.25", "1500.00000000000000000001", "NaN", "Infinity",
)  # fmt: skip


def submission(score: str, more: str = "") -> bytes:
    return b'{"user_id": 7.0, "score": %b, "duration_ms": 9e1%b}' % (score.encode(), more.encode())


@pytest.mark.parametrize(("text", "number"), WHOLE.items())
def test_whole_numbers_are_taken(text, number):
    given_ = read_submission(submission(text))
    assert (given_.user_id, given_.score, given_.duration_ms) == (7, number, 90)
    assert all(type(each) is int for each in (given_.user_id, given_.score, given_.duration_ms))
    strict = TypeAdapter(dict[str, list[int]], config=ConfigDict(strict=True))
    assert validated(strict, b'{"ids": [%b]}' % text.encode()) == {"ids": [number]}


@pytest.mark.parametrize("text", NOT_WHOLE)
def test_other_numbers_are_refused(text):
    with pytest.raises(ValidationError) as caught:
        read_submission(submission(text))
    assert [each["loc"] for each in caught.value.errors()] == [("score",)]


def test_an_integer_longer_than_python_reads_is_refused():
    for score in ("1" * 5_000, "1.0"):
        with pytest.raises(ValidationError):
            read_submission(submission(score, f', "won": {"1" * 5_000}'))


def test_metadata_keeps_its_fractions():
    given_ = read_submission(submission("1.0", ', "metadata": {"a": 1.0, "b": 0.1}'))
    assert given_.metadata == {"a": Decimal("1.0"), "b": Decimal("0.1")}


@given(st.integers(-(2**53), 2**53), st.integers(0, 30), st.sampled_from(["e", "E", "e+"]))
def test_any_exact_form_of_an_integer_is_that_integer(number, zeros, mark):
    forms = (f"{number}.{'0' * (zeros + 1)}", f"{number}{'0' * zeros}e-{zeros}", f"{number}{mark}0")
    for form in forms:
        assert to_whole(read_exactly(form)) == number
        assert type(to_whole(read_exactly(form))) is int


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_only_whole_numbers_become_integers(number):
    made = to_whole(number)
    assert made == number
    if isinstance(made, int):
        assert number % 1 == 0 or abs(number) >= 10**28


def test_plain_json_is_left_alone():
    body = json.dumps({"name": "e.g. 1e3 of 1.5", "ids": [1, 2]}).encode()
    assert validated(TypeAdapter(dict[str, str | list[int]]), body) == json.loads(body)
