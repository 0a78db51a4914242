"""Who the caller is, and tokens for players."""

from fastapi import APIRouter, Response

from app.api.access import CallerDep
from app.api.entrance import takes
from app.api.hot_route import JsonRoute
from app.api.leaderboard import BODY_ERRORS
from app.api.problems import declare
from app.api.state import ServiceDep
from app.core.errors import (
    GuestSignInOff,
    PlayerInactive,
    UnknownPlayer,
    UsernameTaken,
)
from app.schemas.access import (
    AuthState,
    CallerInfo,
    GuestAnswer,
    GuestSignIn,
    TokenAnswer,
    TokenRequest,
)
from app.services.access.callers import Rule, allows
from app.services.access.tokens import Token

router = APIRouter(prefix="/api/auth", tags=["auth"], route_class=JsonRoute)


@router.get("")
@allows(Rule.PUBLIC)
async def who_am_i(caller: CallerDep, service: ServiceDep, response: Response) -> AuthState:
    """How this service admits callers, and who the caller is. A credential that is not valid
    is answered with 401, here as everywhere."""
    response.headers["Cache-Control"] = "no-store"
    settings = service.settings
    return AuthState(
        mode=settings.auth_mode,
        guest_sign_in=settings.guest_sign_in,
        caller=CallerInfo(
            kind=caller.kind.value,
            scopes=[scope.value for scope in sorted(caller.scopes)],
            key_prefix=caller.prefix,
            user_id=caller.user_id,
        ),
    )


@router.post("/player-token", responses={**BODY_ERRORS, **declare(UnknownPlayer, PlayerInactive)})
@allows(Rule.SUBMIT)
@takes(1_024)
async def make_player_token(
    body: TokenRequest, caller: CallerDep, service: ServiceDep, response: Response
) -> TokenAnswer:
    """A short-lived token with which the player's own client acts for that player alone. A game
    server asks for it with its key and hands it on. The token allows no more than the key: it
    reads private boards if the key does, and renames the player if the key has `admin`. It ends
    when the key ends."""
    profile = await service.players.get(body.user_id)
    if not profile.is_active:
        raise PlayerInactive(f"Player {body.user_id} is deactivated.")
    response.headers["Cache-Control"] = "no-store"
    service.made_tokens.note(caller.actor, profile.user_id)
    return TokenAnswer(**_told(service.access.tokens.issue(profile.user_id, caller)))


@router.post(
    "/guest", responses={**BODY_ERRORS, **declare(GuestSignInOff, UsernameTaken, PlayerInactive)}
)
@allows(Rule.PUBLIC)
@takes(1_024)
async def sign_in_as_guest(
    body: GuestSignIn, service: ServiceDep, response: Response
) -> GuestAnswer:
    """Makes a player from a name and signs them in; or signs a guest in again. Only where the
    deployment allows guests."""
    if not service.settings.guest_sign_in:
        raise GuestSignInOff("This service takes no guests.")
    response.headers["Cache-Control"] = "no-store"
    if body.username is not None:
        guest = await service.guests.join(body.username)
        profile, secret = guest.profile, guest.secret
    elif body.user_id is not None and body.guest_secret is not None:
        profile, secret = await service.guests.find(body.user_id, body.guest_secret), None
    else:
        raise AssertionError
    token = service.access.tokens.issue(profile.user_id)
    return GuestAnswer(**_told(token), username=profile.username, guest_secret=secret)


def _told(token: Token) -> dict[str, object]:
    return {"user_id": token.user_id, "token": token.text, "expires_at": token.expires_at}
