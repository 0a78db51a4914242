"""Erasing a player: nothing identifies the person any more, and everything else stays right."""

import asyncio
import json

import pytest

from app.core.database import create_engine
from app.services import player_export
from app.services.access.audit_check import check_audit
from app.services.erasure import Erasures
from app.services.verify import verify
from tests.access_helpers import closed

USERS = "/api/users"
NAMES = ("Marker-One", "Marker-Two")
EMAIL = "marker@example.com"
METADATA = {"ip": "marker-203.0.113.7", "n": 1.50}

TABLES = """
SELECT oid::regclass::text FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1
"""


async def everything(connection) -> str:
    """All rows of all tables as text."""
    text = ""
    for row in await connection.fetch(TABLES):
        rows = await connection.fetch(f"SELECT t::text AS row FROM {row[0]} t")
        text += "\n".join(each["row"] for each in rows)
    return text.lower()


@pytest.fixture
async def connection(sandbox):
    made = await sandbox.connect()
    yield made
    await made.close()


async def add_marked(worker) -> int:
    """A player with a name, a former name, an address and games with metadata in two months."""
    made = await worker.client.post(USERS, json={"username": NAMES[0], "email": EMAIL})
    user_id = made.json()["user_id"]
    for score in (5, 7):
        assert (await worker.submit(user_id, score, metadata=METADATA)).status_code == 200
    renamed = await worker.client.patch(f"{USERS}/{user_id}", json={"username": NAMES[1]})
    assert renamed.status_code == 200
    return user_id


async def erase(worker, user_id: int) -> None:
    answer = await worker.client.delete(f"{USERS}/{user_id}", params={"reason": "asked for"})
    assert (answer.status_code, answer.json()["user_id"]) == (200, user_id)


async def test_nothing_that_identifies_the_player_is_left(sandbox, worker, connection):
    user_id = await add_marked(worker)
    await connection.execute(
        "CREATE TABLE game_sessions_old PARTITION OF game_sessions "
        "FOR VALUES FROM ('2020-01-01+00') TO ('2020-02-01+00')"
    )
    await connection.execute(
        "INSERT INTO game_sessions (id, user_id, score, game_mode, timestamp, metadata) "
        "VALUES (nextval('event_id_seq'), $1, 0, 'old', '2020-01-15+00', '{\"a\": \"marker\"}')",
        user_id,
    )
    stored = await everything(connection)
    assert all(each.lower() in stored for each in (*NAMES, EMAIL, "marker-203.0.113.7"))
    await erase(worker, user_id)
    assert "marker" not in await everything(connection)
    games = await connection.fetch("SELECT score FROM game_sessions ORDER BY score")
    assert [row["score"] for row in games] == [0, 5, 7]
    # The old game went around the service, so the folds lack it.
    await connection.execute("DELETE FROM game_sessions WHERE game_mode = 'old'")
    told: list[str] = []
    assert await verify(sandbox.settings, told.append) == 0, told


async def test_ranks_of_others_stay_right_on_every_worker(sandbox):
    async with sandbox.worker() as one, sandbox.worker() as two:
        ada, bo, cy = await one.add_players(3)
        for user_id, score in ((ada, 30), (bo, 20), (cy, 10)):
            await one.submit(user_id, score)
        await erase(one, bo)
        assert [(each["user_id"], each["rank"]) for each in await one.top()] == [(ada, 1), (cy, 2)]
        async with asyncio.timeout(2):
            while len(await two.top()) > 2:
                await asyncio.sleep(0.01)
        for worker in (one, two):
            assert (await worker.rank(cy))["rank"] == 2
            gone = await worker.client.get(f"/api/leaderboard/rank/{bo}")
            assert (gone.status_code, gone.json()["code"]) == (404, "not-ranked")
        told: list[str] = []
        assert await verify(sandbox.settings, told.append) == 0, told


async def test_an_erased_player_is_gone_for_good(worker, connection):
    user_id = await add_marked(worker)
    await erase(worker, user_id)
    for method, path, body in (
        ("GET", f"{USERS}/{user_id}", None),
        ("GET", f"{USERS}/{user_id}/sessions", None),
        ("PATCH", f"{USERS}/{user_id}", {"username": NAMES[1]}),
        ("PATCH", f"{USERS}/{user_id}", {"is_active": True}),
        ("PATCH", f"{USERS}/{user_id}", {"email": EMAIL}),
    ):
        answer = await worker.client.request(method, path, json=body)
        assert (answer.status_code, answer.json()["code"]) == (410, "player-erased"), (method, path)
    refused = await worker.submit(user_id, 1)
    assert (refused.status_code, refused.json()["code"]) == (409, "player-inactive")
    for name in (NAMES[1], f"Erased player {user_id}"):
        answer = await worker.client.get(USERS, params={"username": name})
        assert answer.status_code == 404, answer.text
    kinds = await connection.fetch("SELECT kind FROM player_events ORDER BY id")
    assert [row["kind"] for row in kinds] == ["renamed", "deactivated", "erased"]
    # Again: no error, and nothing new.
    before = await everything(connection)
    await erase(worker, user_id)
    assert await everything(connection) == before
    # Name and address are free.
    again = await worker.client.post(USERS, json={"username": NAMES[1], "email": EMAIL})
    assert again.status_code == 201
    assert (await worker.client.delete(f"{USERS}/999999")).status_code == 404


