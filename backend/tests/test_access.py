"""Who may do what: every route and socket of the service, with every kind of credential."""

import asyncio
import os
import time
from collections.abc import AsyncIterator

import asyncpg
import httpx
import pytest
from fastapi import APIRouter

from app.api.hot_route import JsonRoute, check_rules
from app.core.config import Settings
from app.main import create_app
from tests.access_helpers import (
    CLOSED,
    PRIVATE_BOARD,
    SECRET,
    VALID,
    WRONG_CLAIMS,
    Closed,
    bearer,
    closed,
    forged,
    shared_closed,
)
from tests.conftest import Sandbox

DOCUMENT = create_app(Settings(_env_file=None)).openapi()
OPERATIONS = [
    (method.upper(), path)
    for path, methods in DOCUMENT["paths"].items()
    for method in methods
    if method != "head"  # GET, as far as access goes
]
each_operation = pytest.mark.parametrize(
    ("method", "path"), OPERATIONS, ids=[" ".join(each) for each in OPERATIONS]
)
BODIES = {
    ("POST", "/api/leaderboard/submit"): {"user_id": 1, "score": 1},
    ("POST", "/api/leaderboard/submit/batch"): {"submissions": [{"user_id": 1, "score": 1}]},
    ("POST", "/api/leaderboard/ranks"): {"user_ids": [1]},
    ("POST", "/api/users"): {"username": "somebody"},
    ("PATCH", "/api/users/{user_id}"): {"username": "somebody-else"},
    ("PATCH", "/api/boards/{slug}"): {},
    ("POST", "/api/auth/player-token"): {"user_id": 1},
    ("POST", "/api/auth/guest"): {"username": "somebody"},
    ("POST", "/api/keys"): {"name": "made by a test", "scopes": ["read"]},
    ("POST", "/api/keys/{key_id}/rotate"): {},
}
PATHS = {"user_id": "1", "slug": "global", "key_id": "999999"}
"""Player 1 is whose own token there is. No such key: who gets so far is answered 404."""

ERASE = ("DELETE", "/api/users/{user_id}")

PASSES = {
    "public": {"nothing", *VALID},
    "board": {"nothing", *VALID},
    "play": {"submit", "admin", "own"},
    "submit": {"submit", "admin"},
    "self": {"admin", "own"},
    "watch": {"read", "admin"},
    "admin": {"admin"},
}
REFUSALS = ("unauthenticated", "forbidden", "misdirected")


def operation(method: str, path: str) -> dict:
    return DOCUMENT["paths"][path][method.lower()]


def url_of(path: str, **paths: str) -> str:
    """Where a request goes that is good but for who sends it."""
    for name, value in {**PATHS, **paths}.items():
        path = path.replace(f"{{{name}}}", value)
    assert "{" not in path, f"say in PATHS what stands for a parameter of {path}"
    return path


def options_of(method: str, path: str) -> dict:
    if "requestBody" not in operation(method, path):
        return {}
    assert (method, path) in BODIES, f"say in BODIES what {method} {path} takes"
    return {"json": BODIES[method, path]}


def refusal(answer: httpx.Response) -> str | None:
    """The code of a refusal; None for who was let in, whatever came of it. A batch refuses item
    by item."""
    if answer.status_code < 400:
        if answer.headers["content-type"].startswith("text/plain"):
            return None
        results = answer.json().get("results", ())
        codes = [each["problem"]["code"] for each in results if each["status"] == "rejected"]
    else:
        codes = [answer.json()["code"]]
    return next((code for code in codes if code in REFUSALS), None)


def check_unauthenticated(answer: httpx.Response) -> None:
    """The same words for every reason."""
    assert answer.status_code == 401, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"] == "Bearer"
    document = answer.json()
    assert document.pop("request_id") == answer.headers["x-request-id"]
    assert document == {
        "type": "urn:leaderboard:problem:unauthenticated",
        "title": "A valid credential is needed",
        "status": 401,
        "code": "unauthenticated",
        "detail": "Send a valid key or token as `Authorization: Bearer ...`.",
    }


