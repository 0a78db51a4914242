"""Rate limits at the door: what a request counts as, and what its caller is told."""

from collections.abc import Collection
from math import ceil

from starlette.types import Scope

from app.api.access import admit
from app.api.state import service_of
from app.core.errors import RateLimited, Unauthenticated
from app.services.access.callers import Rule
from app.services.limits.limiter import Standing
from app.services.limits.policies import Kind, Who

_FREE = frozenset(("/api/leaderboard/health", "/api/live", "/api/ready"))
"""Asked by those who watch over the service, all the time and from one address."""
_READS_BY_POST = frozenset(("/api/leaderboard/ranks",))
_SIGN_INS = frozenset(("/api/auth/guest",))


def kind_of(methods: Collection[str], path: str) -> Kind | None:
    """What a request to this route counts as; None if it is free."""
    if path in _FREE:
        return None
    if path in _SIGN_INS:
        return Kind.SIGN_INS
    return Kind.READS if "GET" in methods or path in _READS_BY_POST else Kind.SUBMITS


async def admit_and_charge(scope: Scope, rule: Rule, kind: Kind | None) -> None:
    """Admits a request and counts it. Whoever shows a wrong credential too often is told that,
    and not whether the next one is right; a player's token that is over is no such attempt.
    Raises what `admit` does, RateLimited."""
    try:
        admit(scope, rule)
    except Unauthenticated as error:
        if error.is_guess and any(name == b"authorization" for name, _ in scope["headers"]):
            await charge(scope, Kind.SIGN_INS)
        raise
    if kind is not None and service_of(scope).limits.on:
        await charge(scope, kind)


async def charge(scope: Scope, kind: Kind | None, cost: int = 1) -> None:
    """Counts a request of the scope's caller, and notes for its answer's headers where that
    leaves them. Raises RateLimited."""
    service = service_of(scope)
    if kind is None or not service.limits.on:
        return
    if kind is Kind.SIGN_INS:
        standing = await service.limits.charge_sign_in(_address(scope))
    else:
        standing = await service.limits.charge(kind, scope["caller"], _address(scope), cost)
    scope["limit_headers"] = standing.headers
    if standing.wait:
        if standing.policy.who is Who.ADDRESS:
            await service.limits.hold_back()
        raise _refusal(standing, cost)


async def charge_items(scope: Scope, items: int) -> None:
    """Counts a batch's scores beyond the first one, which its request was counted as. Raises
    RateLimited."""
    if items > 1:
        await charge(scope, Kind.SUBMITS, items - 1)


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return service_of(scope).addresses.of(None if client is None else client[0], scope["headers"])


def _refusal(standing: Standing, cost: int) -> RateLimited:
    policy = standing.policy
    said = f"At most {policy.quota:,} {policy.kind} a minute"
    if cost > policy.burst:
        said = f"{said}, of which {policy.burst:,} at once"
    return RateLimited(f"{said}. Come back later.", ceil(standing.wait))
