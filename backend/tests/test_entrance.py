"""No route is reached past its admission, its count and the bound of its body."""

import asyncio
import gc
import json
import time

import pytest
from fastapi import APIRouter
from starlette.routing import Mount, Route

from app.api import hot_route, leaderboard
from app.api.entrance import takes
from app.api.hot_route import JsonRoute, check_rules
from app.core.config import Settings
from app.main import create_app
from app.services.access.callers import Rule, allows
from tests.access_helpers import CLOSED, Closed, bearer, shared_closed

LEADERBOARD = "/api/leaderboard"
SUBMIT, BATCH, RANKS = (
    f"{LEADERBOARD}/submit",
    f"{LEADERBOARD}/submit/batch",
    f"{LEADERBOARD}/ranks",
)
JSON = {"Content-Type": "application/json"}
READS = (
    f"{LEADERBOARD}/top", f"{LEADERBOARD}/rank/1", f"{LEADERBOARD}/around/1",
    f"{LEADERBOARD}/tiers", f"{LEADERBOARD}/health", "/api/live", "/api/ready", "/api/boards",
    "/api/boards/global", "/api/boards/global/seasons", "/api/users/1", "/api/users/1/sessions",
    "/api/users/1/history", "/api/users?username=player-0", "/api/auth", "/api/keys", "/api/audit",
    "/metrics", "/docs", "/openapi.json",
)  # fmt: skip


@pytest.fixture(scope="module")
async def there(servers, template):
    async with shared_closed(servers, template, "entrance") as made:
        await made.ask("admin", "POST", SUBMIT, json={"user_id": 1, "score": 5})
        yield made


def bearing(there: Closed, who: str = "admin") -> dict[str, str]:
    return JSON | bearer(there.credentials[who])


@pytest.mark.parametrize("end", ["%0A", "%0D", "%00", "%7F", "%C2%85"])
async def test_a_control_character_in_a_path_reaches_no_route(there, end):
    for method, path in (
        ("POST", SUBMIT), ("POST", BATCH), ("POST", RANKS), ("GET", f"{LEADERBOARD}/top"),
        ("GET", f"{LEADERBOARD}/rank/1"), ("GET", "/api/boards"), ("GET", "/nowhere"),
    ):  # fmt: skip
        answer = await there.client.request(method, path + end, content=b"x" * 100_000)
        assert (answer.status_code, answer.json()["code"]) == (400, "bad-request"), path


async def test_the_declaration_of_a_hot_route_serves_nobody(there, monkeypatch):
    """Not even if its handler were not found first."""
    monkeypatch.setattr(hot_route.HotRoutes, "find", lambda *_: None)
    sent = 0

    async def body():
        nonlocal sent
        for _ in range(3_000):
            sent += 100_000
            yield b"x" * 100_000

    for path in (SUBMIT, BATCH):
        answer = await there.client.post(path, content=body(), headers=bearing(there))
        assert answer.status_code == 404
    assert sent <= 200_000


def test_a_route_that_is_not_held_does_not_start():
    async def endpoint(_): ...

    for route in (Route("/plain", endpoint), Mount("/mounted", app=endpoint)):
        with pytest.raises(TypeError, match="no access rule"):
            check_rules([route])
    app = create_app(Settings(_env_file=None))
    inner = APIRouter()
    inner.add_api_route("/inner", endpoint)
    app.include_router(inner)
    with pytest.raises(TypeError, match="no access rule"):
        check_rules(app.router.routes)


def test_a_body_without_a_bound_does_not_start():
    ours = APIRouter(route_class=JsonRoute)

    async def unbounded(body: dict[str, int]) -> None: ...

    async def bodyless() -> None: ...

    for endpoint in (allows(Rule.PUBLIC)(unbounded), takes(5)(allows(Rule.PUBLIC)(bodyless))):
        with pytest.raises(TypeError, match="takes"):
            ours.post("/forgotten")(endpoint)


BOUNDS = {
    ("POST", SUBMIT): 6 * 4_096 + 8_192,
    ("POST", BATCH): 1_000_000,
    ("POST", RANKS): 20_000,
    ("POST", "/api/users"): 4_096,
    ("PATCH", "/api/users/1"): 8_192,
    ("PATCH", "/api/boards/global"): 8_192,
    ("POST", "/api/auth/player-token"): 1_024,
    ("POST", "/api/auth/guest"): 1_024,
    ("POST", "/api/keys"): 4_096,
    ("POST", "/api/keys/9/rotate"): 4_096,
}


