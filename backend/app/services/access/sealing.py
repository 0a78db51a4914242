"""Seals of the audit log: a keyed hash, so that no one without AUTH_SECRET can seal a row.

A row's own hash covers all rows before it, so one good seal vouches for them all: rows of the
version before, which have none, and rows that were sealed with a secret that is gone.
"""

import hmac
from collections.abc import Sequence
from enum import Enum

from app.core.config import Settings

_KEY_ID = 4
"""Bytes of a seal that say which key made it."""


class Verdict(Enum):
    """What a seal is worth."""

    GOOD = "good"
    FALSE = "false"
    UNKNOWN = "unknown"
    """There is none, or its key is not known here."""


class Sealer:
    """Seals with a key that is derived from the first secret, and knows seals of all of them."""

    def __init__(self, secrets: Sequence[str] = ()) -> None:
        keys = [hmac.digest(each.encode(), b"leaderboard audit log", "sha256") for each in secrets]
        self._keys = {hmac.digest(key, b"id", "sha256")[:_KEY_ID]: key for key in keys}
        self._current = next(iter(self._keys), None)

    @classmethod
    def of(cls, settings: Settings) -> "Sealer":
        """With AUTH_SECRET and AUTH_SECRET_PREVIOUS, as far as they are set."""
        given = (settings.auth_secret, settings.auth_secret_previous)
        return cls([each.get_secret_value() for each in given if each is not None and each])

    @property
    def on(self) -> bool:
        """Whether there is a secret to seal with."""
        return self._current is not None

    def seal(self, number: int, digest: bytes) -> bytes | None:
        """The seal of the row with this number and hash; None without a secret."""
        if self._current is None:
            return None
        return self._current + _mac(self._keys[self._current], number, digest)

    def judge(self, number: int, digest: bytes, seal: bytes | None) -> Verdict:
        """What the seal of a row is worth."""
        key = None if seal is None else self._keys.get(seal[:_KEY_ID])
        if seal is None or key is None:
            return Verdict.UNKNOWN
        good = hmac.compare_digest(seal[_KEY_ID:], _mac(key, number, digest))
        return Verdict.GOOD if good else Verdict.FALSE

    def is_current(self, number: int, digest: bytes, seal: bytes | None) -> bool:
        """Whether the seal is good and by the newest secret."""
        return seal is not None and seal == self.seal(number, digest)


UNSEALED = Sealer()


def _mac(key: bytes, number: int, digest: bytes) -> bytes:
    return hmac.digest(key, b"%d:%b" % (number, digest), "sha256")
