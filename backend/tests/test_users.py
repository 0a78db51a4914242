"""Players: joining, being found, renaming, leaving the boards and coming back."""

import asyncio
from datetime import UTC, datetime, timedelta

USERS = "/api/users"


async def create(worker, username, **fields):
    return await worker.client.post(USERS, json={"username": username, **fields})


async def change(worker, user_id, **fields):
    return await worker.client.patch(f"{USERS}/{user_id}", json=fields)


async def found(worker, **query) -> list[str]:
    answer = await worker.client.get(USERS, params=query)
    assert answer.status_code == 200, answer.text
    return [each["username"] for each in answer.json()["users"]]


async def join(worker, *names) -> list[int]:
    answers = [await create(worker, name) for name in names]
    assert [answer.status_code for answer in answers] == [201] * len(names)
    return [answer.json()["user_id"] for answer in answers]


async def total_players(worker) -> int:
    return (await worker.client.get("/api/leaderboard/top")).json()["total_players"]


def code(answer) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def test_a_new_player(worker):
    answer = await create(worker, "Nova", email="nova@example.com")
    assert answer.status_code == 201
    profile = answer.json()
    assert set(profile) == {"user_id", "username", "join_date", "is_active"}
    assert (profile["username"], profile["is_active"]) == ("Nova", True)
    joined = datetime.fromisoformat(profile["join_date"])
    assert abs(datetime.now(UTC) - joined) < timedelta(minutes=1)
    again = await worker.client.get(f"{USERS}/{profile['user_id']}")
    assert (again.status_code, again.json()) == (200, profile)
    assert code(await worker.client.get(f"/api/leaderboard/rank/{profile['user_id']}")) == (
        404,
        "not-ranked",
    )


SAME_NAMES = {
    "Nova": "nOVA",
    "\u00c9mile": "\u00e9MILE",
    "Zo\u00eb": "zoE\u0308",
    "\u041d\u043e\u0432\u0430": "\u043d\u041e\u0412\u0410",
    "\u03a3igma": "\u03c3IGMA",
}


async def test_names_are_unique_whatever_their_case(worker):
    (other,) = await join(worker, "other")
    for name, same in SAME_NAMES.items():
        (nova,) = await join(worker, name)
        assert code(await create(worker, same)) == (409, "username-taken")
        assert code(await change(worker, other, username=same)) == (409, "username-taken")
        assert await found(worker, username=same) == [name]
        # One's own name in another spelling is free.
        assert (await change(worker, nova, username=same)).status_code == 200
    assert (await worker.client.get(f"{USERS}/{other}")).json()["username"] == "other"


async def test_addresses_are_unique_whatever_their_case(worker):
    assert (await create(worker, "one", email="nova@example.com")).status_code == 201
    assert code(await create(worker, "two", email="NOVA@Example.com")) == (409, "email-taken")
    assert (await create(worker, "two", email=None)).status_code == 201
    assert (await create(worker, "three")).status_code == 201


async def test_one_of_many_gets_the_name(worker):
    answers = await asyncio.gather(*(create(worker, name) for name in ("nova", "NOVA") * 10))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 19


NAMES = [
    "x", "a b  c", "\u6771\u4eac\u306e\u9f8d", "\u041a\u043e\u0440\u043e\u043b\u044c",
    "\u05d3\u05e0\u05d9\u05d0\u05dc", "\u0645\u062d\u0645\u062f", "\u0e2a\u0e21\u0e0a\u0e32\u0e22",
    "\u0939\u093f\u0928\u094d\u0926\u0940", "\U0001f47e", "\U0001f44d\U0001f3fd ok \u2764\ufe0f",
    "\u5c71\u3000\u7530", "O'Neil; DROP TABLE users--", "<script>alert(1)</script>", '"\\',
    "%_\\", "w" * 32, "\U0001f47e" * 32, "null", "0",
]  # fmt: skip


