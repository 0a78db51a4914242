"""Text that people write: names and reasons."""

import unicodedata
from typing import Annotated

from pydantic import AfterValidator, Field


def clean_text(text: str) -> str:
    """NFC, and nothing in it that hides, breaks lines or can't be stored.

    Raises ValueError, as pydantic expects.
    """
    if any(unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") for char in text):
        raise ValueError("must have no control or invisible characters")
    return unicodedata.normalize("NFC", text)


def clean_line(text: str) -> str:
    """A line of text as it is stored. Raises ValueError."""
    text = clean_text(text).strip()
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
