"""Players as clients see and make them."""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field

from app.core.names import MAX_WRITTEN, check_storable, clean_name
from app.schemas.common import Digits, Strict
from app.schemas.entries import BoardQuery
from app.schemas.text import Reason

Username = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MAX_WRITTEN,
        examples=["Nova"],
        description="1 to 32 characters, unique whatever the case, the form and what shows "
        "nothing.",
    ),
    AfterValidator(clean_name),
]
LookUp = Annotated[str, Field(min_length=1, max_length=MAX_WRITTEN), AfterValidator(check_storable)]
Email = Annotated[
    str,
    Field(
        max_length=254,
        pattern=r"^[!-?A-~]{1,64}@[!-?A-~]+\.[!-?A-~]+$",
        examples=["nova@example.com"],
    ),
]


class NewUser(Strict):
    """A player who joins."""

    username: Username
    email: Email | None = None


class UserChange(Strict):
    """What is to change; what is left out stays."""

    username: Username | None = None
    email: Annotated[Email | None, Field(description="Null removes the address.")] = None
    is_active: bool | None = None
    reason: Reason | None = None


class UserProfile(BaseModel):
    """What everybody may see of a player."""

    user_id: Annotated[int, Field(examples=[42])]
    username: Annotated[str, Field(examples=["Nova"])]
    join_date: datetime
    is_active: bool


class FoundUser(UserProfile):
    """A player found, and where the player stands on the board."""

    rank: Annotated[
        int | None,
        Field(
            description="Null for a player without a score there, and while ranks can't be told.",
            examples=[5],
        ),
    ]
    total_score: Annotated[
        int | None, Field(description="Null for a player without a score.", examples=[1500])
    ]


class ErasedUser(BaseModel):
    """A player who was erased."""

    user_id: Annotated[int, Field(examples=[42])]
    erased_at: datetime


class UserSearch(BoardQuery):
    """Which players; and the board and season on which their ranks are told."""

    username: Annotated[LookUp | None, Field(description="The exact name.")] = None
    search: Annotated[LookUp | None, Field(description="Parts of the name.")] = None
    prefix: Annotated[LookUp | None, Field(description="How the name begins.")] = None
    limit: Annotated[int, Field(ge=1, le=50, description="How many at most."), Digits] = 10


class UserList(BaseModel):
    """Players found: those whose names begin so in order of names, then the others."""

    users: list[FoundUser]
