"""Types that requests and answers share."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from app.core.config import MAX_SCORE, MAX_USER_ID

UserId = Annotated[int, Field(ge=1, le=MAX_USER_ID, description="A player's id.", examples=[42])]
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
]


class Strict(BaseModel):
    """What clients send: exact types, and no field that we don't know (it may be a typo)."""

    model_config = ConfigDict(strict=True, extra="forbid")
