"""Players as clients see and make them."""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field

from app.schemas.common import Strict
from app.schemas.text import Reason, clean_text

MAX_USERNAME = 32


def clean_username(name: str) -> str:
    """A name as it is stored. Raises ValueError."""
    name = clean_text(name)
    if name != name.strip():
        raise ValueError("must not begin or end with a space")
    if not 1 <= len(name) <= MAX_USERNAME:
        raise ValueError(f"must have 1 to {MAX_USERNAME} characters")
    return name


Username = Annotated[
    str,
    Field(
        min_length=1,
        max_length=4 * MAX_USERNAME,
        examples=["Nova"],
        description="1 to 32 characters, unique whatever the case.",
    ),
    AfterValidator(clean_username),
]
LookUp = Annotated[
    str, Field(min_length=1, max_length=4 * MAX_USERNAME), AfterValidator(clean_text)
]
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
