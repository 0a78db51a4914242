"""API keys: made, listed, rotated, revoked on every worker; and where their secrets never are."""

import asyncio
import time

import pytest

from app.core.database import create_engine
from app.services.access import access
from app.services.access.key_admin import KeyAdmin
from tests.access_helpers import CLOSED, SECRET, Closed, bearer, closed

KEYS = "/api/keys"
ME = "/api/auth"
SUBMIT = "/api/leaderboard/submit"


@pytest.fixture
async def there(sandbox):
    async with closed(sandbox) as made:
        yield made


async def admin(there: Closed, method: str, path: str, **options):
    answer = await there.ask("admin", method, path, **options)
    assert answer.status_code < 400, answer.text
    return answer.json()


async def status_with(worker, key: str) -> int:
    return (await worker.client.get(ME, headers=bearer(key))).status_code


async def seconds_until(condition, most: float) -> float:
    started = time.monotonic()
    async with asyncio.timeout(most):
        while not await condition():
            await asyncio.sleep(0.01)
    return time.monotonic() - started


async def test_a_key_from_its_making_to_its_end(there):
    made = await admin(there, "POST", KEYS, json={
        "name": "  eu-west  ", "scopes": ["submit", "submit"], "expires_in_days": 30,
        "reason": "A new region.",
    })  # fmt: skip
    key = made["key"]
    mark, prefix, secret = key.split("_", 2)
    assert (mark, prefix, len(secret)) == ("lb", made["prefix"], 43)
    assert (made["name"], made["scopes"], made["status"]) == ("eu-west", ["submit"], "active")
    assert made["last_used_at"] is None
    answer = await there.client.get(ME, headers=bearer(key))
    assert answer.json()["caller"] == {
        "kind": "key", "scopes": ["submit"], "key_prefix": prefix, "user_id": None,
    }  # fmt: skip
    answer = await there.client.post(
        SUBMIT, json={"user_id": there.player, "score": 1}, headers=bearer(key)
    )
    assert answer.status_code == 200

    listed = (await admin(there, "GET", KEYS))["keys"][0]
    assert "key" not in listed
    assert listed["prefix"] == prefix
    revoked = await admin(there, "DELETE", f"{KEYS}/{made['key_id']}?reason=Closed.")
    assert (revoked["status"], "key" in revoked) == ("revoked", False)
    assert await status_with(there.worker, key) == 401, "on this worker at once"
    again = await admin(there, "DELETE", f"{KEYS}/{made['key_id']}")
    assert again["revoked_at"] == revoked["revoked_at"]
    answer = await there.ask("admin", "POST", f"{KEYS}/{made['key_id']}/rotate", json={})
    assert (answer.status_code, answer.json()["code"]) == (409, "key-not-active")
    for method, path in (("DELETE", f"{KEYS}/4711"), ("POST", f"{KEYS}/4711/rotate")):
        body = {"json": {}} if method == "POST" else {}
        answer = await there.ask("admin", method, path, **body)
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown-key")

    acts = (await admin(there, "GET", "/api/audit?limit=2"))["entries"]
    assert [(each["action"], each["reason"]) for each in acts] == [
        ("key.revoke", "Closed."), ("key.create", "A new region."),
    ]  # fmt: skip
    who = str(there.credentials["admin"]).split("_")[1]
    assert {each["actor"] for each in acts} == {f"key:{who}"}
    assert {each["subject"] for each in acts} == {f"key:{prefix}"}


async def test_rotation_with_overlap(there):
    """Both keys are good for a while; the new one lasts as long as the old one was made for."""
    old = await admin(there, "POST", KEYS, json={
        "name": "server", "scopes": ["read", "submit"], "expires_in_days": 10,
    })  # fmt: skip
    new = await admin(there, "POST", f"{KEYS}/{old['key_id']}/rotate", json={"overlap_seconds": 1})
    assert (new["name"], new["scopes"]) == (old["name"], old["scopes"])
    assert new["rotated_from"] == old["key_id"]
    assert new["expires_at"][:10] == old["expires_at"][:10]
    assert await status_with(there.worker, old["key"]) == 200
    assert await status_with(there.worker, new["key"]) == 200
    took = await seconds_until(lambda: refused(there.worker, old["key"]), 3)
    assert took > 0.5
    assert await status_with(there.worker, new["key"]) == 200
    keys = {each["key_id"]: each["status"] for each in (await admin(there, "GET", KEYS))["keys"]}
    assert (keys[old["key_id"]], keys[new["key_id"]]) == ("expired", "active")
    # Without overlap the old one ends at once; an end that comes sooner stays.
    last = await admin(there, "POST", f"{KEYS}/{new['key_id']}/rotate", json={"overlap_seconds": 0})
    assert await status_with(there.worker, new["key"]) == 401
    assert await status_with(there.worker, last["key"]) == 200


async def refused(worker, key: str) -> bool:
    return await status_with(worker, key) == 401


