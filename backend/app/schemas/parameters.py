"""Parameters of queries and paths, read alike by HTTP routes and sockets."""

import re
from functools import lru_cache
from urllib.parse import parse_qsl

from app.core.errors import InvalidInput
from app.schemas.common import SLUG

MAX_DIGITS = 16
"""Of any number in a query or a path: no bound of ours has more."""
MAX_PARAMETERS = 20

_KEPT_BYTES = 128
"""Queries are short as a rule. Longer ones are read each time, so that callers can't choose how
much memory the cache takes: less than 2 MB."""

_slug = re.compile(SLUG)


def query_parameters(raw: bytes) -> dict[str, str]:
    """The query's parameters; of one that is given twice the last counts. Raises InvalidInput."""
    return _kept(raw) if len(raw) <= _KEPT_BYTES else _read(raw)


def _read(raw: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(
            raw.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=MAX_PARAMETERS,
        )
    except ValueError as error:
        raise InvalidInput.field("query", "is not valid") from error
    return dict(pairs)


_kept = lru_cache(maxsize=1_024)(_read)


def whole_number(
    given: str | None, name: str, least: int, most: int, default: int | None = None
) -> int:
    """A parameter as a number. Raises InvalidInput, naming it."""
    if given is None and default is not None:
        return default
    if given is None or not given.isascii() or not given.isdigit() or len(given) > MAX_DIGITS:
        raise InvalidInput.field(name, f"must be a whole number from {least} to {most}")
    number = int(given)
    if not least <= number <= most:
        raise InvalidInput.field(name, f"must be a whole number from {least} to {most}")
    return number


def board_slug(parameters: dict[str, str]) -> str | None:
    """The `board` parameter; None if it is left out. Raises InvalidInput, also for an empty one."""
    slug = parameters.get("board")
    if slug is not None and not _slug.fullmatch(slug):
        raise InvalidInput.field("board", "must be 1 to 64 letters, digits, - and _")
    return slug


def season_number(parameters: dict[str, str]) -> int | None:
    """The `season` parameter; None if it is left out. Raises InvalidInput."""
    season = parameters.get("season")
    return None if season is None else whole_number(season, "season", 1, 2**31 - 1)
