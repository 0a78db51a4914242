"""Scores on their way in, and the answers to them."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from app.schemas.common import GAME_MODE, Score, Strict, UserId
from app.schemas.moments import Moment
from app.schemas.problem import Problem

SubmissionKey = Annotated[
    str,
    Field(
        min_length=1,
        max_length=200,
        pattern=r"^[\x21-\x7e]+$",
        description="Names this submission: sent again, it counts once.",
        examples=["match-8731-player-42"],
    ),
]


class ScoreSubmission(Strict):
    """One game of one player."""

    user_id: UserId
    score: Score
    game_mode: Annotated[
        str,
        Field(
            pattern=GAME_MODE,
            description="Letters, digits, `-` and `_`.",
            examples=["ranked"],
        ),
    ] = "default"
    duration_ms: Annotated[
        int | None, Field(ge=0, description="How long the game took.", examples=[93_000])
    ] = None
    won: Annotated[bool | None, Field(description="Counts into the win rate if given.")] = None
    played_at: Annotated[
        Moment | None,
        Field(
            description="When it was played, in ISO 8601 with an offset from UTC; within the last "
            "minutes."
        ),
    ] = None
    metadata: Annotated[
        dict[str, Any] | None,
        Field(
            description="An object of at most 4 kB, kept with the session. Its numbers are kept "
            "exactly, whatever a double would make of them, and answered written out.",
            examples=[{"level": 7}],
        ),
    ] = None
    submission_id: SubmissionKey | None = None


class BoardResult(BaseModel):
    """What a submission did on one board. The rank is never older than the score; it is null
    while it can't be told within a second."""

    new_rank: Annotated[int | None, Field(description="From 1.", examples=[5])]
    rank_change: Annotated[
        int | None,
        Field(
            description="Positive: climbed. Null if the rank before is not known either.",
            examples=[3],
        ),
    ]
    total_score: Annotated[
        int | None, Field(description="The player's total after this game.", examples=[1_830])
    ]
    is_new_best: Annotated[
        bool, Field(description="Whether this game made the player's total better.")
    ]


class SubmissionResult(BaseModel):
    """What a submission did. It is stored, whatever else is said. `new_rank`, `rank_change` and
    `total_players` speak of the default board, and are null if the game does not count there or
    if the rank can't be told within a second."""

    session_id: Annotated[
        int, Field(description="The game's place in the ledger.", examples=[90_210])
    ]
    new_rank: Annotated[int | None, Field(description="From 1.", examples=[5])]
    rank_change: Annotated[
        int | None,
        Field(
            description="Positive: climbed. Null if the rank before is not known either.",
            examples=[3],
        ),
    ]
    total_players: Annotated[int | None, Field(examples=[120])]
    replayed: Annotated[bool, Field(description="True if this was counted before.")]
    message: Annotated[str, Field(examples=["Up 3 places to rank 5 of 120."])]
    boards: Annotated[
        dict[str, BoardResult],
        Field(description="Every board that the game counts for, by slug."),
    ]


class BatchSubmission(Strict):
    """Up to 1,000 submissions, each answered on its own."""

    # Stops at the first bad item: a body may hold hundreds of thousands.
    submissions: Annotated[
        list[ScoreSubmission], Field(min_length=1, max_length=1_000, fail_fast=True)
    ]


class AcceptedItem(SubmissionResult):
    """An item of a batch that was stored."""

    status: Literal["accepted"]


class RejectedItem(BaseModel):
    """An item of a batch that was not stored, and why."""

    status: Literal["rejected"]
    problem: Problem


class BatchResult(BaseModel):
    """One result an item, in the order of the items."""

    results: list[Annotated[AcceptedItem | RejectedItem, Field(discriminator="status")]]
