"""Players' names in the service: one rule for all ways in, and players who were there before it."""

# ruff: noqa: RUF001 - letters of several scripts, some alike

import asyncio

import pytest

from app.core.database import create_engine
from app.services import player_names, schema, service
from app.services.player_names import fill_keys
from app.services.verify import verify

USERS = "/api/users"


async def join(worker, name: str):
    return await worker.client.post(USERS, json={"username": name})


async def find(worker, name: str) -> list[int]:
    answer = await worker.client.get(USERS, params={"username": name})
    return [each["user_id"] for each in answer.json().get("users", ())]


@pytest.mark.parametrize(
    ("name", "same"),
    [
        ("ς", "Σ"),
        ("Nova", "Ｎｏｖａ"),
        ("Ada Love", "Ada\u00a0Love"),
        ("Straße", "STRASSE"),
        ("علی\u200cرضا", "علیرضا"),
    ],
)
async def test_there_is_one_player_of_a_name(worker, name, same):
    made = await join(worker, name)
    assert (made.status_code, made.json()["username"]) == (201, name)
    taken = await join(worker, same)
    assert (taken.status_code, taken.json()["code"]) == (409, "username-taken")
    (other,) = await worker.add_players(1)
    for user_id, status in ((other, 409), (made.json()["user_id"], 200)):
        renamed = await worker.client.patch(f"{USERS}/{user_id}", json={"username": same})
        assert renamed.status_code == status, renamed.text
    assert await find(worker, name) == await find(worker, same) == [made.json()["user_id"]]


@pytest.mark.parametrize(
    "name", ["\u3164", "\u2800", "\u0301", "Nova\ufe0f", "Nova\u034f", "\u0378"]
)
async def test_a_name_that_hides_is_refused_on_every_way_in(sandbox, name):
    async with sandbox.worker(guest_sign_in=True) as worker:
        (ada,) = await worker.add_players(1)
        for answer in (
            await join(worker, name),
            await worker.client.patch(f"{USERS}/{ada}", json={"username": name}),
            await worker.client.post("/api/auth/guest", json={"username": name}),
        ):
            assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "username")
        # Nobody has the name, and to look for it is no mistake.
        assert await find(worker, name) == []


async def test_a_half_typed_word_is_searched_for(worker):
    await join(worker, "علی\u200cرضا")
    answer = await worker.client.get(USERS, params={"prefix": "علی\u200c"})
    assert [each["username"] for each in answer.json()["users"]] == ["علی\u200cرضا"]


OLD = "INSERT INTO users (username) VALUES ($1) RETURNING id"


@pytest.fixture
async def old(sandbox):
    """A connection that writes as the version before does: without keys."""
    connection = await sandbox.connect()
    yield connection
    await connection.close()


async def test_players_who_share_a_name_by_the_new_rule_keep_it(sandbox, old, monkeypatch):
    monkeypatch.setattr(player_names, "CHUNK", 2)
    names = ("Σ", "ς", "Nova", "Nova\u3164", "\u3164", "\u2800", "ada")
    ids = {name: await old.fetchval(OLD, name) for name in names}
    engine = create_engine(sandbox.settings)
    assert await fill_keys(engine) == len(names)
    assert await fill_keys(engine) == 0
    await engine.dispose()
    async with sandbox.worker() as worker:
        for name, user_id in ids.items():
            assert await find(worker, name) == [user_id], ascii(name)
        # In another spelling it is the one who was there first.
        assert await find(worker, "σ") == [ids["Σ"]]
        assert (await join(worker, "σ")).status_code == 409
        # Who has a name twice over may change its case, or take another one; then it is free.
        assert (await worker.client.patch(f"{USERS}/{ids['ς']}", json={})).status_code == 200
        new = {"username": "Sigma"}
        assert (await worker.client.patch(f"{USERS}/{ids['ς']}", json=new)).status_code == 200
        assert await find(worker, "ς") == [ids["Σ"]]
        # Those who still share a name are told to whoever verifies, and are no difference.
        told: list[str] = []
        assert await verify(sandbox.settings, told.append) == 0
        (line,) = told
        assert f"player {ids['Nova' + chr(0x3164)]} (" in line
        assert f"of player {ids['Nova']};" in line
        assert await find(worker, "SIGMA") == [ids["ς"]]


async def test_what_the_version_before_writes_is_found_and_filled(sandbox, old, monkeypatch):
    monkeypatch.setattr(player_names, "FILL_SECONDS", 0.05)
    async with sandbox.worker() as worker:
        ada = (await join(worker, "ada")).json()["user_id"]
        bo = await old.fetchval(OLD, "Bo")
        await old.execute("UPDATE users SET username = 'Straße' WHERE id = $1", ada)
        # Also before the keys are there.
        assert await find(worker, "bo") == [bo]
        missing = "SELECT count(*) FROM users WHERE name_key IS NULL"
        async with asyncio.timeout(10):
            while await old.fetchval(missing):
                await asyncio.sleep(0.02)
        assert await find(worker, "STRASSE") == [ada]
        assert await find(worker, "ada") == []
        assert await find(worker, "BO") == [bo]


async def test_the_start_does_not_wait_for_all_keys_and_names_are_right_meanwhile(
    sandbox, old, monkeypatch
):
    monkeypatch.setattr(schema, "START_SECONDS", 0.0)
    monkeypatch.setattr(player_names, "CHUNK", 1)
    filled = asyncio.Event()

    async def keep_filled_later(engine):
        await filled.wait()
        await player_names.fill_keys(engine)

    monkeypatch.setattr(service, "keep_filled", keep_filled_later)
    sigma = await old.fetchval(OLD, "Σ")
    nova = await old.fetchval(OLD, "Nova")
    async with sandbox.worker() as worker:
        assert await find(worker, "nova") == [nova]
        assert (await join(worker, "NOVA")).status_code == 409
        # By the names' own rule these are the older players' names, which nobody can know yet.
        young = [(await join(worker, name)).json()["user_id"] for name in ("ς", "Ｎova")]
        filled.set()
        async with asyncio.timeout(10):
            while await old.fetchval("SELECT count(*) FROM users WHERE name_key IS NULL"):
                await asyncio.sleep(0.02)
        # All keep their names, and the older players have the keys.
        assert await find(worker, "σ") == [sigma]
        assert await find(worker, "NOVA") == [nova]
        assert [await find(worker, name) for name in ("ς", "Ｎova")] == [[each] for each in young]
        assert (await join(worker, "ｎＯＶＡ")).status_code == 409


async def test_filling_waits_for_no_writer(sandbox, old):
    ids = [await old.fetchval(OLD, name) for name in ("ada", "bo")]
    other = await sandbox.connect()
    engine = create_engine(sandbox.settings)
    async with other.transaction():
        await other.execute("SELECT FROM users WHERE id = $1 FOR NO KEY UPDATE", ids[0])
        assert await asyncio.wait_for(fill_keys(engine), 5) == 1
    assert await fill_keys(engine) == 1
    await other.close()
    await engine.dispose()
