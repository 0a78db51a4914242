"""Values in requests: one form of a number in paths, whole numbers in bodies, times, messages."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.test_openapi import OPERATIONS

BASE = "/api/leaderboard"
NOT_DIGITS = ("1_0", "1.0", "1%20", "%201", "+1", "%D9%A3", "%EF%BC%91", "1e0", "0x1", "", "--1")


def integers(operation: dict) -> list[dict]:
    """The parameters in the path or the query that are integers."""
    return [
        each
        for each in operation.get("parameters", ())
        if "integer" in str(each["schema"]) and each["in"] in ("path", "query")
    ]


async def test_numbers_in_paths_and_queries_are_plain_digits(worker):
    """Every one that the OpenAPI document has."""
    (ada,) = await worker.add_players(1)
    await worker.submit(ada, 1)
    document = (await worker.client.get("/openapi.json")).json()
    asked = 0
    for method, path in OPERATIONS:
        for wanted in integers(document["paths"][path][method]):
            for text in NOT_DIGITS:
                if not text and wanted["in"] == "path":
                    continue
                url = path.format(user_id=ada, slug="global", key_id=1)
                if wanted["in"] == "path":
                    url = path.replace(f"{{{wanted['name']}}}", text)
                else:
                    url += f"?{wanted['name']}={text}"
                body = {"json": {"user_ids": [ada]} if path.endswith("/ranks") else {}}
                body = body if method in ("post", "patch") else {}
                answer = await worker.client.request(method, url, **body)
                assert answer.status_code == 422, (method, url, answer.text)
                named = [each["field"] for each in answer.json()["errors"]]
                assert wanted["name"] in named, (method, url, named)
                asked += 1
    assert asked > 100


async def test_whole_numbers_in_every_body(worker):
    (ada,) = await worker.add_players(1)
    whole = {"Content-Type": "application/json"}

    async def post(path: str, text: str):
        return await worker.client.post(path, content=text.encode(), headers=whole)

    one = await post(f"{BASE}/submit", f'{{"user_id": {ada}.0, "score": 1.5e3}}')
    assert (one.status_code, (await worker.rank(ada))["score"]) == (200, 1500)
    batch = await post(
        f"{BASE}/submit/batch",
        f'{{"submissions": [{{"user_id": {ada}, "score": 500.0, "metadata": {{"a": 1.0}}}},'
        f' {{"user_id": {ada}, "score": 0.5}}, {{"user_id": {ada}, "score": 1}}]}}',
    )
    assert [each["status"] for each in batch.json()["results"]] == [
        "accepted", "rejected", "accepted",
    ]  # fmt: skip
    assert (await worker.rank(ada))["score"] == 2001
    sessions = await worker.client.get(f"/api/users/{ada}/sessions")
    assert '"metadata":{"a": 1.0}' in sessions.text
    ranks = await post(f"{BASE}/ranks", f'{{"user_ids": [{ada}e0]}}')
    assert [each["user_id"] for each in ranks.json()["entries"]] == [ada]
    assert (await post(f"{BASE}/ranks", f'{{"user_ids": [{ada}.5]}}')).status_code == 422
    assert (await post("/api/auth/player-token", f'{{"user_id": {ada}.0}}')).status_code == 200


async def test_a_repeat_may_write_its_numbers_in_another_way(worker):
    (ada,) = await worker.add_players(1)
    first = await worker.submit(ada, 7, key="k", metadata={"a": 0.5})
    again = await worker.submit(ada, 7.0, key="k", metadata={"a": 0.5})
    assert again.json()["replayed"], again.text
    assert again.json()["session_id"] == first.json()["session_id"]


@pytest.mark.parametrize("ahead", [10, 3_600])
async def test_a_game_in_the_future_is_told_the_servers_time(worker, ahead):
    (ada,) = await worker.add_players(1)
    at = datetime.now(UTC) + timedelta(seconds=ahead)
    refused = await worker.submit(ada, 1, played_at=at.isoformat())
    message = refused.json()["errors"][0]["message"]
    assert (refused.status_code, "in the future" in message) == (422, True), message
    told = datetime.fromisoformat(message.rpartition(" ")[2])
    assert abs(told - datetime.now(UTC)) < timedelta(seconds=30)
    past = await worker.submit(ada, 1, played_at=(at - timedelta(days=1)).isoformat())
    assert "within the last 300 seconds" in past.json()["errors"][0]["message"]


async def test_a_deactivated_player_is_said_to_be_deactivated(worker):
    (ada,) = await worker.add_players(1)
    await worker.submit(ada, 1)
    await worker.client.patch(f"/api/users/{ada}", json={"is_active": False})
    for path in (f"{BASE}/rank/{ada}", f"{BASE}/around/{ada}", f"/api/users/{ada}/history"):
        answer = await worker.client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "not-ranked")
        assert "deactivated" in answer.json()["detail"], path
