"""A player's past as clients see it."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from app.schemas.common import SLUG, Digits
from app.schemas.entries import BoardQuery


class SessionsQuery(BaseModel):
    """Which page of a player's games."""

    limit: Annotated[int, Field(ge=1, le=100, description="How many games."), Digits] = 20
    cursor: Annotated[
        str | None,
        Field(max_length=64, description="`next_cursor` of the page before; none for the first."),
    ] = None
    board: Annotated[
        str | None,
        Field(pattern=SLUG, description="Only games that count for this board; all if left out."),
    ] = None


class Session(BaseModel):
    """A played game."""

    session_id: Annotated[int, Field(examples=[90_210])]
    score: Annotated[int, Field(examples=[1500])]
    game_mode: Annotated[str, Field(examples=["ranked"])]
    played_at: datetime
    duration_ms: Annotated[int | None, Field(examples=[93_000])]
    won: bool | None
    metadata: Annotated[dict[str, Any] | None, Field(examples=[{"level": 7}])]


class SessionList(BaseModel):
    """A page of games, newest first."""

    sessions: list[Session]
    next_cursor: Annotated[
        str | None,
        Field(description="Null on the last page.", examples=["AAZL9TWvEAAAAAAAAAFgYg"]),
    ]


class HistoryQuery(BoardQuery):
    """How much of a player's history, and how fine."""

    range: Annotated[
        Literal["hour", "day", "week", "month", "all"],
        Field(description="How far back; a month is 30 days, `all` is since the first game."),
    ] = "all"
    points: Annotated[int, Field(ge=10, le=500, description="How many points at most."), Digits] = (
        120
    )


class HistoryPoint(BaseModel):
    """How a player stood at a moment."""

    at: datetime
    total_score: Annotated[int, Field(examples=[1500])]
    rank: Annotated[
        int | None,
        Field(
            description="Null at a game between two samples of the board, and while the player "
            "was deactivated.",
            examples=[5],
        ),
    ]
    total_players: Annotated[
        int | None, Field(description="Null at a game between two samples.", examples=[120])
    ]
    exact: Annotated[
        bool,
        Field(description="Whether the rank is right to the place, or else to 0.5 percent."),
    ]


class History(BaseModel):
    """A player's score and rank over time."""

    board: Annotated[str, Field(examples=["global"])]
    season: Annotated[int, Field(examples=[1])]
    user_id: Annotated[int, Field(examples=[42])]
    points: list[HistoryPoint]