async def test_names_of_all_scripts(worker):
    for score, name in enumerate(NAMES):
        (user_id,) = await join(worker, name)
        assert (await worker.client.get(f"{USERS}/{user_id}")).json()["username"] == name
        assert await found(worker, username=name) == [name]
        assert name in await found(worker, prefix=name[:1])
        assert (await worker.submit(user_id, score)).status_code == 200
        assert (await worker.top(limit=1))[0]["username"] == name
        around = await worker.client.get(f"/api/leaderboard/around/{user_id}?radius=0")
        assert [each["username"] for each in around.json()["entries"]] == [name]


async def test_names_are_looked_up_as_they_are_stored(worker):
    await join(worker, "Zoe\u0308 K")
    assert await found(worker, username="Zoe\u0308 K") == ["Zo\u00eb K"]
    assert await found(worker, prefix="ZOE\u0308 ") == ["Zo\u00eb K"]


async def test_suggestions(worker):
    names = ["Ada", "adam", "ADELE", "a%b", "a_b", "axb", "a\\b", "Bo"]
    ids = dict(zip(names, await join(worker, *names), strict=True))
    assert await found(worker, prefix="ad") == ["Ada", "adam", "ADELE"]
    assert await found(worker, prefix="AD", limit=2) == ["Ada", "adam"]
    assert await found(worker, prefix="a%") == ["a%b"]
    assert await found(worker, prefix="a_") == ["a_b"]
    assert await found(worker, prefix="a\\") == ["a\\b"]
    assert await found(worker, prefix="%") == []
    assert await found(worker, prefix="zz") == []
    assert sorted(await found(worker, prefix="a", limit=50)) == sorted(names[:-1])
    await change(worker, ids["adam"], is_active=False)
    assert await found(worker, prefix="ad") == ["Ada", "ADELE"]
    # Who is named whole is found in any state.
    assert await found(worker, username="ADAM") == ["adam"]
    assert code(await worker.client.get(USERS, params={"username": "ad"})) == (
        404,
        "unknown-player",
    )


async def test_a_new_name_shows_at_once(sandbox):
    """On pages of every worker: from memory, from the index and from PostgreSQL."""
    async with sandbox.worker() as one, sandbox.worker() as two:
        ada, bo, cy = await join(one, "ada", "bo", "cy")
        for player, score in ((ada, 3), (bo, 2), (cy, 1)):
            await one.submit(player, score)
        assert [each["username"] for each in await two.top()] == ["ada", "bo", "cy"]
        answer = await change(one, bo, username="Bob")
        assert (answer.status_code, answer.json()["username"]) == (200, "Bob")
        assert [each["username"] for each in await one.top()] == ["ada", "Bob", "cy"]
        async with asyncio.timeout(1):
            while (await two.top())[1]["username"] != "Bob":
                await asyncio.sleep(0.01)
        for worker in (one, two):
            around = (await worker.client.get(f"/api/leaderboard/around/{cy}")).json()
            assert [each["username"] for each in around["entries"]] == ["ada", "Bob", "cy"]
            assert (await worker.client.get(f"{USERS}/{bo}")).json()["username"] == "Bob"
        # The name that was given up is free, scores and ranks are as they were.
        assert (await create(one, "bo")).status_code == 201
        entry = (await one.top())[1]
        assert (entry["rank"], entry["total_score"], entry["games_played"]) == (2, 2, 1)


async def test_nothing_to_change(worker):
    (ada,) = await join(worker, "ada")
    await worker.submit(ada, 1)
    before = (await worker.rank(ada))["version"]
    for fields in ({}, {"username": None}, {"username": "ada"}, {"is_active": True}):
        answer = await change(worker, ada, **fields)
        assert (answer.status_code, answer.json()["username"]) == (200, "ada")
    assert (await worker.rank(ada))["version"] == before


