"""What must not stand in a log: keys, tokens, passwords, e-mail addresses. Wherever they come from,
a library's error with its parameters included, they are cut out of the finished line.
"""

import re
from collections.abc import MutableMapping
from itertools import islice
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
    (re.compile(r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"), CUT),
    # A credential in a header.
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9+/=._~-]{8,}"), r"\1 " + CUT),
    # A password in a URL.
    (re.compile(r"(://[^\s:/@]{0,256}):[^\s@]{1,256}@"), rf"\1:{CUT}@"),
    # `secret=...` and `"secret": "..."` in a text.
    (
        re.compile(
            r"""(?ix)\b((?:\w*_)?(?:secret|password|passwd|token|api_?key))
            (["']?\s*[=:]\s*["']?)[^\s"',;&)}\]]+"""
        ),
        r"\1\2" + CUT,
    ),
    # An e-mail address.
    (re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+"), CUT),
)
"""Each takes time in proportion to the text: it is tried where a word begins, or looks a bounded
way ahead."""

MAX_TEXT = 16_000
"""Characters of one text that are logged: of a longer one its beginning and its end."""
_EDGE = 2_000
"""Characters at a cut that are left out, because a secret that is cut through looks like none."""
_MAX_PARTS = 100

_DEEPEST = 6


def redact(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """A processor of structlog's: the line without what must not stand in it."""
    for name, value in event.items():
        event[name] = CUT if _is_secret(name, value) else _clean(value, 0)
    return event


def scrub(text: str) -> str:
    """A text without secrets and addresses, and of bounded length."""
    if len(text) <= MAX_TEXT:
        return _scrub(text)
    half = MAX_TEXT // 2
    head, tail = _scrub(text[: half + _EDGE])[:-_EDGE], _scrub(text[-half - _EDGE :])[_EDGE:]
    return f"{head} [{len(text) - MAX_TEXT:,} characters left out] {tail}"


def _scrub(text: str) -> str:
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
            for name, each in islice(value.items(), _MAX_PARTS)
        }
    if depth < _DEEPEST and isinstance(value, list | tuple | set | frozenset):
        return [_clean(each, depth + 1) for each in islice(value, _MAX_PARTS)]
    return scrub(repr(value))
