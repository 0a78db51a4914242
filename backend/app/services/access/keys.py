"""API keys: how they look, and all living ones in memory.

A key is `lb_<prefix>_<secret>`. The prefix is visible, for people and for finding the row; the
secret has 256 random bits. What is stored is the SHA-256 of the whole text: no one can try out
256 bits, so a hash that is slow on purpose would only slow the service down.
"""

import hashlib
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass
from hmac import compare_digest

from app.services.access.callers import Caller

MARK = "lb_"

_LETTERS = "bcdfghjkmnpqrstvwxz"
_NOBODY = hashlib.sha256(b"").digest()
"""No key's hash: what is compared when a prefix is unknown, so that it takes the same time."""


def new_secret() -> str:
    """256 random bits, as text."""
    return secrets.token_urlsafe(32)


def hash_secret(text: str) -> bytes:
    """A key or a guest's secret as it is stored: 32 bytes."""
    return hashlib.sha256(text.encode()).digest()


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key before it is stored: its text is shown once and then nowhere."""

    prefix: str
    text: str

    @classmethod
    def make(cls) -> "NewKey":
        prefix = "".join(secrets.choice(_LETTERS) for _ in range(8))
        return cls(prefix, f"{MARK}{prefix}_{new_secret()}")


class Keys:
    """The living keys of the last look: (hash, the caller that it makes) by prefix, and by id."""

    def __init__(self, living: Iterable[tuple[bytes, Caller]] = ()) -> None:
        self._by_prefix = {caller.prefix: (secret_hash, caller) for secret_hash, caller in living}
        self._by_id = {caller.key_id: caller for _, caller in self._by_prefix.values()}

    def with_id(self, key_id: int | None) -> Caller | None:
        """The caller that this key makes, if the key still lives."""
        living = self._by_id.get(key_id)
        return living if living is not None and living.deadline > time.monotonic() else None

    def find(self, text: str) -> Caller | None:
        """Whose key this is. A prefix that there is none of takes as long as a wrong secret."""
        prefix = text.removeprefix(MARK).partition("_")[0]
        known, caller = self._by_prefix.get(prefix, (_NOBODY, None))
        return caller if compare_digest(known, hash_secret(text)) else None
