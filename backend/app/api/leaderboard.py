"""Scores in, standings out."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Response
from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json
from starlette.types import Scope

from app.api.access import CallerDep
from app.api.answer_headers import Headers
from app.api.bodies import parse_json, refuse_repeated
from app.api.entrance import takes
from app.api.hot_route import JSON, HotApp, JsonRoute, add_hot_route, served_by
from app.api.limiting import charge_items
from app.api.metadata import keep_numbers
from app.api.problems import declare, invalid_input, to_app_error
from app.api.state import ServiceDep, service_of
from app.api.submission import read_item, read_items, read_submission, to_submission
from app.core.config import MAX_USER_ID, Settings
from app.core.errors import (
    AppError,
    BodyTooLarge,
    Busy,
    ClientSubmissionsOff,
    DatabaseAway,
    IdempotencyMismatch,
    InvalidInput,
    NotRanked,
    Overloaded,
    PlayerInactive,
    ShuttingDown,
    TotalOutOfRange,
    UnknownBoard,
    UnknownPlayer,
    UnknownSeason,
    UnsupportedMediaType,
)
from app.core.exact_json import count_names
from app.schemas.common import UserId
from app.schemas.entries import BoardQuery, EntryList, RankAnswer, RanksRequest
from app.schemas.parameters import board_slug, query_parameters, season_number, whole_number
from app.schemas.scores import (
    BatchResult,
    BatchSubmission,
    ScoreSubmission,
    SubmissionKey,
    SubmissionResult,
)
from app.services.access.callers import Caller, Rule, allows
from app.services.service import Service
from app.services.standings import Page, PlayerRank, Standings
from app.services.submissions import BoardReceipt, Receipt

PREFIX = "/api/leaderboard"
NOT_STORED = (b"cache-control", b"private, no-store")
MAX_FIELDS = 50
"""Of one item of a batch: a submission has fewer, and merely listing more takes long."""

router = APIRouter(prefix=PREFIX, tags=["leaderboard"], route_class=JsonRoute)

_batch: TypeAdapter[BatchSubmission] = TypeAdapter(BatchSubmission)
_key: TypeAdapter[str] = TypeAdapter(SubmissionKey)

SUBMIT_ERRORS = declare(
    ClientSubmissionsOff,
    UnknownPlayer,
    PlayerInactive,
    TotalOutOfRange,
    BodyTooLarge,
    UnsupportedMediaType,
    InvalidInput,
    IdempotencyMismatch,
    Overloaded,
    ShuttingDown,
    Busy,
    DatabaseAway,
)
BODY_ERRORS = declare(BodyTooLarge, UnsupportedMediaType, InvalidInput, Overloaded, DatabaseAway)
LIST_ERRORS = declare(UnknownBoard, UnknownSeason, InvalidInput, Overloaded, DatabaseAway)
RANK_ERRORS = declare(
    UnknownPlayer, NotRanked, UnknownBoard, UnknownSeason, InvalidInput, Overloaded, DatabaseAway
)
NOT_MODIFIED: dict[int | str, dict[str, Any]] = {
    304: {"description": "The page is the one that `If-None-Match` named."}
}

IdempotencyKey = Annotated[
    SubmissionKey | None,
    Header(
        alias="Idempotency-Key",
        description="Sent again with the same body within 24 hours, the score counts once and "
        "the first session's id comes back.",
    ),
]


# Submitting


def _result(receipt: Receipt) -> bytes:
    told = receipt.on_main
    return (
        b'"session_id":%d,"new_rank":%b,"rank_change":%b,"total_players":%b,"replayed":%b,'
        b'"message":%b,"boards":{%b}'
    ) % (
        receipt.session_id,
        _number(told.new_rank),
        _number(told.rank_change),
        _number(told.total_players),
        b"true" if receipt.replayed else b"false",
        to_json(receipt.message),
        b",".join([_board_result(slug, each) for slug, each in receipt.boards.items()]),
    )


def _board_result(slug: str, told: BoardReceipt) -> bytes:
    return b'"%b":{"new_rank":%b,"rank_change":%b,"total_score":%b,"is_new_best":%b}' % (
        slug.encode(),
        _number(told.new_rank),
        _number(told.rank_change),
        _number(told.total_score),
        b"true" if told.is_new_best else b"false",
    )


def _number(number: int | None) -> bytes:
    return b"null" if number is None else b"%d" % number


def _shown(receipt: Receipt, service: Service, caller: Caller) -> Receipt:
    """The receipt as the caller may see it."""
    hidden = service.boards.hidden_from(caller)
    return receipt.without(hidden) if hidden else receipt


def _idempotency_key(scope: Scope) -> str | None:
    value = scope["given"].get(b"idempotency-key")
    if value is None:
        return None
    try:
        return _key.validate_python(value.decode("latin-1"))
    except ValidationError as error:
        raise InvalidInput.field("Idempotency-Key", error.errors()[0]["msg"]) from error


def _names_in(item: ScoreSubmission) -> int:
    """How many names of fields stand in the JSON of a submission."""
    return len(item.__pydantic_fields_set__) + count_names(item.metadata)


def _count_refusal(scope: Scope, error: AppError) -> None:
    """Counts a score that was refused on its way to the writer, which counts its own."""
    if not error.is_counted:
        service_of(scope).writer.written.refuse(error)


async def _serve_submit(scope: Scope, body: bytes) -> tuple[int, Headers, bytes]:
    service = service_of(scope)
    key = _idempotency_key(scope)
    try:
        given = read_submission(body)
    except ValidationError as error:
        raise invalid_input(error) from error
    refuse_repeated(body, _names_in(given))
    keep_numbers([given], body)
    receipt = await service.writer.submit(to_submission(given, key, service, scope["caller"]))
    return 200, [JSON, NOT_STORED], b"{%b}" % _result(_shown(receipt, service, scope["caller"]))


def _submit_bound(settings: Settings) -> int:
    """Room for metadata of which every character is escaped, in six bytes, and for all else."""
    return 6 * settings.max_metadata_bytes + 8_192


@served_by(_serve_submit, on_refusal=_count_refusal)
@allows(Rule.PLAY)
@takes(_submit_bound)
def submit(body: ScoreSubmission, idempotency_key: IdempotencyKey = None) -> SubmissionResult:
    """Stores a score for good, ranks the player on every board that it belongs to, and answers
    with the new rank. Nothing is answered before the score is durable."""
    raise AssertionError


async def _serve_batch(scope: Scope, body: bytes) -> tuple[int, Headers, bytes]:
    service = service_of(scope)
    key = _idempotency_key(scope)
    given = _items_of(body, service.settings.max_batch)
    try:
        await charge_items(scope, len(given))
        if not service.writer.room_for(len(given)):
            raise Overloaded("Too many scores are waiting to be written. Nothing was stored.")
    except AppError as error:
        service.writer.written.refuse(error, len(given))
        raise
    items = _parse_items(body, given)
    keep_numbers(items, body)
    waiting: list[asyncio.Future[Receipt] | AppError] = []
    for at, item in enumerate(items):
        try:
            if isinstance(item, AppError):
                raise item
            # One key for the whole call makes one for each item without its own.
            own = item.submission_id or (None if key is None else f"{key}#{at}")
            submission = to_submission(item, own, service, scope["caller"])
            waiting.append(service.writer.submit(submission))
        except AppError as error:
            _count_refusal(scope, error)
            waiting.append(error)
    results = [await _answer_item(each, service, scope["caller"]) for each in waiting]
    return 200, [JSON, NOT_STORED], b'{"results":[%b]}' % b",".join(results)


async def _answer_item(
    waiting: "asyncio.Future[Receipt] | AppError", service: Service, caller: Caller
) -> bytes:
    """One item's result; whatever went wrong with it is told in its place."""
    if isinstance(waiting, AppError):
        return _rejected(waiting)
    try:
        return b'{"status":"accepted",%b}' % _result(_shown(await waiting, service, caller))
    except Exception as error:  # noqa: BLE001 - each item is answered on its own
        return _rejected(to_app_error(error))


