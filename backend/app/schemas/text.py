"""Lines of text that people write for other people: names of keys, reasons."""

from typing import Annotated

from pydantic import AfterValidator, Field

from app.core.names import check_visible


def clean_line(text: str) -> str:
    """A line of text as it is stored. Raises ValueError."""
    text = check_visible(text).strip()
    if not text:
        raise ValueError("must not be blank")
    return text


Reason = Annotated[
    str,
    Field(
        min_length=1,
        max_length=500,
        description="Why, for the audit log.",
        examples=["The old server was shut down."],
    ),
    AfterValidator(clean_line),
]
Name = Annotated[
    str,
    Field(min_length=1, max_length=64, examples=["eu-west game server"]),
    AfterValidator(clean_line),
]
