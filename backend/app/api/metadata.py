"""A submission's metadata: the one field that may hold anything, within bounds."""

import json
from collections.abc import Iterable
from typing import Any

from app.core.errors import InvalidInput


def encode_metadata(metadata: dict[str, Any] | None, limit: int, depth: int) -> str | None:
    """Metadata as it is stored. Raises InvalidInput for what PostgreSQL can't keep, and for what
    is nested deeper than `depth`."""
    if not metadata:
        return None
    try:
        text = json.dumps(metadata, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
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


def is_deeper(value: object, depth: int) -> bool:
    """Whether lists and objects are nested deeper than so many. (The parser stops at 200.)"""
    if isinstance(value, dict):
        inner: Iterable[object] = value.values()
    elif isinstance(value, list):
        inner = value
    else:
        return False
    return depth == 0 or any(is_deeper(each, depth - 1) for each in inner)
