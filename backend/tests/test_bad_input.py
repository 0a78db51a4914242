"""Whatever clients send: a problem that names the fault, never a 500, and nothing stored."""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator

import asyncpg
import httpx
import pytest

from tests.bad_admin_requests import ADMIN_CASES
from tests.bad_requests import (
    BATCH,
    CASES,
    GOOD,
    JSON,
    PLAYER,
    SUBMIT,
    USERS,
    Bad,
    bad_items,
    encode,
    text_of,
)
from tests.conftest import Sandbox, Worker

PROBLEM = "application/problem+json"
COUNTS = """
SELECT (SELECT count(*) FROM game_sessions), (SELECT count(*) FROM leaderboard),
       (SELECT count(*) FROM submission_keys), (SELECT count(*) FROM player_events),
       (SELECT count(*) FROM api_keys), (SELECT last_id FROM audit_head),
       (SELECT array_agg((slug, name, client_submissions, is_private)) FROM boards),
       (SELECT array_agg((id, username, email, is_active) ORDER BY id) FROM users)
"""


class Target:
    """One worker with one player who has no score, and what is stored of it."""

    def __init__(self, worker: Worker, connection: asyncpg.Connection) -> None:
        self.worker = worker
        self.client = worker.client
        self._connection = connection

    async def stored(self) -> tuple:
        return tuple(await self._connection.fetchrow(COUNTS))

    async def send(self, bad: Bad) -> httpx.Response:
        content = bad.body if not bad.chunked or bad.body is None else _chunks(bad.body)
        # A list, so that values beyond ASCII go out as they are.
        headers = [(name.encode(), value.encode()) for name, value in bad.headers.items()]
        return await self.client.request(bad.method, bad.target, content=content, headers=headers)


async def _chunks(body: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(body), 65_536):
        yield body[at : at + 65_536]


@pytest.fixture(scope="module")
async def target(servers, template) -> AsyncIterator[Target]:
    """All requests go to one worker: what one of them leaves behind, the others would find."""
    name = f"bad{os.getpid()}"
    admin = await asyncpg.connect(servers.postgres_dsn)
    await admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    box = Sandbox(servers, name)
    async with box.worker(guest_sign_in=True) as worker:
        assert await worker.add_players(1) == [PLAYER]
        connection = await box.connect()
        yield Target(worker, connection)
        await connection.close()
    box.forget_index()
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()


def check_problem(document: dict, bad_status: int, code: str) -> None:
    assert document["status"] == bad_status
    assert document["code"] == code
    assert document["type"] == f"urn:leaderboard:problem:{code}"
    assert document["title"]
    assert document["detail"]
    assert len(str(document)) < 2_000, "an answer that is as long as the question"


@pytest.mark.parametrize("bad", [*CASES, *ADMIN_CASES], ids=str)
async def test_a_bad_request(target, bad):
    before = await target.stored()
    answer = await target.send(bad)
    assert answer.status_code == bad.status, answer.text[:500]
    assert answer.headers["content-type"] == PROBLEM
    document = answer.json()
    check_problem(document, bad.status, bad.code)
    assert document["request_id"] == answer.headers["x-request-id"]
    if bad.status == 422:
        named = [each["field"] for each in document["errors"]]
        assert all(each["message"] for each in document["errors"])
        # What is no JSON, or no Unicode, has no fields yet.
        unreadable = named == ["body"] and "JSON" in document["errors"][0]["message"]
        assert bad.field == "*" or unreadable or bad.field in named, document
    assert await target.stored() == before


@pytest.mark.parametrize(
    ("field", "text"), [pytest.param(field, text, id=name) for name, field, text in bad_items()]
)
async def test_a_bad_item_of_a_batch(target, field, text):
    """Each on its own, so that nothing at all is stored."""
    before = await target.stored()
    body = encode(f'{{"submissions": [{text}]}}')
    answer = await target.client.post(BATCH, content=body, headers=JSON)
    assert answer.status_code == 200, answer.text[:500]
    (result,) = answer.json()["results"]
    assert result["status"] == "rejected"
    check_problem(result["problem"], 422, "invalid-input")
    assert field in [each["field"] for each in result["problem"]["errors"]]
    assert await target.stored() == before


async def test_bad_fields_by_the_thousand_are_answered_in_short(target):
    many = ", ".join(f'"f{number}": 1' for number in range(300))
    body = f'{{"user_ids": {[0] * 20}, {many}}}'.encode()
    for url in (SUBMIT, USERS, "/api/leaderboard/ranks"):
        answer = await target.client.post(url, content=body, headers=JSON)
        assert answer.status_code == 422
        assert len(answer.content) < 5_000