async def test_every_worker_follows_within_a_second(sandbox):
    """A key made, revoked; a board made private: told to one worker, done on the other."""
    async with closed(sandbox) as one, sandbox.worker(**CLOSED) as two:
        made = await admin(one, "POST", KEYS, json={"name": "new", "scopes": ["submit"]})
        score = {"user_id": one.player, "score": 1}

        async def stored() -> bool:
            answer = await two.client.post(SUBMIT, json=score, headers=bearer(made["key"]))
            return answer.status_code == 200

        async def refused_there() -> bool:
            return not await stored()

        assert await seconds_until(stored, 1) < 1
        await admin(one, "DELETE", f"{KEYS}/{made['key_id']}")
        assert await seconds_until(refused_there, 1) < 1

        async def private() -> bool:
            return (await two.client.get("/api/leaderboard/top")).status_code == 404

        await admin(one, "PATCH", "/api/boards/global", json={"is_private": True})
        assert (await one.client.get("/api/leaderboard/top")).status_code == 404
        assert await seconds_until(private, 1) < 1

        async def clients_allowed() -> bool:
            answer = await two.client.post(
                SUBMIT, json=score, headers=bearer(one.credentials["own"])
            )
            return answer.status_code == 200

        await admin(one, "PATCH", "/api/boards/global", json={"client_submissions": True})
        assert await seconds_until(clients_allowed, 1) < 1


async def test_a_revocation_at_the_command_line_is_followed_too(sandbox):
    async with closed(sandbox) as there:
        key = await there.key("read")
        engine = create_engine(sandbox.settings)
        keys = KeyAdmin(engine)
        found = await keys.find(key.split("_")[1])
        await keys.revoke(found.id, "os:ops")
        await engine.dispose()
        assert await seconds_until(lambda: refused(there.worker, key), 1) < 1


async def test_last_use_is_noted_in_the_background(there, monkeypatch):
    key = await there.key("read")
    prefix = key.split("_")[1]
    monkeypatch.setattr(access, "USE_NOTED_EVERY", 0.0)
    for _ in range(3):
        assert await status_with(there.worker, key) == 200

    async def used_at() -> str | None:
        keys = (await admin(there, "GET", KEYS))["keys"]
        return next(each for each in keys if each["prefix"] == prefix)["last_used_at"]

    await seconds_until(used_at, 2)
    first = await used_at()
    await status_with(there.worker, key)
    await asyncio.sleep(1.2)
    assert await used_at() == first, "at most once a minute"


async def test_the_last_look_goes_on_without_postgresql(there):
    guard = there.worker.service.access
    engine = guard._engine
    settings = there.worker.service.settings
    guard._engine = create_engine(
        settings.model_copy(update={"database_url": "postgresql+asyncpg://x@127.0.0.1:1/x"})
    )
    await asyncio.sleep(1.2)
    for who in ("read", "own"):
        assert (await there.ask(who, "GET", ME)).status_code == 200
    await guard.refresh()
    await guard._engine.dispose()
    guard._engine = engine
    key = await there.key("read")
    assert await status_with(there.worker, key) == 200


async def test_an_unknown_prefix_costs_what_a_wrong_secret_costs(there):
    """Within what a busy machine allows: the same hash and the same comparison are made."""
    guard = there.worker.service.access
    key = str(there.credentials["admin"])
    wrong = (f"{key[:-2]}xx", f"lb_zzzzzzzz_{key.split('_', 2)[2]}")
    fastest = [float("inf")] * 2
    for _ in range(3_000):
        for at, text in enumerate(wrong):
            started = time.perf_counter()
            assert guard._keys.find(text) is None
            fastest[at] = min(fastest[at], time.perf_counter() - started)
    assert 0.5 < fastest[0] / fastest[1] < 2


async def test_remembered_credentials_are_bounded(there, monkeypatch):
    monkeypatch.setattr(access, "MAX_REMEMBERED", 5)
    guard = there.worker.service.access
    for _ in range(3):
        for player in range(1, 20):
            token = guard.tokens.issue(player).text
            answer = await there.client.get(ME, headers=bearer(token))
            assert answer.json()["caller"]["user_id"] == player
            for bad in (token[:-3], f"{token}x"):
                assert await status_with(there.worker, bad) == 401
    assert len(guard._good) == 5


async def test_no_secret_is_logged(sandbox, capsys):
    async with closed(sandbox, log_level="debug", access_log=True) as there:
        made = await admin(there, "POST", KEYS, json={"name": "logged", "scopes": ["admin"]})
        answer = await there.client.post(f"{ME}/guest", json={"username": "Guest"})
        guest = answer.json()
        back = {"user_id": guest["user_id"], "guest_secret": guest["guest_secret"]}
        assert (await there.client.post(f"{ME}/guest", json=back)).status_code == 200
        token = (
            await there.ask("submit", "POST", f"{ME}/player-token", json={"user_id": 1})
        ).json()
        wrong = made["key"][:-1]
        for credential in (made["key"], guest["token"], token["token"], wrong):
            await there.client.get(ME, headers=bearer(credential))
        await admin(there, "POST", f"{KEYS}/{made['key_id']}/rotate", json={})
        said = capsys.readouterr()
        secrets = [SECRET, guest["guest_secret"], guest["token"], token["token"]]
        keys = [made["key"], wrong, *filter(None, there.credentials.values())]
        secrets += [each.split("_", 2)[2] if each.startswith("lb_") else each for each in keys]
        assert "/api/auth" in said.err
        assert not [each for each in secrets if each in said.err + said.out]
    assert SECRET not in repr(sandbox.make_settings(**CLOSED))
