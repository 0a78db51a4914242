"""Players: joining and looking up."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import StreamingResponse
from pydantic_core import to_json
from starlette.types import Receive, Scope, Send

from app.api.access import CallerDep
from app.api.entrance import costs, takes
from app.api.hot_route import JsonRoute
from app.api.leaderboard import BODY_ERRORS, RANK_ERRORS
from app.api.problems import declare
from app.api.state import ServiceDep
from app.core.errors import (
    DatabaseAway,
    EmailTaken,
    Forbidden,
    InvalidInput,
    PlayerErased,
    PlayerInactive,
    Unauthenticated,
    UnknownBoard,
    UnknownPlayer,
    UnknownSeason,
    UsernameTaken,
)
from app.schemas.common import UserIdInPath
from app.schemas.sessions import (
    History,
    HistoryPoint,
    HistoryQuery,
    SessionList,
    SessionsQuery,
)
from app.schemas.text import Reason
from app.schemas.users import (
    ErasedUser,
    FoundUser,
    NewUser,
    UserChange,
    UserList,
    UserProfile,
    UserSearch,
)
from app.services.access.callers import Caller, Kind, Rule, allows
from app.services.player_export import encode_session
from app.services.players import KEEP, Profile
from app.services.search import ranks_of
from app.services.service import Service
from app.services.sessions import NEWEST, Cursor

router = APIRouter(prefix="/api/users", tags=["users"], route_class=JsonRoute)

SPANS = {
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(days=7),
    "month": timedelta(days=30),
    "all": None,
}


def _to_answer(profile: Profile) -> UserProfile:
    return UserProfile(
        user_id=profile.user_id,
        username=profile.username,
        join_date=profile.join_date,
        is_active=profile.is_active,
    )


@router.post("", status_code=201, responses={**BODY_ERRORS, **declare(UsernameTaken, EmailTaken)})
@allows(Rule.SUBMIT)
@takes(4_096)
async def create_user(body: NewUser, service: ServiceDep) -> UserProfile:
    """A new player. Names are unique whatever their case."""
    return _to_answer(await service.players.create(body.username, body.email))


@router.get(
    "",
    responses=declare(UnknownPlayer, UnknownBoard, UnknownSeason, InvalidInput, DatabaseAway),
)
@allows(Rule.PUBLIC)
@costs(2)
async def find_users(
    caller: CallerDep,
    service: ServiceDep,
    query: Annotated[UserSearch, Query()],
) -> UserList:
    """Looks a player up by `username` (404 if there is none), or finds active players: `search` is
    parts of the name, `prefix` its beginning. Case, accents and what shows nothing make no
    difference. Parts within a name are found if one of them has at least three characters."""
    given = [each for each in (query.username, query.search, query.prefix) if each is not None]
    if len(given) != 1:
        raise InvalidInput.field("username", "give one of username, search and prefix")
    if query.username is not None:
        found = [await service.players.find(query.username)]
    elif query.search is not None:
        found = await service.search.find(query.search, query.limit)
    else:
        found = await service.search.begin(given[0], query.limit)
    ranks = await _ranks(found, query, caller, service)
    return UserList(
        users=[
            FoundUser(**_to_answer(each).model_dump(), rank=rank, total_score=total)
            for each in found
            for rank, total in [ranks.get(each.user_id, (None, None))]
        ]
    )


async def _ranks(
    found: list[Profile], query: UserSearch, caller: Caller, service: Service
) -> Mapping[int, tuple[int | None, int]]:
    """On the board that was asked for; on the default one only if the caller may read that."""
    try:
        board = service.boards.find(query.board, query.season, caller)
    except (Unauthenticated, Forbidden, UnknownBoard):
        if query.board is not None:
            raise
        return {}
    return await ranks_of(service.standings.of(board), found)


@router.get(
    "/{user_id}", responses=declare(UnknownPlayer, PlayerErased, InvalidInput, DatabaseAway)
)
@allows(Rule.PUBLIC)
async def get_user(user_id: Annotated[UserIdInPath, Path()], service: ServiceDep) -> UserProfile:
    """A player's profile."""
    return _to_answer(await service.players.get(user_id))