@pytest.mark.parametrize(("method", "path"), BOUNDS)
async def test_each_body_has_the_bound_of_its_route(there, method, path):
    bound = BOUNDS[method, path]
    sent = 0

    async def chunks(size: int):
        nonlocal sent
        for at in range(0, size, 500):
            sent = at
            yield b" " * min(500, size - at)

    headers = bearing(there)
    for content in (b" " * (bound + 1), chunks(bound + 100_000)):
        answer = await there.client.request(method, path, content=content, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")
        assert f"{bound:,}" in answer.json()["detail"]
    assert sent <= bound + 1_000
    answer = await there.client.request(method, path, content=b" " * bound, headers=headers)
    assert answer.status_code == 422


async def test_metadata_of_escaped_characters_fits(there):
    text = "\\u0061" * 4_000
    body = f'{{"user_id": 1, "score": 1, "metadata": {{"a": "{text}"}}}}'
    answer = await there.client.post(SUBMIT, content=body, headers=bearing(there))
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("method", "path"), [each for each in BOUNDS if each[1] not in (BATCH, SUBMIT)]
)
async def test_faults_without_end_are_not_listed(there, method, path, monkeypatch):
    """The framework would describe each of them before we could count them."""
    monkeypatch.setattr("fastapi.routing.RequestValidationError", None)
    count = BOUNDS[method, path] // 8
    for body in (
        "{" + ",".join(f'"{at:03x}":1' for at in range(count - 1)) + "}",
        '{"user_ids":[' + ",".join(['""'] * (count * 2)) + "]}",
    ):
        answer = await there.client.request(method, path, content=body, headers=bearing(there))
        assert answer.status_code == 422, answer.text
        assert len(answer.content) < 2_000


async def test_a_batch_is_refused_by_number_before_its_items_are_looked_at(there, monkeypatch):
    looked: list[object] = []
    monkeypatch.setattr(leaderboard, "_parse_items", lambda *given: looked.append(given))
    for items in (["{}"] * 1_001, ["{}"] * 300_000, ["1"] * 400_000):
        body = f'{{"submissions":[{",".join(items)}]}}'
        answer = await there.client.post(BATCH, content=body, headers=bearing(there))
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "submissions"
    assert looked == []


