"""What a body says: JSON against a schema, with errors that stay short however bad the body is."""

import re
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json, to_json

from app.api.problems import MAX_FAULTS, MAX_NAME, invalid_input
from app.core.errors import InvalidInput
from app.core.exact_json import read_with_whole_numbers, repeated_name

T = TypeVar("T")

_FRACTION = re.compile(rb"[0-9][.eE]")


def validated(adapter: TypeAdapter[T], body: bytes) -> T:
    """The body as the schema has it. A whole number is an integer, also one that is written as
    `1.5e3`. Raises InvalidInput."""
    try:
        return adapter.validate_json(body)
    except ValidationError as error:
        if error.error_count() > MAX_FAULTS or not _FRACTION.search(body):
            raise invalid_input(error) from error
    parse_json(body)
    try:
        return adapter.validate_json(to_json(read_with_whole_numbers(body)))
    except ValidationError as error:
        raise invalid_input(error) from error


def refuse_repeated(body: bytes, names: int | None = None) -> None:
    """Refuses valid JSON in which an object has one name twice: parsers keep the last one, and
    readers may mean the first. Raises InvalidInput.

    `names`: how many names the parsed body holds, if that is known. A colon follows each name in
    the text, so where the colons are as many as the names the text need not be read again.
    """
    if names is not None and body.count(b":") == names:
        return
    repeated = repeated_name(body)
    if repeated is not None:
        raise InvalidInput.field(repeated[:MAX_NAME], "stands twice in one object")


def parse_json(body: bytes) -> Any:  # noqa: ANN401
    """What the body says. Raises InvalidInput for what is no JSON, NaN and Infinity included."""
    try:
        return from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise InvalidInput.field("body", f"is not valid JSON: {error}") from error
