"""Errors as clients see them (RFC 9457, application/problem+json)."""

from pydantic import BaseModel, Field


class FieldProblem(BaseModel):
    """What is wrong with one field."""

    field: str = Field(description="Dotted path of the field.", examples=["score"])
    message: str = Field(examples=["Input should be a valid integer"])


class Problem(BaseModel):
    """An error with a stable `code`."""

    type: str = Field(examples=["urn:leaderboard:problem:unknown-player"])
    title: str = Field(examples=["No such player"])
    status: int = Field(examples=[404])
    code: str = Field(examples=["unknown-player"])
    detail: str = Field(examples=["There is no player 42."])
    errors: list[FieldProblem] | None = None
    request_id: str | None = Field(
        default=None, description="Also in the log.", examples=["5f2c1d9a04-1c7"]
    )
