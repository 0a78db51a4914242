"""For administrators: API keys and the audit log."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from app.api.access import CallerDep
from app.api.entrance import takes
from app.api.hot_route import JsonRoute
from app.api.leaderboard import BODY_ERRORS
from app.api.problems import declare
from app.api.state import ServiceDep
from app.core.errors import DatabaseAway, InvalidInput, KeyNotActive, UnknownKey
from app.schemas.access import (
    AuditEntry,
    AuditPage,
    AuditQuery,
    Key,
    KeyId,
    KeyList,
    MadeKey,
    NewKey,
    Rotation,
)
from app.schemas.common import Digits
from app.schemas.text import Reason
from app.services.access.audit import NEWEST
from app.services.access.callers import Rule, Scope, allows
from app.services.access.key_admin import KeyInfo
from app.services.access.key_admin import MadeKey as StoredKey

router = APIRouter(prefix="/api", tags=["admin"], route_class=JsonRoute)

DAY = 24 * 3_600

KeyPath = Annotated[KeyId, Path(), Digits]


def _shown(key: KeyInfo) -> Key:
    return Key(
        key_id=key.id,
        name=key.name,
        prefix=key.prefix,
        scopes=[scope.value for scope in key.scopes],
        status=key.status,
        created_at=key.created_at,
        expires_at=key.expires_at,
        revoked_at=key.revoked_at,
        last_used_at=key.last_used_at,
        rotated_from=key.rotated_from,
    )


def _made(made: StoredKey, response: Response) -> MadeKey:
    response.headers["Cache-Control"] = "no-store"
    return MadeKey(**_shown(made.info).model_dump(), key=made.text)


@router.post("/keys", status_code=201, responses=BODY_ERRORS)
@allows(Rule.ADMIN)
@takes(4_096)
async def create_key(
    body: NewKey, caller: CallerDep, service: ServiceDep, response: Response
) -> MadeKey:
    """Makes a key. Its text is in this answer and never again."""
    made = await service.keys.create(
        body.name,
        {Scope(scope) for scope in body.scopes},
        caller.actor,
        expires_in=body.expires_in_days and body.expires_in_days * DAY,
        reason=body.reason,
    )
    await service.access.refresh()
    return _made(made, response)


@router.get("/keys", responses=declare(DatabaseAway))
@allows(Rule.ADMIN)
async def list_keys(service: ServiceDep, response: Response) -> KeyList:
    """All keys, newest first, without their secrets."""
    response.headers["Cache-Control"] = "no-store"
    return KeyList(keys=[_shown(key) for key in await service.keys.all()])


@router.post(
    "/keys/{key_id}/rotate",
    status_code=201,
    responses={**BODY_ERRORS, **declare(UnknownKey, KeyNotActive)},
)
@allows(Rule.ADMIN)
@takes(4_096)
async def rotate_key(
    key_id: KeyPath, body: Rotation, caller: CallerDep, service: ServiceDep, response: Response
) -> MadeKey:
    """Makes a key for the same purpose, and ends the old one when the overlap is over. In
    between both are good, so that servers can be told one after the other."""
    made = await service.keys.rotate(
        key_id, caller.actor, overlap=body.overlap_seconds, reason=body.reason
    )
    await service.access.refresh()
    return _made(made, response)


@router.delete("/keys/{key_id}", responses=declare(UnknownKey, InvalidInput, DatabaseAway))
@allows(Rule.ADMIN)
async def revoke_key(
    key_id: KeyPath,
    caller: CallerDep,
    service: ServiceDep,
    reason: Annotated[Reason | None, Query(description="Why, for the audit log.")] = None,
) -> Key:
    """Ends a key for good: on this worker at once, on every other within a second."""
    revoked = await service.keys.revoke(key_id, caller.actor, reason=reason)
    await service.access.refresh()
    return _shown(revoked)


@router.get("/audit", responses=declare(InvalidInput, DatabaseAway))
@allows(Rule.ADMIN)
async def read_audit(
    query: Annotated[AuditQuery, Query()], service: ServiceDep, response: Response
) -> AuditPage:
    """Who did what, when and why, newest first."""
    response.headers["Cache-Control"] = "no-store"
    found, following = await service.audit.page(query.limit, query.cursor or NEWEST)
    return AuditPage(
        entries=[
            AuditEntry(
                id=each.id,
                at=each.at,
                actor=each.actor,
                action=each.action,
                subject=each.subject,
                detail=each.detail,
                reason=each.reason,
                hash=each.hash.hex(),
            )
            for each in found
        ],
        next_cursor=following,
    )
