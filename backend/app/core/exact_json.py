"""JSON whose numbers stay what they say: of a fraction a double keeps 17 digits, of 1e400 none."""

import json
import math
from collections.abc import Callable, Iterator
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any

_dumps = partial(json.dumps, ensure_ascii=False, separators=(",", ":"))


def read_exactly(text: str | bytes) -> Any:  # noqa: ANN401
    """What the JSON says, with fractions and exponents as `Decimal`. NaN stands for what is no
    finite number, or has an exponent of more than 18 digits. Raises ValueError, RecursionError."""
    return json.loads(text, parse_float=_number, parse_constant=lambda _: math.nan)


def _number(text: str) -> Decimal | float:
    try:
        return Decimal(text)
    except InvalidOperation:
        return math.nan


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
