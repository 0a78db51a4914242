"""Who asks, and which rules that passes."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from app.core.errors import Forbidden, Unauthenticated

F = TypeVar("F", bound=Callable[..., Any])


class Scope(StrEnum):
    """What an API key is for. `admin` implies the others."""

    READ = "read"
    SUBMIT = "submit"
    ADMIN = "admin"


class Kind(StrEnum):
    """What a caller has shown: nothing, a key, a player's token; or nobody is asked (open)."""

    OPEN = "open"
    ANONYMOUS = "anonymous"
    KEY = "key"
    PLAYER = "player"


class Rule(StrEnum):
    """Who may use a route or a socket. Each has exactly one, and does not start without."""

    PUBLIC = "public"
    """Everybody."""
    BOARD = "board"
    """Everybody; on private boards, a key with `read`, or a token that reads them."""
    PLAY = "play"
    """A key with `submit`; a player's token for that player, where the boards allow clients."""
    SUBMIT = "submit"
    """A key with `submit`."""
    SELF = "self"
    """A key with `admin`; for the player's own name, a guest's token or one of an admin key."""
    WATCH = "watch"
    """A key with `read`: for those who look after the service."""
    ADMIN = "admin"
    """A key with `admin`."""


_FOR_ALL = frozenset((Rule.PUBLIC, Rule.BOARD))
_FOR_PLAYERS = _FOR_ALL | {Rule.PLAY, Rule.SELF}
_FOR_SCOPE = {
    Scope.READ: _FOR_ALL | {Rule.WATCH},
    Scope.SUBMIT: _FOR_ALL | {Rule.PLAY, Rule.SUBMIT},
    Scope.ADMIN: frozenset(Rule),
}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. `rules` are those that the caller passes.

    `deadline`, on the monotonic clock, is when the credential ends. `key_id` is the key that was
    shown, `lineage` the first key of which it is a rotation. Of a player's token, `maker_id` is
    the key that made it (None for a guest's token) and `issued_at` is in Unix seconds.
    """

    kind: Kind
    scopes: frozenset[Scope] = frozenset()
    rules: frozenset[Rule] = _FOR_ALL
    reads_private: bool = False
    key_id: int | None = None
    prefix: str | None = None
    lineage: int | None = None
    user_id: int | None = None
    maker_id: int | None = None
    issued_at: int = 0
    deadline: float = math.inf

    @property
    def actor(self) -> str:
        """Who it was, as the audit log says it."""
        if self.kind is Kind.KEY:
            return f"key:{self.prefix}"
        return f"player:{self.user_id}" if self.kind is Kind.PLAYER else self.kind.value

    def refuse(self, needed: str) -> Unauthenticated | Forbidden:
        """The error for who may not: 401 for who has shown nothing, else 403."""
        if self.kind is Kind.ANONYMOUS:
            return Unauthenticated()
        return Forbidden(f"This needs {needed}.")


OPEN = Caller(Kind.OPEN, frozenset(Scope), frozenset(Rule), reads_private=True)
ANONYMOUS = Caller(Kind.ANONYMOUS)

NEEDED = {
    Rule.PLAY: "a key with the scope submit, or a player's token",
    Rule.SUBMIT: "a key with the scope submit",
    Rule.SELF: "a key with the scope admin, or a player's token that a guest or such a key got",
    Rule.WATCH: "a key with the scope read",
    Rule.ADMIN: "a key with the scope admin",
}


def with_key(
    key_id: int, prefix: str, scopes: Iterable[str], deadline: float, lineage: int | None = None
) -> Caller:
    """A caller who has shown a key. A key that is no rotation is the first of its lineage."""
    given = frozenset(map(Scope, scopes))
    held = frozenset(Scope) if Scope.ADMIN in given else given
    rules = frozenset[Rule]().union(*(_FOR_SCOPE[scope] for scope in held))
    return Caller(
        Kind.KEY,
        held,
        rules,
        reads_private=Scope.READ in held,
        key_id=key_id,
        prefix=prefix,
        lineage=key_id if lineage is None else lineage,
        deadline=deadline,
    )


def with_token(user_id: int, issued_at: int, deadline: float, maker: Caller | None) -> Caller:
    """A caller who has shown a player's token: of all that players may do, what the key that made
    it may do as well. A guest's token, without a maker, may do all of it."""
    return Caller(
        Kind.PLAYER,
        rules=_FOR_PLAYERS if maker is None else _FOR_PLAYERS & maker.rules,
        reads_private=maker is None or maker.reads_private,
        user_id=user_id,
        maker_id=None if maker is None else maker.key_id,
        issued_at=issued_at,
        deadline=deadline if maker is None else min(deadline, maker.deadline),
    )


def allows(rule: Rule) -> Callable[[F], F]:
    """Declares who may use the route or socket that the function serves."""

    def mark(endpoint: F) -> F:
        endpoint.rule = rule  # type: ignore[attr-defined]
        return endpoint

    return mark


def rule_of(endpoint: Callable[..., Any]) -> Rule:
    """The declared rule. Raises TypeError if there is none: better no start than a gap."""
    rule = getattr(endpoint, "rule", None)
    if not isinstance(rule, Rule):
        raise TypeError(f"{endpoint.__qualname__} says nothing of who may use it: add @allows")
    return rule