def bad_credentials(there: Closed) -> dict[str, bytes]:
    """`Authorization` headers that nobody should be let in for."""
    good = there.credentials
    key, token = str(good["admin"]), str(good["own"])
    head, secret = key[:11], key[12:]
    header, payload, signature = token.split(".")
    others = forged(sub="2").split(".")[1]
    return {
        "empty": b"",
        "the scheme alone": b"Bearer",
        "nothing after the scheme": b"Bearer ",
        "no scheme": key.encode(),
        "another scheme": f"Basic {key}".encode(),
        "two credentials": f"Bearer {key} {key}".encode(),
        "a bare mark": b"Bearer lb_",
        "a prefix alone": f"Bearer {head}".encode(),
        "no secret": f"Bearer {head}_".encode(),
        "beyond ASCII": b"Bearer lb_\xff\xfe_\xe9",
        "NUL": f"Bearer {key}".encode() + b"\0",
        "long": b"Bearer lb_" + b"x" * 8_000,
        "wrong secret": f"Bearer {head}_{'A' * len(secret)}".encode(),
        "half a secret": f"Bearer {key[:-1]}".encode(),
        "unknown prefix": f"Bearer lb_zzzzzzzz_{secret}".encode(),
        "upper case": f"Bearer {key.upper()}".encode(),
        "expired": f"Bearer {good['expired']}".encode(),
        "revoked": f"Bearer {good['revoked']}".encode(),
        "expired token": f"Bearer {good['expired token']}".encode(),
        "another secret's token": f"Bearer {forged(SECRET[::-1])}".encode(),
        "unsigned token": f"Bearer {forged(algorithm='none')}".encode(),
        "another algorithm": f"Bearer {forged(algorithm='HS512')}".encode(),
        "no signature": f"Bearer {header}.{payload}.".encode(),
        "cut signature": f"Bearer {header}.{payload}.{signature[:-2]}".encode(),
        "another's payload": f"Bearer {header}.{others}.{signature}".encode(),
        "no subject": f"Bearer {forged(sub=None)}".encode(),
        "no end": f"Bearer {forged(exp=None)}".encode(),
        "no issuer": f"Bearer {forged(iss=None)}".encode(),
        "another issuer": f"Bearer {forged(iss='else')}".encode(),
        "no player": f"Bearer {forged(sub='0')}".encode(),
        "no number": f"Bearer {forged(sub='one')}".encode(),
        **{name: f"Bearer {forged(**claims)}".encode() for name, claims in WRONG_CLAIMS.items()},
    }


@pytest.fixture(scope="module")
async def there(servers, template) -> AsyncIterator[Closed]:
    """One closed worker for the whole table."""
    async with shared_closed(servers, template, "access") as made:
        yield made


# Routes


def test_every_route_has_a_rule_and_says_so():
    for method, path in OPERATIONS:
        described = operation(method, path)
        rule = described["x-access"]
        assert rule in PASSES, (method, path)
        schemes = {name for each in described["security"] for name in each}
        assert ({} in described["security"]) == ("nothing" in PASSES[rule])
        assert ("playerToken" in schemes) == ("own" in PASSES[rule])
        assert "apiKey" in schemes
        assert "`unauthenticated`" in described["responses"]["401"]["description"]
        assert "`misdirected`" in described["responses"]["421"]["description"]
        if rule not in ("public", "board"):
            assert "`forbidden`" in described["responses"]["403"]["description"]
    assert {name: each["type"] for name, each in DOCUMENT["components"]["securitySchemes"].items()}


def test_a_route_without_a_rule_does_not_start():
    ours = APIRouter(route_class=JsonRoute)
    with pytest.raises(TypeError, match="allows"):

        @ours.get("/forgotten")
        async def forgotten() -> None: ...

    plain = APIRouter()

    @plain.get("/plain")
    async def unguarded() -> None: ...

    with pytest.raises(TypeError, match="no access rule"):
        check_rules(plain.routes)
    sockets = APIRouter()

    @sockets.websocket("/ws")
    async def listen() -> None: ...

    with pytest.raises(TypeError, match="allows"):
        check_rules(sockets.routes)