def _rejected(error: AppError) -> bytes:
    return b'{"status":"rejected","problem":%b}' % to_json(error.problem())


def _items_of(body: bytes, most: int) -> list[Any]:
    """The items of a batch, none of them looked at. Raises InvalidInput for what is no batch."""
    outer = parse_json(body)
    if not isinstance(outer, dict) or set(outer) != {"submissions"}:
        raise InvalidInput.field("submissions", "must be the one field of the body")
    items = outer["submissions"]
    if not isinstance(items, list) or not 1 <= len(items) <= most:
        raise InvalidInput.field("submissions", f"must be a list of 1 to {most} submissions")
    return items


def _parse_items(body: bytes, given: list[Any]) -> list[ScoreSubmission | AppError]:
    """The items, each valid or with its own error. Raises InvalidInput for a repeated name."""
    try:
        valid = _batch.validate_json(body).submissions
    except ValidationError:  # at least one item is wrong: validate each on its own
        refuse_repeated(body)
        return [_parse_item(item) for item in read_items(given, body)]
    refuse_repeated(body, 1 + sum(map(_names_in, valid)))
    return list(valid)


def _parse_item(item: object) -> ScoreSubmission | AppError:
    if isinstance(item, dict) and len(item) > MAX_FIELDS:
        return InvalidInput.field("body", f"has {len(item):,} fields")
    try:
        return read_item(item)
    except ValidationError as error:
        return invalid_input(error)


@served_by(_serve_batch, on_refusal=_count_refusal)
@allows(Rule.PLAY)
@takes(lambda settings: settings.max_body_bytes)
def submit_batch(body: BatchSubmission, idempotency_key: IdempotencyKey = None) -> BatchResult:
    """Stores up to 1,000 scores. Each item is accepted or rejected on its own, in order; an
    `Idempotency-Key` makes a key for every item that has no `submission_id`."""
    raise AssertionError


# Reading


def _standings(scope: Scope, parameters: dict[str, str]) -> Standings:
    service = service_of(scope)
    board = service.boards.find(board_slug(parameters), season_number(parameters), scope["caller"])
    return service.standings.of(board)


