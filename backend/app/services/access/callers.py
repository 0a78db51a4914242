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
    """Everybody; a private board's, a key with `read` or any player's token."""
    PLAY = "play"
    """A key with `submit`; a player's token for that player, where the boards allow clients."""
    SUBMIT = "submit"
    """A key with `submit`."""
    SELF = "self"
    """A key with `admin`; a player's token for the player's own name."""
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
    """Who asks. `rules` are those that are passed; `deadline`, on the monotonic clock, is when
    the credential ends."""

    kind: Kind
    scopes: frozenset[Scope] = frozenset()
    rules: frozenset[Rule] = _FOR_ALL
    key_id: int | None = None
    prefix: str | None = None
    user_id: int | None = None
    deadline: float = math.inf

    @property
    def actor(self) -> str:
        """Who it was, as the audit log says it."""
        if self.kind is Kind.KEY:
            return f"key:{self.prefix}"
        return f"player:{self.user_id}" if self.kind is Kind.PLAYER else self.kind.value

    @property
    def reads_private(self) -> bool:
        """Whether private boards are shown."""
        return self.kind is Kind.PLAYER or Scope.READ in self.scopes

    def refuse(self, needed: str) -> Unauthenticated | Forbidden:
        """The error for who may not: 401 for who has shown nothing, else 403."""
        if self.kind is Kind.ANONYMOUS:
            return Unauthenticated()
        return Forbidden(f"This needs {needed}.")


OPEN = Caller(Kind.OPEN, frozenset(Scope), frozenset(Rule))
ANONYMOUS = Caller(Kind.ANONYMOUS)

NEEDED = {
    Rule.PLAY: "a key with the scope submit, or a player's token",
    Rule.SUBMIT: "a key with the scope submit",
    Rule.SELF: "a key with the scope admin, or the player's own token",
    Rule.WATCH: "a key with the scope read",
    Rule.ADMIN: "a key with the scope admin",
}


def with_key(key_id: int, prefix: str, scopes: Iterable[str], deadline: float) -> Caller:
    """A caller who has shown a key."""
    given = frozenset(map(Scope, scopes))
    held = frozenset(Scope) if Scope.ADMIN in given else given
    rules = frozenset[Rule]().union(*(_FOR_SCOPE[scope] for scope in held))
    return Caller(Kind.KEY, held, rules, key_id, prefix, deadline=deadline)


def with_token(user_id: int, deadline: float) -> Caller:
    """A caller who has shown a player's token."""
    return Caller(Kind.PLAYER, rules=_FOR_PLAYERS, user_id=user_id, deadline=deadline)


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
