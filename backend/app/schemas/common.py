"""Types that requests and answers share."""

import re
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from app.core.config import MAX_SCORE, MAX_USER_ID

_DIGITS = re.compile(r"-?[0-9]{1,16}")


def _plain_digits(given: object) -> object:
    """Text as it is, if it is a number in plain digits; what is not text is left to the type.

    Raises ValueError for the other forms that pydantic takes in text: `1_0`, `1.0`, `+1`, `1 `.
    """
    if isinstance(given, str) and not _DIGITS.fullmatch(given):
        raise ValueError("must be a whole number, in the digits 0 to 9 alone")
    return given


Digits = BeforeValidator(_plain_digits)
"""For every integer in a path or a query: one form of a number, as the hot routes take it."""

UserId = Annotated[int, Field(ge=1, le=MAX_USER_ID, description="A player's id.", examples=[42])]
UserIdInPath = Annotated[UserId, Digits]
Score = Annotated[
    int,
    Field(
        ge=-MAX_SCORE,
        le=MAX_SCORE,
        description="An integer within ±(2^53 - 1), which every JSON client keeps exact.",
        examples=[1500],
    ),
]
GAME_MODE = r"^[A-Za-z0-9_-]{1,32}$"
SLUG = r"^[A-Za-z0-9_-]{1,64}$"
Slug = Annotated[str, Field(pattern=SLUG, description="A board's slug.", examples=["global"])]
BoardSlug = Annotated[
    str | None,
    Field(pattern=SLUG, description="A board's slug; `global` if left out."),
]
SeasonNumber = Annotated[
    int | None,
    Field(ge=1, le=2**31 - 1, description="A season's number; the current one if left out."),
    Digits,
]


class Strict(BaseModel):
    """What clients send: exact types, and no field that we don't know (it may be a typo)."""

    model_config = ConfigDict(strict=True, extra="forbid")
