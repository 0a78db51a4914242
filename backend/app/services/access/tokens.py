"""Players' tokens: short-lived, signed, and good for one player alone (JWT, HS256).

A token that was made with an API key names that key: it allows no more than the key does, and it
ends with the key. A guest's token names no key.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil
from typing import Any

import jwt

from app.core.config import MAX_TOKEN_SECONDS, MAX_USER_ID
from app.services.access.callers import Caller, Kind

CLOCK_SKEW = 60
"""Seconds by which `iat` may lie ahead: another host's clock signed the token."""

_ISSUER = "leaderboard"
_ALGORITHM = "HS256"
_REQUIRED = ["iss", "sub", "iat", "exp"]
_MAX_DIGITS = len(str(MAX_USER_ID))
_MAX_KEY_ID = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Token:
    """A token as it is handed out."""

    text: str
    user_id: int
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token with a good signature says. Times are Unix seconds, and `expires_at` may be
    past. `key_id` is the API key that made the token, None for a guest's token."""

    user_id: int
    issued_at: int
    expires_at: int
    key_id: int | None


class Tokens:
    """Signs tokens with one secret, the same on every worker. Tokens that were signed with the
    `previous` secret stay good until they end."""

    def __init__(
        self,
        secret: str,
        seconds: int,
        previous: str | None = None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._secret = secret
        self._secrets = (secret,) if previous is None else (secret, previous)
        self._seconds = seconds
        self._clock = clock

    def issue(self, user_id: int, maker: Caller | None = None) -> Token:
        """A token for this player, from now on. `maker` is the caller who asked for it: its key
        is named in the token, which ends no later than the key does."""
        now = self._clock()
        ends = int(now) + self._seconds
        claims: dict[str, object] = {"iss": _ISSUER, "sub": str(user_id), "iat": int(now)}
        if maker is not None and maker.kind is Kind.KEY:
            ends = ceil(min(ends, now + maker.deadline - time.monotonic()))
            claims["key"] = maker.key_id
        text = jwt.encode({**claims, "exp": ends}, self._secret, algorithm=_ALGORITHM)
        return Token(text, user_id, datetime.fromtimestamp(ends, UTC))

    def read(self, text: str) -> Claims | None:
        """What the token says; None if it is not ours, or is not exactly of the form that `issue`
        makes. The caller decides whether it is over."""
        for secret in self._secrets:
            claims = _signed_with(secret, text)
            if claims is not None:
                return _checked(claims, self._clock() + CLOCK_SKEW)
        return None


def _signed_with(secret: str, text: str) -> dict[str, Any] | None:
    """The claims, if the signature is by this secret."""
    try:
        return jwt.decode(
            text,
            secret,
            algorithms=[_ALGORITHM],
            issuer=_ISSUER,
            options={"require": _REQUIRED, "verify_iat": False, "verify_exp": False},
        )
    except Exception:  # noqa: BLE001 - whatever a stranger's text does to a parser, it is no token
        return None


def _checked(claims: dict[str, Any], latest: float) -> Claims | None:
    """The claims with their types, or None. A token can't last longer than the service ever
    makes one, so a signer with a mistake can make no token without an end."""
    user_id = _user_id(claims["sub"])
    issued_at, expires_at, key_id = claims["iat"], claims["exp"], claims.get("key")
    if user_id is None or not (_is_whole(issued_at) and _is_whole(expires_at)):
        return None
    if not 0 <= issued_at <= latest or not 0 < expires_at - issued_at <= MAX_TOKEN_SECONDS:
        return None
    if key_id is not None and not (_is_whole(key_id) and 1 <= key_id <= _MAX_KEY_ID):
        return None
    return Claims(user_id, issued_at, expires_at, key_id)


def _is_whole(value: object) -> bool:
    """Whether JSON said a whole number. To Python `true` is one too; 1e3 is a float."""
    return type(value) is int


def _user_id(subject: object) -> int | None:
    """The player's id, if it is written as `issue` writes it: no sign, blank or leading zero."""
    if not isinstance(subject, str) or len(subject) > _MAX_DIGITS:
        return None
    if not (subject.isascii() and subject.isdigit()) or subject.startswith("0"):
        return None
    user_id = int(subject)
    return user_id if user_id <= MAX_USER_ID else None
