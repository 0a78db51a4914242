"""Moments that clients and files write: ISO 8601 and nothing else."""

import re
from datetime import UTC, datetime, tzinfo
from typing import Annotated

from pydantic import PlainValidator, WithJsonSchema

# A calendar date, a time and an offset, in the extended form (`2024-01-31T12:00:00+00`, a blank
# for the `T` as PostgreSQL writes it) or the basic one (`20240131T120000Z`).
_ISO_8601 = re.compile(
    r"(?:\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?"
    r"|\d{8}[Tt]\d{4}(?:\d\d(?:[.,]\d{1,9})?)?)"
    r"(?P<offset>[Zz]|[+-]\d\d(?::?\d\d)?)?",
    re.ASCII,
)
_EXAMPLE = "2024-01-31T12:00:00Z"


def parse_moment(text: object, zone: tzinfo | None = None) -> datetime:
    """The moment in UTC. `zone` is assumed where the text has no offset.

    Raises ValueError, as pydantic expects, for a number, for a date alone, for a time without an
    offset if there is no `zone`, and for what is not on the calendar.
    """
    found = _ISO_8601.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError(f"must be a date and time in ISO 8601, such as {_EXAMPLE}")
    try:
        at = datetime.fromisoformat(found[0].upper())
    except ValueError as error:
        raise ValueError(f"is not on the calendar ({error})") from error
    if found["offset"] is None:
        if zone is None:
            raise ValueError(f"must have an offset from UTC, such as the Z of {_EXAMPLE}")
        at = at.replace(tzinfo=zone)
    try:
        return at.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("must lie between the years 1 and 9999 in UTC") from error


Moment = Annotated[
    datetime,
    PlainValidator(parse_moment),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": [_EXAMPLE]}),
]
"""A date and time as a client writes it; in Python it is in UTC."""