async def test_somebody_may_be_called_as_the_erased_are(worker):
    (ada,) = await worker.add_players(1)
    taken = await worker.client.post(USERS, json={"username": f"ERASED player {ada}"})
    await erase(worker, ada)
    kept = await worker.client.get(f"{USERS}/{taken.json()['user_id']}")
    assert kept.json()["username"] == f"ERASED player {ada}"


async def test_who_may_erase_and_export(sandbox):
    async with closed(sandbox) as there:
        path = f"{USERS}/{there.player}"
        for method, url in (("DELETE", path), ("GET", f"{path}/export")):
            for who, status in ((None, 401), ("read", 403), ("submit", 403), ("other", 403)):
                assert (await there.ask(who, method, url)).status_code == status, (who, method)
        assert (await there.ask("own", "GET", f"{path}/export")).status_code == 200
        assert (await there.ask("own", "DELETE", path)).status_code == 200
        assert (await there.ask("own", "GET", f"{path}/export")).status_code in (401, 403)
        assert (await there.ask("admin", "GET", path)).status_code == 410


async def test_a_guest_who_was_erased_cannot_sign_in(sandbox):
    async with sandbox.worker(guest_sign_in=True) as worker:
        guest = (await worker.client.post("/api/auth/guest", json={"username": "guest"})).json()
        await erase(worker, guest["user_id"])
        back = {name: guest[name] for name in ("user_id", "guest_secret")}
        assert (await worker.client.post("/api/auth/guest", json=back)).status_code == 401


async def test_an_erasure_that_broke_off_is_finished(worker, connection, monkeypatch):
    user_id = await add_marked(worker)

    async def die(_self, _user_id):
        raise ConnectionResetError

    with monkeypatch.context() as patch:
        patch.setattr(Erasures, "_forget_metadata", die)
        answer = await worker.client.delete(f"{USERS}/{user_id}")
        assert answer.status_code == 503
    assert "marker-203.0.113.7" in await everything(connection)
    await worker.service.erasures.finish()
    assert "marker" not in await everything(connection)


async def test_the_audit_log_is_whole_after_an_erasure(sandbox, worker, connection):
    user_id = await add_marked(worker)
    await erase(worker, user_id)
    acts = await connection.fetch("SELECT action, detail::text, reason FROM audit_log ORDER BY id")
    assert [row["action"] for row in acts] == ["player.change", "player.erase"]
    assert acts[1]["reason"] == "asked for"
    engine = create_engine(sandbox.settings)
    assert (await check_audit(engine, print)).faults == 0
    await engine.dispose()


async def test_an_export_has_all_that_is_stored(worker, connection, monkeypatch):
    monkeypatch.setattr(player_export, "CHUNK", 2)
    user_id = await add_marked(worker)
    for _ in range(4):
        await worker.submit(user_id, 1)
    answer = await worker.client.get(f"{USERS}/{user_id}/export")
    assert answer.headers["content-disposition"].startswith("attachment")
    found = answer.json()
    assert found["player"]["email"] == EMAIL
    assert [found["player"]["username"], found["former_names"][0]["username"]] == [*NAMES[::-1]]
    assert [each["score"] for each in found["sessions"]] == [1, 1, 1, 1, 7, 5]
    assert '"n": 1.5' in answer.text
    assert found["sessions"][-1]["metadata"] == METADATA
    assert [each["total_score"] for each in found["standings"]] == [16]
    assert [each["kind"] for each in found["events"]] == ["renamed"]
    assert [each["action"] for each in found["administrative_acts"]] == ["player.change"]
    # Every column of the account but the keys, which are made of the name, and the secret's hash.
    columns = await connection.fetch(
        "SELECT attname FROM pg_attribute WHERE attrelid = 'users'::regclass AND attnum > 0 "
        "AND NOT attisdropped"
    )
    known = set(found["player"]) | {"id", "guest_secret_hash", "name_key", "search_key"}
    assert {row["attname"] for row in columns} <= known
    assert (await worker.client.get(f"{USERS}/999999/export")).status_code == 404


async def test_an_address_is_changed_and_removed(worker, connection):
    ada, bo = await worker.add_players(2)
    address = "SELECT email FROM users WHERE id = $1"
    for email in (EMAIL, "new@example.com", None):
        answer = await worker.client.patch(f"{USERS}/{ada}", json={"email": email})
        assert answer.status_code == 200, answer.text
        assert await connection.fetchval(address, ada) == email
    await worker.client.patch(f"{USERS}/{ada}", json={"email": EMAIL})
    taken = await worker.client.patch(f"{USERS}/{bo}", json={"email": EMAIL.upper()})
    assert (taken.status_code, taken.json()["code"]) == (409, "email-taken")
    renamed = await worker.client.patch(f"{USERS}/{ada}", json={"username": "ada"})
    assert (renamed.status_code, await connection.fetchval(address, ada)) == (200, EMAIL)
    log = await connection.fetchval("SELECT string_agg(detail::text, '') FROM audit_log")
    assert "example.com" not in log


async def test_the_servers_log_has_no_addresses(servers, worker):
    await worker.client.post(USERS, json={"username": "one", "email": "logged@example.com"})
    for username in ("two", "one"):
        body = {"username": username, "email": "logged@example.com"}
        assert (await worker.client.post(USERS, json=body)).status_code == 409
    log = servers._folder.log_path("postgres").read_text()
    assert "uq_users_email" in log
    assert "logged@example.com" not in log


async def test_a_export_is_one_document_for_a_player_without_games(worker):
    (ada,) = await worker.add_players(1)
    found = json.loads((await worker.client.get(f"{USERS}/{ada}/export")).content)
    assert (found["sessions"], found["standings"]) == ([], [])
