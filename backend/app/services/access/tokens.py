"""Players' tokens: short-lived, signed, and good for one player alone (JWT, HS256)."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime

import jwt

from app.core.config import MAX_USER_ID
from app.services.access.callers import Caller, with_token

_ISSUER = "leaderboard"
_ALGORITHM = "HS256"
_REQUIRED = ["iss", "sub", "iat", "exp"]


@dataclass(frozen=True, slots=True)
class Token:
    """A token as it is handed out."""

    text: str
    user_id: int
    expires_at: datetime


class Tokens:
    """Signs and checks with one secret, the same on every worker."""

    def __init__(self, secret: str, seconds: int) -> None:
        self._secret = secret
        self._seconds = seconds

    def issue(self, user_id: int) -> Token:
        """A token for this player, from now on."""
        now = int(time.time())
        ends = now + self._seconds
        claims = {"iss": _ISSUER, "sub": str(user_id), "iat": now, "exp": ends}
        text = jwt.encode(claims, self._secret, algorithm=_ALGORITHM)
        return Token(text, user_id, datetime.fromtimestamp(ends, UTC))

    def find(self, text: str) -> Caller | None:
        """Whose token this is, or was: the caller's deadline is past if it is over. None for one
        that is not ours or not whole.

        `iat` is not held against a clock: another host's may be ahead, and `exp` bounds it.
        """
        try:
            claims = jwt.decode(
                text,
                self._secret,
                algorithms=[_ALGORITHM],
                issuer=_ISSUER,
                options={"require": _REQUIRED, "verify_iat": False, "verify_exp": False},
            )
            user_id, left = int(claims["sub"]), claims["exp"] - time.time()
        except (jwt.PyJWTError, ValueError, TypeError):
            return None
        if not 1 <= user_id <= MAX_USER_ID:
            return None
        return with_token(user_id, time.monotonic() + left)
