"""Keys, tokens, sign-ins and the audit log as they cross the wire."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, model_validator

from app.core.config import MAX_USER_ID
from app.schemas.common import Digits, Strict, UserId
from app.schemas.text import Name, Reason
from app.schemas.users import Username

_SECRET = "2mF1p0zq6WJ2v0sA3k5yq1mQyq7v9h0bZt4cXw8LrEo"  # noqa: S105 - an example

ScopeName = Literal["read", "submit", "admin"]

MAX_KEY_DAYS = 3_650
MAX_OVERLAP_SECONDS = 30 * 24 * 3_600

KeyId = Annotated[int, Field(ge=1, le=2**31 - 1, description="A key's number.", examples=[3])]


class CallerInfo(BaseModel):
    """Who the service takes the caller for."""

    kind: Annotated[
        Literal["open", "anonymous", "key", "player"],
        Field(description="`open`: nobody is asked. `anonymous`: nothing was shown."),
    ]
    scopes: list[ScopeName]
    key_prefix: Annotated[str | None, Field(examples=["bcdfghjk"])] = None
    user_id: Annotated[int | None, Field(examples=[42])] = None


class AuthState(BaseModel):
    """How this service admits callers, and who this one is."""

    mode: Annotated[
        Literal["open", "closed"],
        Field(description="`open`: this machine alone is answered, and may do everything."),
    ]
    guest_sign_in: Annotated[bool, Field(description="Whether players may come as guests.")]
    caller: CallerInfo


class TokenRequest(Strict):
    """The player whom a token is for."""

    user_id: UserId


class TokenAnswer(BaseModel):
    """A player's token, for `Authorization: Bearer`."""

    user_id: Annotated[int, Field(examples=[42])]
    token: Annotated[str, Field(examples=["eyJhbGciOiJIUzI1NiIs..."])]
    expires_at: datetime


class GuestSignIn(Strict):
    """A new guest by `username`, or one who comes back by `user_id` and `guest_secret`."""

    username: Username | None = None
    user_id: UserId | None = None
    guest_secret: Annotated[
        str | None,
        Field(min_length=1, max_length=100, examples=[_SECRET]),
    ] = None

    @model_validator(mode="after")
    def _one_or_the_other(self) -> "GuestSignIn":
        back = (self.user_id is not None, self.guest_secret is not None)
        if any(back) != all(back) or any(back) == (self.username is not None):
            raise ValueError("give username, or user_id and guest_secret")
        return self


class GuestAnswer(TokenAnswer):
    """A guest who has signed in."""

    username: Annotated[str, Field(examples=["Nova"])]
    guest_secret: Annotated[
        str | None,
        Field(
            description="Signs this guest in again. Told once, to a new guest.",
            examples=[_SECRET],
        ),
    ] = None


class NewKey(Strict):
    """A key to make."""

    name: Name
    scopes: Annotated[
        list[ScopeName],
        Field(
            min_length=1,
            max_length=3,
            description="What it is for; `admin` implies the others.",
            examples=[["submit"]],
        ),
    ]
    expires_in_days: Annotated[
        int | None,
        Field(ge=1, le=MAX_KEY_DAYS, description="It never ends if left out.", examples=[90]),
    ] = None
    reason: Reason | None = None


class Rotation(Strict):
    """How a key gives way to a new one."""

    overlap_seconds: Annotated[
        int,
        Field(
            ge=0,
            le=MAX_OVERLAP_SECONDS,
            description="How long the old key goes on beside the new one.",
            examples=[3_600],
        ),
    ] = 3_600
    reason: Reason | None = None


class Key(BaseModel):
    """All that is ever shown of a key."""

    key_id: Annotated[int, Field(examples=[3])]
    name: Annotated[str, Field(examples=["eu-west game server"])]
    prefix: Annotated[
        str, Field(description="The key begins with `lb_` and this.", examples=["bcdfghjk"])
    ]
    scopes: list[ScopeName]
    status: Literal["active", "expired", "revoked"]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: Annotated[datetime | None, Field(description="To about a minute.")]
    rotated_from: Annotated[
        int | None, Field(description="The key that it took over from.", examples=[2])
    ]


class MadeKey(Key):
    """A new key."""

    key: Annotated[
        str,
        Field(
            description="The key itself. It is told this once and stored nowhere.",
            examples=[f"lb_bcdfghjk_{_SECRET}"],
        ),
    ]


class KeyList(BaseModel):
    """All keys that there ever were, newest first."""

    keys: list[Key]


class AuditQuery(BaseModel):
    """A page of the log. Not `Strict`: in a query every value is text."""

    limit: Annotated[int, Field(ge=1, le=200, description="How many at most."), Digits] = 50
    cursor: Annotated[
        int | None,
        Field(ge=1, le=MAX_USER_ID, description="`next_cursor` of the page before this one."),
        Digits,
    ] = None


class AuditEntry(BaseModel):
    """An administrative act."""

    id: Annotated[int, Field(description="Counts from 1 without a gap.", examples=[17])]
    at: datetime
    actor: Annotated[str, Field(description="Who.", examples=["key:bcdfghjk"])]
    action: Annotated[str, Field(description="What.", examples=["key.revoke"])]
    subject: Annotated[str, Field(description="To what.", examples=["key:fghjkmnp"])]
    detail: Annotated[
        dict[str, Any], Field(description="More of it.", examples=[{"name": "old server"}])
    ]
    reason: Annotated[str | None, Field(description="Why.", examples=["It leaked."])]
    hash: Annotated[
        str,
        Field(
            description="Seals the entry and all before it: SHA-256, in hexadecimal digits.",
            examples=["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"],
        ),
    ]


class AuditPage(BaseModel):
    """The log, newest first."""

    entries: list[AuditEntry]
    next_cursor: Annotated[
        int | None, Field(description="Leads to the next page; null on the last.", examples=[17])
    ]
