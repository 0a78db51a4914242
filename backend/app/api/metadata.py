"""A submission's metadata: the one field that may hold anything, within bounds."""

import json
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from app.core.errors import AppError, InvalidInput
from app.core.exact_json import has_fraction, pieces, read_exactly
from app.schemas.scores import ScoreSubmission

_encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def keep_numbers(items: Sequence[ScoreSubmission | AppError], body: bytes) -> None:
    """Puts metadata back as it stands in the body, of one submission or of a batch, where reading
    it made a double of a number."""
    rounded = [
        (at, item)
        for at, item in enumerate(items)
        if isinstance(item, ScoreSubmission) and has_fraction(item.metadata)
    ]
    if rounded:
        said = read_exactly(body)
        submissions = said.get("submissions", [said])
        for at, item in rounded:
            item.metadata = submissions[at]["metadata"]


def encode_metadata(metadata: dict[str, Any] | None, limit: int, depth: int) -> str | None:
    """Metadata as it is stored: of at most `limit` bytes, as compact JSON in UTF-8 whose numbers
    are written out. Raises InvalidInput for what PostgreSQL can't keep, and for what is nested
    deeper than `depth`."""
    if not metadata:
        return None
    try:
        text = _write_out(metadata, limit) if has_fraction(metadata) else _encoder.encode(metadata)
        size = len(text.encode())
    except (ValueError, RecursionError, UnicodeEncodeError) as error:
        raise InvalidInput.field(
            "metadata", "must hold finite numbers and valid Unicode text"
        ) from error
    if size > limit:
        raise InvalidInput.field("metadata", f"must have at most {limit} bytes, has {size}")
    # So few brackets can't be nested deeper, wherever they are.
    if text.count("{") + text.count("[") > depth and is_deeper(metadata, depth):
        raise InvalidInput.field("metadata", f"must be nested at most {depth} deep")
    # Escaped backslashes aside, what is left of the text \u0000 is the character itself.
    if "\\u0000" in text.replace(r"\\", ""):
        raise InvalidInput.field("metadata", "must not contain the character U+0000")
    return text


def _write_out(metadata: dict[str, Any], limit: int) -> str:
    """With digits for exponents, as PostgreSQL will answer it: 1e400 has 401 bytes. Raises
    ValueError; InvalidInput before much more than is allowed is written."""
    too_long = InvalidInput.field(
        "metadata", f"must have at most {limit} bytes with its numbers written out"
    )

    def write(number: Decimal | float) -> str:
        exact = Decimal(str(number))
        if not exact.is_finite():
            raise ValueError
        if abs(exact.adjusted()) > limit:
            raise too_long
        return format(exact, "f")

    written, size = [], 0
    for piece in pieces(metadata, write):
        written.append(piece)
        size += len(piece)
        if size > limit:
            raise too_long
    return "".join(written)


def is_deeper(value: object, depth: int) -> bool:
    """Whether lists and objects are nested deeper than so many. (The parser stops at 200.)"""
    if isinstance(value, dict):
        inner: Iterable[object] = value.values()
    elif isinstance(value, list):
        inner = value
    else:
        return False
    return depth == 0 or any(is_deeper(each, depth - 1) for each in inner)
