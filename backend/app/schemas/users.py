"""Players as clients see and make them."""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field

from app.core.names import MAX_WRITTEN, check_storable, clean_name
from app.schemas.common import Strict
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
    is_active: bool | None = None
    reason: Reason | None = None


class UserProfile(BaseModel):
    """What everybody may see of a player."""

    user_id: Annotated[int, Field(examples=[42])]
    username: Annotated[str, Field(examples=["Nova"])]
    join_date: datetime
    is_active: bool


class UserList(BaseModel):
    """Players found, in order of names."""

    users: list[UserProfile]