@each_operation
async def test_the_table(there, method, path):
    """Each credential gets as far as the route's rule says."""
    url = url_of(path)
    passes = PASSES[operation(method, path)["x-access"]]
    for who in ("nothing", *VALID):
        if who in passes and (method, path) == ERASE:
            continue  # the player is needed: test_erasure.py has players to spare
        answer = await there.ask(who, method, url, **options_of(method, path))
        assert answer.status_code < 500, answer.text
        if who in passes:
            assert refusal(answer) is None, (who, answer.text)
        elif who == "nothing":
            check_unauthenticated(answer)
        else:
            assert refusal(answer) == "forbidden", (who, answer.text)


@each_operation
async def test_a_bad_credential_gets_nowhere(there, method, path):
    """Also where none is needed, and all in the same words."""
    url = url_of(path)
    for name, header in bad_credentials(there).items():
        answer = await there.client.request(
            method, url, headers=[(b"Authorization", header)], **options_of(method, path)
        )
        assert answer.status_code == 401, name
        check_unauthenticated(answer)


@each_operation
async def test_nobody_is_heard_before_admission(there, method, path):
    """No credential: the answer is 401 whatever the body and the parameters are."""
    if "nothing" in PASSES[operation(method, path)["x-access"]]:
        return
    url = url_of(path, user_id="zero", key_id="zero", slug="%E2%80%AE")
    for body in (b"", b"{", b"x" * 2_000_000):
        answer = await there.client.request(method, url, content=body)
        check_unauthenticated(answer)


@each_operation
async def test_a_private_board(there, method, path):
    """Read with `read`, or a token that reads it. To all others it is not there."""
    if operation(method, path)["x-access"] != "board":
        return
    names = {each["name"] for each in operation(method, path).get("parameters", ())}
    if not names & {"board", "slug"}:
        return

    async def ask(who: str, slug: str) -> httpx.Response:
        url = url_of(path, slug=slug) + ("" if "slug" in names else f"?board={slug}")
        return await there.ask(who, method, url, **options_of(method, path))

    for who in ("nothing", *VALID):
        answer = await ask(who, "club")
        if who in ("nothing", "submit"):
            assert told(answer) == told(await ask(who, "clup"), clup="club")
            assert (answer.status_code, answer.json()["code"]) == (404, "unknown-board")
        else:
            assert answer.json().get("code") != "unknown-board", (who, answer.text)
            assert refusal(answer) is None, (who, answer.text)


def told(answer: httpx.Response, **names: str) -> tuple[int, dict, str]:
    """All that an answer says, but for what differs between any two; `names` are replaced."""
    text = answer.text.replace(answer.headers["x-request-id"], "")
    for name, other in names.items():
        text = text.replace(name, other)
    headers = {k: v for k, v in answer.headers.items() if k not in ("x-request-id", "date")}
    return answer.status_code, headers, text


async def test_strangers_learn_the_status_of_parts_and_no_more(there):
    for who in ("nothing", *VALID):
        health = (await there.ask(who, "GET", "/api/leaderboard/health")).json()
        parts = [value for value in health.values() if isinstance(value, dict)]
        assert len(parts) >= 7
        assert all(part["status"] for part in parts)
        details = {
            "clients": health["clients"],
            "total_players": health["total_players"],
            "details": [part["detail"] for part in parts if part["detail"] is not None] or None,
            "latencies": [each["latency_ms"] for each in parts if each["latency_ms"]] or None,
        }
        if who in ("read", "admin"):
            assert None not in details.values(), (who, details)
        else:
            assert {*details.values()} == {None}, (who, details)


async def test_lists_leave_private_boards_out(there):
    for who in ("nothing", "submit", "read", "own", "other", "admin"):
        boards = (await there.ask(who, "GET", "/api/boards")).json()["boards"]
        shown = {each["slug"]: each["is_private"] for each in boards}
        private = {} if who in ("nothing", "submit") else {"club": True}
        assert shown == {"global": False, **private}, who