async def test_a_batch_is_charged_by_number_and_bytes_before_its_items_are_looked_at(
    sandbox, monkeypatch
):
    monkeypatch.setattr("app.services.limits.limits.HOLD_SECONDS", 0.0)
    looked: list[object] = []
    monkeypatch.setattr(leaderboard, "_parse_items", lambda *given: looked.append(given))
    settings = CLOSED | {"rate_limits": True, "limit_key_submits": 240}  # 60 at once
    async with sandbox.worker(**settings) as worker:
        made = await worker.service.keys.create("test", {"submit"}, "test")
        await worker.service.access.refresh()
        headers = JSON | bearer(made.text)
        for body in (
            '{"submissions":[' + ",".join(["{}"] * 61) + "]}",
            '{"submissions":[{"metadata":"' + "x" * 600_000 + '"}]}',
        ):
            answer = await worker.client.post(BATCH, content=body, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (429, "rate-limited")
    assert looked == []


async def test_one_bad_item_with_fields_without_end_takes_no_time(there):
    wide = "{" + ",".join(f'"{at:x}":1' for at in range(90_000)) + "}"
    started = time.perf_counter()
    answer = await there.client.post(
        BATCH, content=f'{{"submissions":[{wide}]}}', headers=bearing(there)
    )
    assert time.perf_counter() - started < 2
    (result,) = answer.json()["results"]
    assert (result["status"], result["problem"]["code"]) == ("rejected", "invalid-input")
    assert len(answer.content) < 2_000


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "gzip, identity"])
async def test_a_compressed_body(there, encoding):
    for path in (SUBMIT, BATCH, RANKS, "/api/users"):
        headers = bearing(there) | {"Content-Encoding": encoding}
        answer = await there.client.post(path, content=b"\x1f\x8b\x08", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (415, "unsupported-media-type")
        assert "application/json" in answer.json()["detail"]
    headers = bearing(there) | {"Content-Encoding": "identity"}
    answer = await there.client.post(RANKS, content=b'{"user_ids": [1]}', headers=headers)
    assert answer.status_code == 200


async def test_a_byte_order_mark_is_no_part_of_the_json(there):
    one = {"user_id": 1, "score": 1}
    for path, body in (
        (SUBMIT, one), (BATCH, {"submissions": [one]}), (RANKS, {"user_ids": [1]}),
    ):  # fmt: skip
        content = b"\xef\xbb\xbf" + json.dumps(body).encode()
        answer = await there.client.post(path, content=content, headers=bearing(there))
        assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("path", "body", "name"),
    [
        (SUBMIT, '{"user_id": 1, "score": 1, "score": 2}', "score"),
        (SUBMIT, '{"user_id": 1, "score": 1, "\\u0073core": 1}', "score"),
        (SUBMIT, '{"user_id": 1, "score": 1, "metadata": {"a": [{"b": 1, "b": 1}]}}', "b"),
        (SUBMIT, '{"user_id": 1, "score": 1, "metadata": {"a": "x:y", "a": "\\u003a"}}', "a"),
        (BATCH, '{"submissions": [{"user_id": 1, "score": 1, "user_id": 2}]}', "user_id"),
        (BATCH, '{"submissions": [], "submissions": [{"user_id": 1, "score": 1}]}', "submissions"),
        (BATCH, '{"submissions": [{"user_id": 1, "score": 1, "won": 1, "won": 2}]}', "won"),
        (RANKS, '{"user_ids": [1], "user_ids": [2]}', "user_ids"),
        ("/api/users", '{"username": "Ada", "username": "Bob"}', "username"),
    ],
)
async def test_a_name_that_stands_twice_is_named(there, path, body, name):
    before = await there.ask("read", "GET", f"{LEADERBOARD}/rank/1")
    answer = await there.client.post(path, content=body, headers=bearing(there))
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"field": name, "message": "stands twice in one object"}]
    after = await there.ask("read", "GET", f"{LEADERBOARD}/rank/1")
    assert after.json()["score"] == before.json()["score"]


async def test_names_and_colons_that_stand_once_are_taken(there):
    for metadata in ('{"a": "b:c", "d": {"a": [{"a": 1}, {"a": ":"}]}}', '{"": ""}', "null"):
        body = (
            f'{{"user_id": 1, "score": 1, "metadata": {metadata}, "played_at": null,'
            ' "submission_id": null}'
        )
        answer = await there.client.post(SUBMIT, content=body, headers=bearing(there))
        assert answer.status_code == 200, answer.text


async def test_head_is_get_without_a_body(there):
    for path in READS:
        get = await there.ask("admin", "GET", path)
        head = await there.ask("admin", "HEAD", path)
        assert (head.status_code, head.content) == (get.status_code, b""), path
        # Times and counts in an answer change from one to the next.
        changing = {"x-request-id", "content-length"}
        kept = [
            {name: value for name, value in each.headers.items() if name not in changing}
            for each in (get, head)
        ]
        assert kept[0] == kept[1], path
        assert "content-length" in head.headers
    assert (await there.client.head("/nowhere")).status_code == 404
    wrong = await there.ask("admin", "HEAD", SUBMIT)
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")
    wrong = await there.ask("admin", "DELETE", f"{LEADERBOARD}/top")
    assert wrong.headers["allow"] == "GET, HEAD"


async def test_a_slash_at_the_end_names_the_same(there):
    for path in READS:
        bare, _, query = path.partition("?")
        slashed = f"{bare}/" + (f"?{query}" if query else "")
        answer = await there.ask("admin", "GET", slashed)
        assert answer.status_code == (await there.ask("admin", "GET", path)).status_code == 200
        assert (await there.ask("admin", "GET", f"{bare}//")).status_code == 404
    answer = await there.ask("admin", "POST", f"{SUBMIT}/", json={"user_id": 1, "score": 1})
    assert answer.status_code == 200