PATHS = {
    SUBMIT: "POST",
    BATCH: "POST",
    "/api/leaderboard/ranks": "POST",
    "/api/leaderboard/top": "GET",
    "/api/leaderboard/tiers": "GET",
    "/api/leaderboard/health": "GET",
    "/api/leaderboard/rank/1": "GET",
    "/api/leaderboard/around/1": "GET",
    "/api/users": "GET, POST",
    "/api/users/1": "GET, PATCH, DELETE",
    "/api/users/1/sessions": "GET",
    "/api/users/1/history": "GET",
    "/api/boards": "GET",
    "/api/boards/global": "GET, PATCH",
    "/api/boards/global/seasons": "GET",
    "/api/auth": "GET",
    "/api/auth/player-token": "POST",
    "/api/auth/guest": "POST",
    "/api/keys": "GET, POST",
    "/api/keys/1": "DELETE",
    "/api/keys/1/rotate": "POST",
    "/api/audit": "GET",
}


@pytest.mark.parametrize("path", PATHS)
async def test_a_wrong_method(target, path):
    before = await target.stored()
    allowed = set(PATHS[path].split(", "))
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "WHAT"} - allowed:
        answer = await target.client.request(method, path)
        assert answer.status_code == 405, method
        assert answer.headers["content-type"] == PROBLEM
        check_problem(answer.json(), 405, "method-not-allowed")
        assert set(answer.headers["allow"].split(", ")) - {"HEAD"} == allowed
    assert await target.stored() == before


@pytest.mark.parametrize(
    "path",
    [
        "/", "/api", "/api/leaderboard", "/api/leaderboard/", "/api/leaderboard/nope",
        "/api/leaderboard/rank", "/api/leaderboard/rank/", "/api/leaderboard/rank/1/2",
        "/api/leaderboard/TOP", "/api/users/1/2", "/api/boards//", "/api/boards/global//",
        "/%ff", "/api/../etc/passwd", "//", "/\u00e9", "/" + "a" * 2_000,
    ],
    ids=lambda path: path[:40],
)  # fmt: skip
async def test_an_unknown_path(target, path):
    for method in ("GET", "POST", "DELETE"):
        answer = await target.client.request(method, path)
        assert answer.status_code == 404, answer.text
        assert answer.headers["content-type"] == PROBLEM
        check_problem(answer.json(), 404, "not-found")


async def test_good_items_are_stored_beside_bad_ones(sandbox):
    """Also when the bad ones are only found out in the transaction."""
    async with sandbox.worker() as worker:
        (ada,) = await worker.add_players(1)
        good = text_of({**GOOD, "user_id": str(ada)})
        bad = [text for name, _, text in bad_items() if len(text) < 1_000]
        mixed = ", ".join(each for text in bad for each in (text, good))
        answer = await worker.client.post(
            BATCH, content=encode(f'{{"submissions": [{mixed}]}}'), headers=JSON
        )
        statuses = Counter(each["status"] for each in answer.json()["results"])
        assert statuses == {"rejected": len(bad), "accepted": len(bad)}
        entry = (await worker.top())[0]
        assert (entry["total_score"], entry["games_played"]) == (10 * len(bad), len(bad))


async def test_what_is_allowed_at_the_edges(sandbox):
    """The bounds themselves are good input, and are kept as they were sent."""
    async with sandbox.worker() as worker:
        (ada,) = await worker.add_players(1)
        metadata = {
            "": None, "\u00e9\U0001f47e": [1.5, -0.0, 10**300, True],
            "\\u0000": "\\u0000 \x01 \x7f", "fill": "x" * 3_000, "deep": [[[[[[[[{}]]]]]]]],
        }  # fmt: skip
        for fields in (
            {"score": 2**53 - 1},
            {"score": -(2**53 - 1)},
            {"score": 0, "game_mode": "a" * 32, "duration_ms": 0},
            {"score": 0, "game_mode": "A-z_9", "duration_ms": 7 * 24 * 3_600_000},
            {"score": 0, "won": None, "duration_ms": None, "metadata": None, "played_at": None},
            {"score": 0, "metadata": {}},
            {"score": 0, "metadata": {"a": "x" * 4_088}},
            {"score": 0, "metadata": metadata},
        ):
            answer = await worker.submit(ada, **fields)
            assert answer.status_code == 200, answer.text
        connection = await sandbox.connect()
        stored = await connection.fetchval(
            "SELECT metadata->>'\\u0000' FROM game_sessions ORDER BY id DESC LIMIT 1"
        )
        await connection.close()
        assert stored == metadata["\\u0000"]
        padded = text_of({**GOOD, "user_id": str(ada)}).encode().ljust(32_768)
        for kind in ("application/json; charset=utf-8", "Application/JSON", "application/a+json"):
            answer = await worker.client.post(
                SUBMIT, content=padded, headers={"Content-Type": kind}
            )
            assert answer.status_code == 200, answer.text


async def test_the_service_still_works(target):
    """After all of the above, and while more of it arrives."""
    storm = [target.send(bad) for bad in CASES[::25]]
    (ada,) = await target.worker.add_players(1, prefix="after")
    answers = await asyncio.gather(*(target.worker.submit(ada, 1) for _ in range(20)), *storm)
    assert [answer.status_code for answer in answers[:20]] == [200] * 20
    assert all(400 <= answer.status_code < 500 for answer in answers[20:])
    assert (await target.worker.rank(ada))["score"] == 20
    health = await target.client.get("/api/leaderboard/health")
    assert health.json()["status"] == "ok"