async def test_no_secret_in_what_is_read(there):
    """Of all that can be read by an administrator: no key, token, secret or hash."""
    connection = await asyncpg.connect(
        there.worker.service.engine.url.render_as_string(hide_password=False).replace(
            "postgresql+asyncpg://", "postgresql://"
        )
    )
    hashes = [row[0] for row in await connection.fetch("SELECT secret_hash FROM api_keys")]
    await connection.close()
    shown = [each for each in there.credentials.values() if each]
    # Of a key the part behind its prefix, which may be read; of a token all.
    secrets = [each.split("_", 2)[-1] if each.startswith("lb_") else each for each in shown]
    secrets += [SECRET, *(each.hex() for each in hashes)]
    for method, path in OPERATIONS:
        if method == "GET":
            url = url_of(path)
            said = (await there.ask("admin", method, url)).text
            assert not [secret for secret in secrets if secret in said], path


# What a player's token may do


async def test_a_player_sends_scores_alone(there):
    for user_id, code in ((there.player, None), (there.other, "forbidden"), (999, "forbidden")):
        body = {"user_id": user_id, "score": 5}
        answer = await there.ask("own", "POST", "/api/leaderboard/submit", json=body)
        assert refusal(answer) == code
    games = [{"user_id": user_id, "score": 5} for user_id in (there.player, there.other)]
    answer = await there.ask(
        "own", "POST", "/api/leaderboard/submit/batch", json={"submissions": games}
    )
    mine, others = answer.json()["results"]
    assert (mine["status"], others["problem"]["code"]) == ("accepted", "forbidden")


async def test_a_board_decides_whether_clients_may_send(sandbox):
    """All boards that a game counts for must allow it."""
    connection = await sandbox.connect()
    await connection.execute(PRIVATE_BOARD)
    await connection.close()
    async with closed(sandbox) as there:

        async def send(mode: str) -> str:
            body = {"user_id": there.player, "score": 5, "game_mode": mode}
            answer = await there.ask("own", "POST", "/api/leaderboard/submit", json=body)
            return answer.json().get("code", "stored")

        assert [await send("club"), await send("ranked")] == ["client-submissions-off"] * 2
        change = {"client_submissions": True}
        assert (await there.ask("admin", "PATCH", "/api/boards/global", json=change)).json()[
            "client_submissions"
        ] is True
        assert [await send("club"), await send("ranked")] == ["stored"] * 2
        await there.ask("admin", "PATCH", "/api/boards/club", json={"client_submissions": False})
        assert [await send("club"), await send("ranked")] == ["client-submissions-off", "stored"]
        game = {"user_id": there.player, "score": 5, "game_mode": "club"}
        body = {"submissions": [game, {**game, "game_mode": "ranked"}]}
        answer = await there.ask("own", "POST", "/api/leaderboard/submit/batch", json=body)
        first, second = answer.json()["results"]
        assert first["problem"]["code"] == "client-submissions-off"
        assert second["status"] == "accepted"


async def test_a_player_can_not_take_a_servers_idempotency_key(there):
    body = {"user_id": there.player, "score": 5}
    url = "/api/leaderboard/submit"
    answers = []
    for who, score in (("own", 5), ("own", 5), ("submit", 7), ("submit", 7), ("own", 9)):
        headers = {**bearer(there.credentials[who]), "Idempotency-Key": "match-1"}
        answer = await there.client.post(url, json={**body, "score": score}, headers=headers)
        answers.append(answer.json().get("code") or answer.json()["replayed"])
    assert answers == [False, True, False, True, "idempotency-mismatch"]


async def test_a_players_own_name(there):
    mine, others = f"/api/users/{there.player}", f"/api/users/{there.other}"
    answer = await there.ask("own", "PATCH", mine, json={"username": "Renamed"})
    assert (answer.status_code, answer.json()["username"]) == (200, "Renamed")
    for path, body in ((mine, {"is_active": False}), (others, {"username": "Mine"})):
        assert refusal(await there.ask("own", "PATCH", path, json=body)) == "forbidden"
    await there.ask("admin", "PATCH", mine, json={"is_active": False})
    check_unauthenticated(await there.ask("own", "PATCH", mine, json={"username": "Again"}))
    answer = await there.ask("admin", "POST", "/api/auth/player-token", json={"user_id": 1})
    assert answer.json()["code"] == "player-inactive"
    assert (await there.ask("admin", "PATCH", mine, json={"is_active": True})).status_code == 200
    check_unauthenticated(await there.ask("own", "GET", "/api/auth"))
    there.credentials["own"] = there.worker.service.access.tokens.issue(there.player).text