async def test_long_addresses(there):
    for path in (f"{LEADERBOARD}/top?limit=10&x={'y' * 2_048}", f"/api/boards?{'a=b&' * 600}"):
        answer = await there.client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (414, "uri-too-long")
    assert (await there.client.get("/" + "a" * 2_050)).status_code == 414
    assert (await there.client.get(f"{LEADERBOARD}/top?x={'y' * 2_000}")).status_code == 200
    many = await there.client.get(f"{LEADERBOARD}/top?" + "a=b&" * 30)
    assert (many.status_code, many.json()["errors"][0]["field"]) == (422, "query")


async def test_no_cache_gives_one_callers_answer_to_another(there):
    for path in (*READS, "/api/users/999", "/api/boards/nowhere", f"{LEADERBOARD}/rank/999"):
        answer = await there.ask("admin", "GET", path)
        assert "authorization" in answer.headers.get_list("vary"), path
        assert answer.headers["cache-control"].startswith("private, "), path
    for path in (f"{LEADERBOARD}/top", "/api/boards"):
        answer = await there.ask("read", "GET", path)
        etag = answer.headers.get("etag")
        if etag:
            again = await there.client.get(path, headers={"if-none-match": etag})
            assert again.status_code == 304
            assert "authorization" in again.headers.get_list("vary")
            assert again.headers["cache-control"] == "private, no-cache"
    refused = await there.ask("nothing", "GET", "/api/keys")
    assert refused.headers["cache-control"] == "private, no-store"


async def test_what_needs_no_credential_is_counted_too(sandbox, monkeypatch):
    monkeypatch.setattr("app.services.limits.limits.HOLD_SECONDS", 0.0)
    settings = CLOSED | {"rate_limits": True, "limit_address_light": 12}  # three at once
    async with sandbox.worker(**settings) as worker:
        client = worker.client
        asked = (
            ("GET", f"{LEADERBOARD}/health"), ("GET", "/api/live"), ("GET", "/openapi.json"),
            ("GET", "/nowhere"), ("DELETE", f"{LEADERBOARD}/top"), ("GET", "/api/boards%0A"),
            ("POST", SUBMIT), ("GET", "/api/keys"), ("GET", "/docs"), ("GET", "/index.html"),
        )  # fmt: skip
        statuses = [(await client.request(*each)).status_code for each in asked]
        assert statuses == [200, 200, 200, *[429] * 7]
        # What counts as a read is not touched by that.
        assert (await client.get(f"{LEADERBOARD}/top")).status_code == 200


async def test_the_document_is_encoded_once(there):
    answers = await asyncio.gather(*(there.client.get("/openapi.json") for _ in range(3)))
    assert len({(each.headers["etag"], each.content) for each in answers}) == 1
    known = {"if-none-match": answers[0].headers["etag"]}
    again = await there.client.get("/openapi.json", headers=known)
    assert (again.status_code, again.content) == (304, b"")
    paths = answers[0].json()["paths"]
    for path, operations in paths.items():
        assert ("head" in operations) == ("get" in operations), path
        for response in operations.get("head", {}).get("responses", {}).values():
            assert "content" not in response


async def test_a_request_is_forgotten_without_the_collector(there):
    """It looks rarely: what only it can free stays in memory, thousands of requests long."""
    asked = (
        ("GET", f"{LEADERBOARD}/top?x={'y' * 3_000}", None),
        ("GET", f"{LEADERBOARD}/rank/999", None),
        ("POST", SUBMIT, b"{"),
        ("POST", SUBMIT, b"x" * 100_000),
        ("POST", BATCH, b'{"submissions": []}'),
        ("POST", RANKS, b'{"user_ids": ["a"]}'),
        ("GET", "/api/boards/nowhere", None),
        ("GET", "/nowhere", None),
        ("DELETE", "/api/boards", None),
        ("GET", f"{LEADERBOARD}/health", None),
    )
    for method, path, body in asked:  # what is made once
        await there.client.request(method, path, content=body, headers=bearing(there))
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        for method, path, body in asked:
            await there.client.request(method, path, content=body, headers=bearing(there))
        gc.collect()
        kept = [
            each["path"] for each in gc.garbage if isinstance(each, dict) and "query_string" in each
        ]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert kept == []


async def test_an_unknown_path_is_told_where_the_api_is_described(there):
    answer = await there.client.get("/api/leaderbord/top")
    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
    assert (answer.json()["title"], "/docs" in answer.json()["detail"]) == ("Not Found", True)
