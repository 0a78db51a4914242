"""Boards as clients see them: rules, bounds, tiers, seasons."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from app.schemas.common import Strict
from app.schemas.text import Name, Reason


class Tier(BaseModel):
    """A name for everybody from a percentile on."""

    name: Annotated[str, Field(examples=["Diamond"])]
    percentile: Annotated[
        float, Field(description="The least percentile that is in this tier.", examples=[99.0])
    ]


class Limits(BaseModel):
    """The bounds of a submission, as they are checked."""

    min_score: Annotated[int, Field(examples=[-9_007_199_254_740_991])]
    max_score: Annotated[int, Field(examples=[9_007_199_254_740_991])]
    max_duration_ms: Annotated[int, Field(examples=[604_800_000])]
    max_metadata_bytes: Annotated[
        int, Field(description="Of the metadata as compact JSON in UTF-8.", examples=[4_096])
    ]
    game_mode_pattern: Annotated[
        str, Field(description="A regular expression.", examples=["^[A-Za-z0-9_-]{1,32}$"])
    ]


class Board(BaseModel):
    """What ranks whom, and how it is shown."""

    slug: Annotated[str, Field(examples=["global"])]
    name: Annotated[str, Field(examples=["Global"])]
    game_modes: Annotated[
        list[str] | None,
        Field(description="The modes whose games count; null for all.", examples=[["ranked"]]),
    ]
    operator: Annotated[
        Literal["sum", "best", "latest"], Field(description="How a player's games add up.")
    ]
    sort_order: Annotated[
        Literal["desc", "asc"], Field(description="`desc`: the greatest total is first.")
    ]
    tie_policy: Literal["ordinal", "competition", "dense"]
    decimals: Annotated[
        int,
        Field(description="How many of a score's digits are shown as decimals.", examples=[0]),
    ]
    unit: Annotated[str | None, Field(examples=["ms"])]
    season: Annotated[int, Field(description="The current season's number.", examples=[1])]
    client_submissions: Annotated[
        bool, Field(description="Whether players' own clients may send scores, with a token.")
    ]
    is_private: Annotated[bool, Field(description="Whether reading needs a credential.")]
    limits: Limits
    tiers: Annotated[list[Tier], Field(description="Best first.")]


class BoardChange(Strict):
    """What is to change; what is left out stays."""

    name: Name | None = None
    client_submissions: bool | None = None
    is_private: bool | None = None
    reason: Reason | None = None


class BoardList(BaseModel):
    """All boards, the oldest one first."""

    boards: list[Board]


class Season(BaseModel):
    """A period of a board."""

    number: Annotated[int, Field(examples=[1])]
    starts_at: datetime
    ends_at: Annotated[datetime | None, Field(description="Null while no end is set.")]
    closed_at: Annotated[
        datetime | None, Field(description="When the standings became final; null until then.")
    ]
    current: bool


class SeasonList(BaseModel):
    """A board's seasons, newest first."""

    board: Annotated[str, Field(examples=["global"])]
    seasons: list[Season]
