"""Finding players: by parts of their names, without accents, with rank and score."""

import pytest

from tests.access_helpers import SECRET

USERS = "/api/users"
NAMES = ["IronRaccoon", "raccoon_king", "TinySofía", "Łukasz the Mighty", "東京の竜", "100%_sure"]


@pytest.fixture
async def ids(worker) -> dict[str, int]:
    made = {}
    for name in NAMES:
        answer = await worker.client.post(USERS, json={"username": name})
        assert answer.status_code == 201, answer.text
        made[name] = answer.json()["user_id"]
    return made


async def find(worker, text: str, **more) -> list[str]:
    answer = await worker.client.get(USERS, params={"search": text, **more})
    assert answer.status_code == 200, answer.text
    return [each["username"] for each in answer.json()["users"]]


async def test_parts_of_words_are_found(worker, ids):
    # Those that begin so come first.
    assert await find(worker, "raccoon") == ["raccoon_king", "IronRaccoon"]
    assert await find(worker, "tinysofia") == ["TinySofía"]
    assert await find(worker, "SOFÍA") == ["TinySofía"]
    assert await find(worker, "ukasz migh") == ["Łukasz the Mighty"]
    assert await find(worker, "mighty lukasz") == ["Łukasz the Mighty"]
    assert await find(worker, "京の竜") == ["東京の竜"]
    assert await find(worker, "東京") == ["東京の竜"]
    assert await find(worker, "raccoon", limit=1) == ["raccoon_king"]
    assert await find(worker, "%_s") == ["100%_sure"]
    for nothing in ("zzz", "___", "%%%", "\u3164", "\\\\\\", "raccoon nobody"):
        assert await find(worker, nothing) == [], ascii(nothing)


async def test_each_hit_has_its_rank_and_score(sandbox, worker, ids):
    for name, score in (("IronRaccoon", 5), ("TinySofía", 9)):
        await worker.submit(ids[name], score)

    async def hits(**query) -> dict:
        answer = await worker.client.get(USERS, params=query)
        return {
            each["username"]: (each["rank"], each["total_score"]) for each in answer.json()["users"]
        }

    expected = {"raccoon_king": (None, None), "IronRaccoon": (2, 5)}
    assert await hits(search="raccoon") == expected
    assert await hits(username="tinysofía") == {"TinySofía": (1, 9)}
    assert await hits(prefix="iron") == {"IronRaccoon": (2, 5)}
    worker.standings.index.distrust("test")
    assert await hits(search="raccoon") == expected


async def test_who_left_is_not_found(worker, ids):
    await worker.client.patch(f"{USERS}/{ids['TinySofía']}", json={"is_active": False})
    assert await find(worker, "sofia") == []


async def test_a_private_board_tells_no_rank(sandbox):
    async with sandbox.worker() as worker:
        (ada,) = await worker.add_players(1, "adalovelace")
        await worker.submit(ada, 5)
        await worker.client.patch("/api/boards/global", json={"is_private": True})
    async with sandbox.worker(auth_mode="closed", auth_secret=SECRET) as worker:
        answer = await worker.client.get(USERS, params={"search": "lovelace"})
        (hit,) = answer.json()["users"]
        assert (hit["user_id"], hit["rank"], hit["total_score"]) == (ada, None, None)
        answer = await worker.client.get(USERS, params={"search": "lovelace", "board": "global"})
        assert answer.status_code in (401, 404)


async def test_one_way_of_asking_at_a_time(worker):
    for query in ({}, {"search": "a", "prefix": "a"}, {"username": "a", "search": "a"}):
        answer = await worker.client.get(USERS, params=query)
        assert answer.status_code == 422, query