async def test_leaving_and_coming_back(worker):
    ada, bo, cy = await join(worker, "ada", "bo", "cy")
    # A tie of three: whoever was there first stands above.
    for player in (bo, ada, cy):
        await worker.submit(player, 10)
    assert [each["user_id"] for each in await worker.top()] == [bo, ada, cy]
    answer = await change(worker, ada, is_active=False)
    assert (answer.status_code, answer.json()["is_active"]) == (200, False)

    assert [(each["rank"], each["user_id"]) for each in await worker.top()] == [(1, bo), (2, cy)]
    assert await total_players(worker) == 2
    for path in ("rank", "around"):
        gone = await worker.client.get(f"/api/leaderboard/{path}/{ada}")
        assert code(gone) == (404, "not-ranked")
    ranks = await worker.client.post("/api/leaderboard/ranks", json={"user_ids": [ada, cy]})
    assert [(each["rank"], each["user_id"]) for each in ranks.json()["entries"]] == [(2, cy)]
    assert code(await worker.submit(ada, 5)) == (409, "player-inactive")
    assert code(await create(worker, "ADA")) == (409, "username-taken")

    assert (await change(worker, ada, is_active=True)).json()["is_active"] is True
    assert [each["user_id"] for each in await worker.top()] == [bo, ada, cy]
    assert await total_players(worker) == 3
    rank = await worker.rank(ada)
    assert (rank["rank"], rank["score"], rank["total_players"]) == (2, 10, 3)
    assert (await worker.submit(ada, 5)).json()["new_rank"] == 1


async def test_leaving_before_the_first_game(worker):
    (ada,) = await join(worker, "ada")
    await change(worker, ada, is_active=False)
    assert code(await worker.submit(ada, 1)) == (409, "player-inactive")
    assert await total_players(worker) == 0
    await change(worker, ada, is_active=True)
    assert (await worker.submit(ada, 1)).json()["new_rank"] == 1


async def test_renamed_while_away(worker):
    (ada,) = await join(worker, "ada")
    await worker.submit(ada, 1)
    await change(worker, ada, is_active=False)
    await change(worker, ada, username="Ada II")
    assert await worker.top() == []
    await change(worker, ada, is_active=True, username="Ada III")
    assert [each["username"] for each in await worker.top()] == ["Ada III"]


async def test_changes_and_scores_at_the_same_time(worker):
    """Whatever their order: who is active is ranked with all that was accepted."""
    ada, bo = await join(worker, "ada", "bo")

    async def toggle() -> None:
        for number in range(20):
            await change(worker, ada, is_active=number % 2 == 1, username=f"ada-{number}")

    async def score() -> int:
        answers = [await worker.submit(ada, 1) for _ in range(40)]
        # The score may be in before its player is out: then it counts, and is told as a 409.
        return len([answer for answer in answers if answer.status_code == 200])

    accepted, _, _ = await asyncio.gather(score(), toggle(), worker.submit(bo, 1_000))
    entry = next(each for each in await worker.top() if each["user_id"] == ada)
    assert entry["username"] == "ada-19"
    assert entry["games_played"] == entry["total_score"] >= accepted
    assert await total_players(worker) == 2


async def test_addresses_are_nobodys_business(worker):
    """No answer, of success or of error, tells an e-mail address."""
    mail = "secret@example.com"
    ada = (await create(worker, "ada", email=mail)).json()["user_id"]
    client = worker.client
    answers = [
        await create(worker, "bo", email=mail),
        await create(worker, "ada", email=mail),
        await create(worker, "cy", email=f"{mail} "),
        await worker.submit(ada, 1),
        await change(worker, ada, username="Ada"),
        await client.get(f"{USERS}/{ada}"),
        await client.get(USERS, params={"username": "ada"}),
        await client.get(USERS, params={"prefix": "a"}),
        await client.get("/api/leaderboard/top"),
        await client.get(f"/api/leaderboard/rank/{ada}"),
        await client.get(f"/api/leaderboard/around/{ada}"),
        await client.post("/api/leaderboard/ranks", json={"user_ids": [ada]}),
        await client.get("/api/leaderboard/health"),
    ]
    assert [answer.status_code for answer in answers[:3]] == [409, 409, 422]
    assert all(answer.status_code == 200 for answer in answers[3:])
    for answer in answers:
        assert mail not in answer.text
        assert "email" not in answer.json()
