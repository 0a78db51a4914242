"""A player's past as clients see it."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field

from app.schemas.common import SLUG


class SessionsQuery(BaseModel):
    """Which page of a player's games."""

    limit: Annotated[int, Field(ge=1, le=100, description="How many games.")] = 20
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
