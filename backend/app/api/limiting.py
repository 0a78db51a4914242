"""Rate limits at the door: what a request counts as, and what its caller is told."""

from collections.abc import Collection
from math import ceil

from starlette.types import Scope

from app.api.access import admit
from app.api.state import service_of
from app.core.errors import Forbidden, RateLimited, Unauthenticated
from app.services.access.callers import Rule
from app.services.limits.policies import OF_ADDRESSES, Kind, Policy, Who

_LIGHT = frozenset(("/api/leaderboard/health", "/api/live", "/api/ready", "/docs", "/openapi.json"))
"""Asked all the time and from one address, by those who watch over the service."""
_READS_BY_POST = frozenset(("/api/leaderboard/ranks",))
_SIGN_INS = frozenset(("/api/auth/guest",))


def kind_of(methods: Collection[str], path: str) -> Kind:
    """What a request to this route counts as."""
    if path in _LIGHT:
        return Kind.LIGHT
    if path in _SIGN_INS:
        return Kind.SIGN_INS
    return Kind.READS if "GET" in methods or path in _READS_BY_POST else Kind.SUBMITS


async def admit_and_charge(scope: Scope, rule: Rule, kind: Kind, cost: int = 1) -> None:
    """Admits a request and counts it. A caller who shows wrong credentials too often gets 429,
    whether the next one is right or not; a player's token that is over is no such attempt.
    Raises what `admit` does, RateLimited."""
    try:
        admit(scope, rule)
    except Unauthenticated as error:
        is_guess = error.is_guess and b"authorization" in scope["given"]
        await charge(scope, Kind.SIGN_INS if is_guess else Kind.LIGHT)
        raise
    except Forbidden:
        await charge(scope, Kind.LIGHT)
        raise
    if cost > 1:
        cost = service_of(scope).limits.affordable(kind, cost)
    await charge(scope, kind, cost)


async def charge_light(scope: Scope) -> None:
    """Counts a request that reaches no route. Raises RateLimited."""
    # Before its lifespan begins, an app has no limits.
    if scope.get("state"):
        await charge(scope, Kind.LIGHT)


async def charge(scope: Scope, kind: Kind, cost: int = 1) -> None:
    """Counts a request of the scope's caller, and notes for its answer's headers where that
    leaves them. Raises RateLimited."""
    service = service_of(scope)
    if not service.limits.on:
        return
    address = _address(scope)
    if kind in OF_ADDRESSES:
        standing = await service.limits.charge_address(kind, address, cost)
    else:
        standing = await service.limits.charge(kind, scope["caller"], address, cost)
    scope["limit_headers"] = standing.headers
    scope["charged"] = scope.get("charged", 0) + cost
    if standing.wait:
        # A key is a server's, which has many requests under way for many players.
        if standing.policy.who is not Who.KEY:
            await service.limits.hold_back()
        raise refusal_of(standing.policy, ceil(standing.wait), cost)


async def charge_items(scope: Scope, items: int) -> None:
    """Counts a batch's scores beyond what its request and its bytes were counted as. Raises
    RateLimited."""
    more = items - scope.get("charged", 0)
    if more > 0:
        await charge(scope, Kind.SUBMITS, more)


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return service_of(scope).addresses.of(None if client is None else client[0], scope["headers"])


def refusal_of(policy: Policy, seconds: int, cost: int) -> RateLimited:
    """The error for a caller who has to stay away for so long."""
    said = f"At most {policy.quota:,} {policy.kind} a minute"
    if cost > policy.burst:
        said = f"{said}, of which {policy.burst:,} at once"
    return RateLimited(f"{said}. Come back later.", seconds)
