"""Players' tokens: from a game server, and for guests where the deployment allows them."""

import time
from datetime import UTC, datetime, timedelta

import jwt
import pytest

from tests.access_helpers import SECRET, bearer, closed

GUEST = "/api/auth/guest"
TOKEN = "/api/auth/player-token"


@pytest.fixture
async def there(sandbox):
    async with closed(sandbox, player_token_seconds=600) as made:
        yield made


async def test_a_token_for_a_player(there):
    answer = await there.ask("submit", "POST", TOKEN, json={"user_id": there.player})
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "private, no-store"
    made = answer.json()
    assert made.keys() == {"user_id", "token", "expires_at"}
    lasts = datetime.fromisoformat(made["expires_at"]) - datetime.now(UTC)
    assert timedelta(seconds=590) < lasts <= timedelta(seconds=600)
    claims = jwt.decode(made["token"], SECRET, algorithms=["HS256"], issuer="leaderboard")
    assert claims.keys() == {"iss", "sub", "iat", "exp", "key"}
    assert claims["sub"] == str(there.player)
    assert abs(claims["iat"] - time.time()) < 5
    me = await there.client.get("/api/auth", headers=bearer(made["token"]))
    assert me.json()["caller"]["user_id"] == there.player
    answer = await there.ask("submit", "POST", TOKEN, json={"user_id": 4711})
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown-player")


async def test_a_guest_comes_plays_and_comes_back(there):
    await there.ask("admin", "PATCH", "/api/boards/global", json={"client_submissions": True})
    answer = await there.client.post(GUEST, json={"username": "Nova"})
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "private, no-store")
    guest = answer.json()
    assert guest.keys() == {"user_id", "username", "guest_secret", "token", "expires_at"}
    score = {"user_id": guest["user_id"], "score": 7}
    played = await there.client.post(
        "/api/leaderboard/submit", json=score, headers=bearer(guest["token"])
    )
    assert (played.status_code, played.json()["new_rank"]) == (200, 1)
    back = {"user_id": guest["user_id"], "guest_secret": guest["guest_secret"]}
    again = (await there.client.post(GUEST, json=back)).json()
    assert (again["user_id"], again["username"]) == (guest["user_id"], "Nova")
    assert again["guest_secret"] is None, "told once"
    assert (await there.client.get("/api/auth", headers=bearer(again["token"]))).status_code == 200
    taken = await there.client.post(GUEST, json={"username": "NOVA"})
    assert (taken.status_code, taken.json()["code"]) == (409, "username-taken")


async def test_who_has_no_secret_learns_nothing(there):
    """The same answer for no player, for one who is no guest, and for another secret."""
    guest = (await there.client.post(GUEST, json={"username": "Nova"})).json()
    other = (await there.client.post(GUEST, json={"username": "Bo"})).json()
    answers = []
    for user_id, secret in (
        (4711, guest["guest_secret"]),
        (there.player, guest["guest_secret"]),
        (there.player, "\0"),
        (guest["user_id"], other["guest_secret"]),
        (guest["user_id"], guest["guest_secret"][:-1]),
        (guest["user_id"], guest["guest_secret"] + "x"),
    ):
        body = {"user_id": user_id, "guest_secret": secret}
        answer = await there.client.post(GUEST, json=body)
        document = answer.json()
        document.pop("request_id")
        answers.append((answer.status_code, document))
    assert answers[0][0] == 401
    assert answers == answers[:1] * len(answers)


async def test_a_deactivated_guest_gets_no_token(there):
    guest = (await there.client.post(GUEST, json={"username": "Nova"})).json()
    path = f"/api/users/{guest['user_id']}"
    await there.ask("admin", "PATCH", path, json={"is_active": False})
    back = {"user_id": guest["user_id"], "guest_secret": guest["guest_secret"]}
    answer = await there.client.post(GUEST, json=back)
    assert (answer.status_code, answer.json()["code"]) == (409, "player-inactive")


async def test_only_where_guests_are_allowed(sandbox):
    async with closed(sandbox, guest_sign_in=False) as there:
        for body in ({"username": "Nova"}, {"user_id": 1, "guest_secret": "x"}):
            answer = await there.client.post(GUEST, json=body)
            assert (answer.status_code, answer.json()["code"]) == (403, "guest-sign-in-off")
        assert (await there.client.get("/api/auth")).json()["guest_sign_in"] is False


async def test_the_secret_is_stored_as_a_hash(there, sandbox):
    guest = (await there.client.post(GUEST, json={"username": "Nova"})).json()
    connection = await sandbox.connect()
    row = await connection.fetchrow("SELECT * FROM users WHERE id = $1", guest["user_id"])
    await connection.close()
    assert len(row["guest_secret_hash"]) == 32
    assert guest["guest_secret"] not in str(dict(row))