@router.patch(
    "/{user_id}",
    responses={
        **BODY_ERRORS,
        **declare(UnknownPlayer, UsernameTaken, EmailTaken, PlayerInactive, PlayerErased),
    },
)
@allows(Rule.SELF)
@takes(8_192)
async def change_user(
    user_id: Annotated[UserIdInPath, Path()],
    body: UserChange,
    caller: CallerDep,
    service: ServiceDep,
) -> UserProfile:
    """Renames or deactivates a player, or brings one back, or changes the e-mail address. A
    deactivated player keeps every score and loses every rank until reactivated. With a player's
    token: the own name and address."""
    profile = await service.players.change(
        user_id,
        caller,
        username=body.username,
        is_active=body.is_active,
        email=body.email if "email" in body.model_fields_set else KEEP,
        reason=body.reason,
    )
    if body.is_active is not None:
        await service.access.refresh()  # the player's tokens end on this worker at once
    return _to_answer(profile)


@router.get(
    "/{user_id}/sessions",
    response_model=SessionList,
    responses=declare(UnknownPlayer, UnknownBoard, InvalidInput, DatabaseAway),
)
@allows(Rule.BOARD)
@costs(2)
async def list_sessions(
    user_id: Annotated[UserIdInPath, Path()],
    query: Annotated[SessionsQuery, Query()],
    caller: CallerDep,
    service: ServiceDep,
) -> Response:
    """The player's games, newest first. `next_cursor` leads to the next page, whatever is played
    in the meantime; it is null on the last one."""
    after = NEWEST if query.cursor is None else Cursor.decode(query.cursor)
    modes = service.boards.readable_modes(caller)
    if query.board is not None:
        board = service.boards.find(query.board, None, caller)
        modes = None if board.game_modes is None else sorted(board.game_modes)
    found, following = await service.sessions.page(user_id, query.limit, after, modes)
    games = b",".join(map(encode_session, found))
    cursor = to_json(following and following.encode())
    page = b'{"sessions":[%b],"next_cursor":%b}' % (games, cursor)
    return Response(page, media_type="application/json")


@router.get("/{user_id}/history", responses=RANK_ERRORS)
@allows(Rule.BOARD)
@costs(5)
async def get_history(
    user_id: Annotated[UserIdInPath, Path()],
    query: Annotated[HistoryQuery, Query()],
    caller: CallerDep,
    service: ServiceDep,
    response: Response,
) -> History:
    """The player's score and rank over time, oldest first, for a graph. The last point is now;
    the first one may be older than the range, and tells how things stood when it began."""
    board = service.boards.find(query.board, query.season, caller)
    found = await service.histories.of(
        service.standings.of(board), user_id, SPANS[query.range], query.points
    )
    response.headers["Leaderboard-Source"] = found.present.source
    response.headers["Cache-Control"] = "no-store"
    return History(
        board=board.slug,
        season=board.season,
        user_id=user_id,
        points=[HistoryPoint(**each._asdict()) for each in found.moments],
    )


def _refuse_others(user_id: int, caller: Caller) -> None:
    if caller.kind is Kind.PLAYER and caller.user_id != user_id:
        raise Forbidden("A player's token is for that player's own data.")


class _Pieces(StreamingResponse):
    """A response in pieces that does not wait for the client to go: the request was read before,
    so there is nothing to hear. Sending to a client that is gone ends it."""

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await self.stream_response(send)


@router.delete(
    "/{user_id}",
    responses=declare(UnknownPlayer, InvalidInput, DatabaseAway),
)
@allows(Rule.SELF)
@costs(5)
async def erase_user(
    user_id: Annotated[UserIdInPath, Path()],
    caller: CallerDep,
    service: ServiceDep,
    reason: Annotated[Reason | None, Query(description="Why, for the audit log.")] = None,
) -> ErasedUser:
    """Erases a player for good: the name, the e-mail address, the guest's secret and the metadata
    of all games. The player leaves every board. The scores stay in the ledger, under a number that
    leads to nobody. Erasing again changes nothing. With a player's token: that player."""
    _refuse_others(user_id, caller)
    erased_at = await service.erasures.erase(user_id, caller.actor, reason)
    await service.access.refresh()  # the player's tokens end on this worker at once
    return ErasedUser(user_id=user_id, erased_at=erased_at)


@router.get(
    "/{user_id}/export",
    responses=declare(UnknownPlayer, InvalidInput, DatabaseAway),
    response_class=StreamingResponse,
)
@allows(Rule.SELF)
@costs(20)
async def export_user(
    user_id: Annotated[UserIdInPath, Path()], caller: CallerDep, service: ServiceDep
) -> StreamingResponse:
    """All that is stored of a player, as one JSON object: the account, former names, standings,
    events, administrative acts and all games. With a player's token: that player."""
    _refuse_others(user_id, caller)
    return _Pieces(
        await service.player_exports.open(user_id),
        media_type="application/json",
        headers={
            "Cache-Control": "no-store",
            "Content-Disposition": f'attachment; filename="player-{user_id}.json"',
        },
    )