def _page_headers(page: Page) -> Headers:
    return [
        JSON,
        (b"etag", page.etag),
        (b"cache-control", b"private, no-cache"),
        (b"leaderboard-source", page.source.encode()),
    ]


def _page_answer(scope: Scope, page: Page) -> tuple[int, Headers, bytes]:
    """The page, or word that the caller has it already."""
    for name, value in scope["headers"]:
        if name == b"if-none-match" and (page.etag in value or value == b"*"):
            return 304, _page_headers(page)[1:], b""
    return 200, _page_headers(page), page.body


async def _serve_top(scope: Scope, _: bytes) -> tuple[int, Headers, bytes]:
    settings = service_of(scope).settings
    parameters = query_parameters(scope["query_string"])
    limit = whole_number(parameters.get("limit"), "limit", 1, settings.max_limit, 100)
    offset = whole_number(parameters.get("offset"), "offset", 0, MAX_USER_ID, 0)
    return _page_answer(scope, await _standings(scope, parameters).top(limit, offset))


@served_by(_serve_top)
@allows(Rule.BOARD)
def top(
    query: Annotated[BoardQuery, Query()],
    limit: Annotated[int, Query(ge=1, le=1_000, description="How many players.")] = 100,
    offset: Annotated[
        int, Query(ge=0, le=MAX_USER_ID, description="How many of the best to leave out.")
    ] = 0,
) -> EntryList:
    """The ranked players from rank `offset` + 1 on. Any page takes bounded time."""
    raise AssertionError


async def _serve_rank(scope: Scope, _: bytes) -> tuple[int, Headers, bytes]:
    user_id = whole_number(scope["hot_parameter"], "user_id", 1, MAX_USER_ID)
    standings = _standings(scope, query_parameters(scope["query_string"]))
    found = await standings.rank(user_id)
    return (
        200,
        [
            JSON,
            NOT_STORED,
            (b"leaderboard-source", found.source.encode()),
        ],
        _rank_answer(standings, found),
    )


def _rank_answer(standings: Standings, found: PlayerRank) -> bytes:
    percent = found.percentile
    return (
        b'{"board":"%b","season":%d,"user_id":%d,"rank":%d,"score":%d,"percentile":%b,'
        b'"tier":%b,"total_players":%d,"version":%d}'
    ) % (
        standings.board.slug.encode(),
        standings.board.season,
        found.user_id,
        found.rank,
        found.score,
        repr(percent).encode(),
        to_json(standings.tier(percent)),
        found.total_players,
        found.version,
    )


@served_by(_serve_rank)
@allows(Rule.BOARD)
def rank(user_id: Annotated[UserId, Path()], query: Annotated[BoardQuery, Query()]) -> RankAnswer:
    """A player's exact rank, score, percentile and tier, never older than the answer to the
    player's last submission."""
    raise AssertionError


async def _serve_around(scope: Scope, _: bytes) -> tuple[int, Headers, bytes]:
    settings = service_of(scope).settings
    user_id = whole_number(scope["hot_parameter"], "user_id", 1, MAX_USER_ID)
    parameters = query_parameters(scope["query_string"])
    radius = whole_number(parameters.get("radius"), "radius", 0, settings.max_radius, 5)
    return _page_answer(scope, await _standings(scope, parameters).around(user_id, radius))


@served_by(_serve_around)
@allows(Rule.BOARD)
def around(
    user_id: Annotated[UserId, Path()],
    query: Annotated[BoardQuery, Query()],
    radius: Annotated[
        int, Query(ge=0, le=100, description="How many neighbours on each side.")
    ] = 5,
) -> EntryList:
    """The player with up to `radius` neighbours on each side."""
    raise AssertionError


@router.post("/ranks", response_model=EntryList, responses={**LIST_ERRORS, **BODY_ERRORS})
@allows(Rule.BOARD)
@takes(20_000)
async def ranks(
    body: RanksRequest,
    query: Annotated[BoardQuery, Query()],
    caller: CallerDep,
    service: ServiceDep,
) -> Response:
    """These players (friends, a guild) with their true ranks, best first. Players who are
    unknown or unranked are left out."""
    board = service.boards.find(query.board, query.season, caller)
    page = await service.standings.of(board).among(body.user_ids)
    response = Response(page.body)
    response.raw_headers = [*_page_headers(page), (b"content-length", b"%d" % len(page.body))]
    return response


def add_hot_routes(app: HotApp) -> None:
    """The endpoints that are asked most, matched first."""
    add_hot_route(app, "POST", f"{PREFIX}/submit", submit, responses=SUBMIT_ERRORS)
    add_hot_route(app, "GET", f"{PREFIX}/rank/{{user_id}}", rank, responses=RANK_ERRORS)
    add_hot_route(app, "GET", f"{PREFIX}/top", top, responses={**NOT_MODIFIED, **LIST_ERRORS})
    add_hot_route(
        app,
        "GET",
        f"{PREFIX}/around/{{user_id}}",
        around,
        responses={**NOT_MODIFIED, **RANK_ERRORS},
    )
    add_hot_route(app, "POST", f"{PREFIX}/submit/batch", submit_batch, responses=BODY_ERRORS)
