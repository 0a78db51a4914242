"""JSON whose numbers stay what they say: of a fraction a double keeps 17 digits, of 1e400 none."""

import json
import math
from collections.abc import Callable, Iterator
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any

_MOST_DIGITS = 20
_LONGEST_INTEGER = 4_000
"""Digits. Python refuses to read an integer of more than 4,300, because that takes long."""

_dumps = partial(json.dumps, ensure_ascii=False, separators=(",", ":"))


def read_exactly(text: str | bytes) -> Any:  # noqa: ANN401
    """What the JSON says, with fractions, exponents and integers too long for Python as `Decimal`.
    NaN stands for what is no finite number, or has an exponent of more than 18 digits. Raises
    ValueError, RecursionError."""
    return json.loads(
        text, parse_float=_number, parse_int=_integer, parse_constant=lambda _: math.nan
    )


def _number(text: str) -> Decimal | float:
    try:
        return Decimal(text)
    except InvalidOperation:
        return math.nan


def _integer(text: str) -> int | Decimal:
    return int(text) if len(text) <= _LONGEST_INTEGER else Decimal(text)


def to_whole(value: object) -> object:
    """The integer that a number is which is written with a fraction or an exponent, such as
    `1500.0` or `1.5e3`. Any other value is returned as it is.

    Exact for a `Decimal`. Of a number with more than 20 digits no integer is made: no bound of ours
    has more, and `1e999999999` would fill the memory.
    """
    if isinstance(value, float):
        value = Decimal(value) if math.isfinite(value) else value
    if not isinstance(value, Decimal) or not value.is_finite():
        return value
    if not value:
        return 0
    if value.adjusted() >= _MOST_DIGITS or value != value.to_integral_value():
        return value
    return int(value)


def read_with_whole_numbers(text: bytes) -> Any:  # noqa: ANN401
    """What the JSON says; a number that is whole is an `int`, however it is written, and any other
    one a `float`. Raises ValueError, RecursionError."""
    return json.loads(text, parse_float=_whole_or_float, parse_int=_integer)


def _whole_or_float(text: str) -> int | float:
    number = to_whole(_number(text))
    return number if isinstance(number, int) else float(text)


def has_fraction(value: object) -> bool:
    """Whether there is a number in it that is not written as an integer."""
    if isinstance(value, dict):
        return any(map(has_fraction, value.values()))
    if isinstance(value, list):
        return any(map(has_fraction, value))
    return isinstance(value, float | Decimal)


def pieces(value: object, write: Callable[[Decimal | float], str] = str) -> Iterator[str]:
    """Compact JSON in pieces: each number that is no integer, as `write` gives it, is one."""
    if isinstance(value, Decimal | float):
        yield write(value)
    elif isinstance(value, dict) and value:
        for at, (name, each) in enumerate(value.items()):
            yield f"{',' if at else '{'}{_dumps(name)}:"
            yield from pieces(each, write)
        yield "}"
    elif isinstance(value, list) and value:
        for at, each in enumerate(value):
            yield "," if at else "["
            yield from pieces(each, write)
        yield "]"
    else:
        yield _dumps(value)


def count_names(value: object) -> int:
    """How many names of fields are in a parsed value, nested ones included."""
    if isinstance(value, dict):
        return len(value) + sum(map(count_names, value.values()))
    if isinstance(value, list):
        return sum(map(count_names, value))
    return 0


def repeated_name(text: bytes) -> str | None:
    """The first name that stands twice in one object of valid JSON; None if there is none."""
    objects: list[list[tuple[str, object]]] = []
    # The hook is the list's own method: an object costs no call of a Python function. What is no
    # object is not looked at.
    json.loads(
        text,
        object_pairs_hook=objects.append,
        parse_int=len,
        parse_float=len,
        parse_constant=len,
    )
    for pairs in objects:
        names = set()
        for name, _ in pairs:
            if name in names:
                return name
            names.add(name)
    return None
