"""What must not stand in a log: keys, tokens, passwords, e-mail addresses. Wherever they come from,
a library's error with its parameters included, they are cut out of the finished line.
"""

import re
from collections.abc import MutableMapping
from typing import Any

CUT = "[cut]"

_SECRET_NAMES = re.compile(
    r"authorization|cookie|secret|password|passwd|token|api_?key|e_?mail|credential", re.IGNORECASE
)
"""Names of fields whose values are not written, whatever they look like."""

_PATTERNS = (
    # An API key. Its prefix is public and says which one it was.
    (re.compile(r"\b(lb_[A-Za-z0-9]{1,32})_[A-Za-z0-9_-]+"), r"\1_" + CUT),
    # A JSON Web Token.
    (re.compile(r"\beyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"), CUT),
    # A credential in a header.
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9+/=._~-]{8,}"), r"\1 " + CUT),
    # A password in a URL.
    (re.compile(r"(://[^\s:/@]*):[^\s@]+@"), rf"\1:{CUT}@"),
    # `secret=...` and `"secret": "..."` in a text.
    (
        re.compile(
            r"""(?ix)\b((?:\w*_)?(?:secret|password|passwd|token|api_?key))
            (["']?\s*[=:]\s*["']?)[^\s"',;&)}\]]+"""
        ),
        r"\1\2" + CUT,
    ),
    # An e-mail address. Tried where a word begins, so that long lines take no longer than they are.
    (re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+"), CUT),
)

_DEEPEST = 6


def redact(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """A processor of structlog's: the line without what must not stand in it."""
    for name, value in event.items():
        event[name] = CUT if _is_secret(name, value) else _clean(value, 0)
    return event


def scrub(text: str) -> str:
    """A text without secrets and addresses."""
    for pattern, instead in _PATTERNS:
        text = pattern.sub(instead, text)
    return text


def _is_secret(name: object, value: object) -> bool:
    """Numbers and truths under such names are no secrets: `tokens=3`."""
    return (
        isinstance(value, str | bytes)
        and isinstance(name, str)
        and bool(_SECRET_NAMES.search(name))
    )


def _clean(value: object, depth: int) -> object:
    if isinstance(value, str):
        return scrub(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if depth < _DEEPEST and isinstance(value, dict):
        return {
            name: CUT if _is_secret(name, each) else _clean(each, depth + 1)
            for name, each in value.items()
        }
    if depth < _DEEPEST and isinstance(value, list | tuple | set | frozenset):
        return [_clean(each, depth + 1) for each in value]
    return scrub(repr(value))