async def test_games_of_private_boards_are_not_shown(sandbox):
    """Where every board that they count for is private."""
    connection = await sandbox.connect()
    await connection.execute(PRIVATE_BOARD)
    await connection.close()
    async with closed(sandbox) as there:
        for mode in ("club", "ranked"):
            body = {"user_id": there.player, "score": 1, "game_mode": mode}
            await there.ask("submit", "POST", "/api/leaderboard/submit", json=body)

        async def modes(who: str) -> list[str]:
            answer = await there.ask(who, "GET", f"/api/users/{there.player}/sessions")
            return sorted(each["game_mode"] for each in answer.json()["sessions"])

        assert await modes("nothing") == ["club", "ranked"], "both count for the public board"
        await there.ask("admin", "PATCH", "/api/boards/global", json={"is_private": True})
        assert (await modes("nothing"), await modes("submit")) == ([], [])
        await there.ask("admin", "PATCH", "/api/boards/club", json={"is_private": False})
        assert await modes("nothing") == ["club"]
        assert await modes("own") == await modes("read") == ["club", "ranked"]


async def test_a_remembered_token_ends_in_time(there):
    """Good once does not make it good for longer."""
    token = forged(exp=int(time.time()) + 1)
    url = "/api/auth"
    assert (await there.client.get(url, headers=bearer(token))).status_code == 200
    assert (await there.client.get(url, headers=bearer(token))).json()["caller"]["user_id"] == 1
    await asyncio.sleep(1.1)
    check_unauthenticated(await there.client.get(url, headers=bearer(token)))


async def test_who_am_i(there):
    expected = {
        "nothing": ("anonymous", [], None),
        "read": ("key", ["read"], None),
        "admin": ("key", ["admin", "read", "submit"], None),
        "own": ("player", [], 1),
    }
    for who, (kind, scopes, user_id) in expected.items():
        answer = (await there.ask(who, "GET", "/api/auth")).json()
        assert (answer["mode"], answer["guest_sign_in"]) == ("closed", True)
        prefix = str(there.credentials[who]).split("_")[1] if kind == "key" else None
        assert answer["caller"] == {
            "kind": kind, "scopes": scopes, "key_prefix": prefix, "user_id": user_id,
        }  # fmt: skip


# Open mode


@each_operation
async def test_open_mode_answers_this_machine_alone(opened, method, path):
    url = url_of(path)
    for headers in ({}, bearer("rubbish"), {"Host": "127.0.0.1:9"}, {"Host": "[::1]"}):
        answer = await opened.client.request(
            method, url, headers=headers, **options_of(method, path)
        )
        assert answer.status_code < 500
        assert refusal(answer) is None, answer.text
    for host in ("evil.example", "evil.example:8000", "localhost.evil.example", "10.0.0.1", ""):
        answer = await opened.client.request(
            method, url, headers={"Host": host}, **options_of(method, path)
        )
        assert (answer.status_code, refusal(answer)) == (421, "misdirected"), host
    transport = httpx.ASGITransport(opened.client._transport.app, client=("192.0.2.7", 5))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as elsewhere:
        answer = await elsewhere.request(method, url, **options_of(method, path))
        assert (answer.status_code, refusal(answer)) == (421, "misdirected")


@pytest.fixture(scope="module")
async def opened(servers, template) -> AsyncIterator:
    name = f"open{os.getpid()}"
    admin = await asyncpg.connect(servers.postgres_dsn)
    await admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    box = Sandbox(servers, name)
    async with box.worker(guest_sign_in=True) as worker:
        await worker.add_players(1)
        yield worker
    box.forget_index()
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()


async def test_open_mode_says_so(opened):
    answer = (await opened.client.get("/api/auth")).json()
    assert (answer["mode"], answer["caller"]["kind"]) == ("open", "open")
    assert (await opened.client.get("/api/leaderboard/health")).json()["auth"] == "open"


async def test_a_closed_service_needs_a_secret(sandbox):
    for changes in ({"auth_secret": None}, {"auth_secret": "short"}):
        with pytest.raises(Exception, match="AUTH_SECRET"):
            async with sandbox.worker(**{**CLOSED, **changes}):
                pass
