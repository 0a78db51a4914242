"""Standings as clients see them."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field

from app.schemas.boards import Tier
from app.schemas.common import BoardSlug, SeasonNumber, Strict, UserId

Version = Annotated[
    int, Field(description="Grows with every change of the board.", examples=[90_210])
]


class Entry(BaseModel):
    """A row of a board."""

    rank: Annotated[int, Field(examples=[1])]
    user_id: Annotated[int, Field(examples=[42])]
    username: Annotated[str, Field(examples=["Nova"])]
    total_score: Annotated[int, Field(examples=[1500])]
    games_played: Annotated[int, Field(examples=[12])]
    win_rate: Annotated[
        float | None,
        Field(description="From 0 to 1; null while no game said who won.", examples=[0.75]),
    ]
    achieved_at: Annotated[datetime, Field(description="When the present score was reached.")]


class EntryList(BaseModel):
    """A run of rows, best first."""

    board: Annotated[str, Field(examples=["global"])]
    season: Annotated[int, Field(examples=[1])]
    total_players: Annotated[int, Field(examples=[120])]
    version: Version
    entries: list[Entry]


class RankAnswer(BaseModel):
    """Where one player stands."""

    board: Annotated[str, Field(examples=["global"])]
    season: Annotated[int, Field(examples=[1])]
    user_id: Annotated[int, Field(examples=[42])]
    rank: Annotated[int, Field(examples=[5])]
    score: Annotated[int, Field(examples=[1500])]
    percentile: Annotated[
        float, Field(description="Share of players at or below, in percent.", examples=[96.67])
    ]
    tier: Annotated[str, Field(examples=["Platinum"])]
    total_players: Annotated[int, Field(examples=[120])]
    version: Version


class TierStanding(Tier):
    """A tier as the board has it now."""

    rank: Annotated[
        int,
        Field(
            description="The last rank in this tier. An empty tier ends where the one above it "
            "does, so a player's tier is the first one whose `rank` is not above theirs.",
            examples=[10],
        ),
    ]
    score: Annotated[
        int | None,
        Field(description="The total at that rank; null for an empty tier.", examples=[98_000]),
    ]
    players: Annotated[int, Field(description="How many are in it.", examples=[10])]


class TierTable(BaseModel):
    """The tiers of a board, best first, as of about a second ago at most."""

    board: Annotated[str, Field(examples=["global"])]
    season: Annotated[int, Field(examples=[1])]
    total_players: Annotated[int, Field(examples=[1_000])]
    version: Version
    tiers: list[TierStanding]


class BoardQuery(BaseModel):
    """Which board, which season. Not `Strict`: in a query every value is text."""

    board: BoardSlug = None
    season: SeasonNumber = None


class RanksRequest(Strict):
    """Players whose true ranks are wanted, such as friends."""

    user_ids: Annotated[list[UserId], Field(min_length=1, max_length=1_000)]
