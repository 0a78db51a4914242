"""Every limit on a closed worker: who is counted for what, and what they are told."""

import asyncio
import re
from collections import Counter
from contextlib import AsyncExitStack

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from app.api.hot_route import HotApp
from app.core.database import create_engine
from app.main import create_app
from app.services.access.callers import Scope
from app.services.access.key_admin import KeyAdmin
from app.websocket.frames import Close
from tests.access_helpers import CLOSED, PRIVATE_BOARD, Closed, bearer, closed, forged
from tests.conftest import serve

TOP = "/api/leaderboard/top"
SUBMIT = "/api/leaderboard/submit"
FEW = (
    CLOSED
    | {
        f"limit_{who}_{kind}": 8
        for who in ("key", "player", "address")
        for kind in ("reads", "submits", "sockets")
    }
    | {"limit_address_sign_ins": 8, "rate_limits": True}
)
"""Eight a minute: two at once."""


class Limited:
    """A worker with few of everything, and another one's credentials, which it knows too."""

    def __init__(self, there: Closed, client: httpx.AsyncClient) -> None:
        self.there = there
        self.client = client

    async def ask(self, who: str, method: str, path: str, **options) -> httpx.Response:
        headers = bearer(self.there.credentials[who])
        return await self.client.request(method, path, headers=headers, **options)


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """Refusals come without the pause that an address has to wait for them."""
    monkeypatch.setattr("app.services.limits.limits.HOLD_SECONDS", 0.0)


@pytest.fixture
async def there(sandbox):
    async with closed(sandbox) as there, sandbox.worker(**FEW) as worker:
        yield Limited(there, worker.client)


def score(player: int, count: int = 1) -> dict:
    one = {"user_id": player, "score": 1}
    return one if count == 1 else {"submissions": [one] * count}


def is_refusal(answer, policy: str) -> bool:
    assert answer.headers["ratelimit-policy"] == f'"{policy}";q=8;w=60'
    found = re.fullmatch(rf'"{policy}";r=(\d+);t=(\d+)', answer.headers["ratelimit"])
    assert int(found[1]) <= 2
    assert 0 <= int(found[2]) <= 60
    assert answer.headers["x-content-type-options"] == "nosniff"
    if answer.status_code != 429:
        assert "retry-after" not in answer.headers
        return False
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "rate-limited"
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    return True


@pytest.mark.parametrize(
    ("who", "policy"), [("nothing", "address"), ("read", "key"), ("own", "player")]
)
@pytest.mark.parametrize("path", [TOP, "/api/boards"])
async def test_reads(there, who, policy, path):
    """Of hot and plain routes alike, and each caller apart."""
    answers = [await there.ask(who, "GET", path) for _ in range(4)]
    refused = [is_refusal(each, f"{policy}-reads") for each in answers]
    assert refused == [False, False, True, True]
    others = {"nothing", "read", "own", "other", "submit"} - {who}
    for other in others:
        assert (await there.ask(other, "GET", path)).status_code == 200


@pytest.mark.parametrize(("who", "policy"), [("submit", "key"), ("own", "player")])
async def test_submits(there, who, policy):
    player = there.there.player
    answers = [await there.ask(who, "POST", SUBMIT, json=score(player)) for _ in range(3)]
    assert [is_refusal(each, f"{policy}-submits") for each in answers] == [False, False, True]
    assert (await there.ask(who, "GET", TOP)).status_code == 200


async def test_a_batch_counts_its_scores_and_stores_none_beyond(there):
    player = there.there.player
    answer = await there.ask("submit", "POST", f"{SUBMIT}/batch", json=score(player, 3))
    assert is_refusal(answer, "key-submits")
    rank = await there.ask("read", "GET", f"/api/leaderboard/rank/{player}")
    assert rank.json()["code"] == "not-ranked"
    other = score(there.there.other, 2)
    # The call that was refused had been counted as one.
    answer = await there.ask("submit", "POST", f"{SUBMIT}/batch", json=other)
    assert is_refusal(answer, "key-submits")


async def test_wrong_credentials(there):
    """Beyond the limit all of them are answered alike; who has a good one is not kept out."""
    wrong = [bearer(each) for each in ("lb_abcdefgh_wrong", "a.b.c", "nonsense")]
    answers = [await there.client.get(TOP, headers=wrong[at % 3]) for at in range(6)]
    assert [each.status_code for each in answers] == [401, 401, 429, 429, 429, 429]
    assert is_refusal(answers[2], "address-sign-ins")
    plain = await there.client.get("/api/boards", headers=wrong[0])
    assert plain.status_code == 429
    assert (await there.ask("read", "GET", TOP)).status_code == 200
    assert (await there.ask("nothing", "GET", TOP)).status_code == 200


async def test_a_token_that_is_over_is_no_attempt(there):
    """Of all players behind one address the tokens end overnight; keys that are over count."""
    told = set()
    for _ in range(6):
        answer = await there.ask("expired token", "GET", TOP)
        told.add((answer.status_code, answer.json()["detail"], answer.headers["ratelimit-policy"]))
    assert len(told) == 1, told
    forgery = forged("another secret of thirty-two bytes", sub=str(there.there.player), exp=1)
    answers = [await there.client.get(TOP, headers=bearer(forgery)) for _ in range(2)]
    assert [each.status_code for each in answers] == [401, 401]
    assert told == {(401, answers[0].json()["detail"], '"address-light";q=1800;w=60')}
    for who in ("expired", "revoked"):
        assert (await there.ask(who, "GET", TOP)).status_code == 429
    assert (await there.ask("expired token", "GET", TOP)).status_code == 401


async def test_guests(there):
    answers = [
        await there.client.post("/api/auth/guest", json={"username": f"guest-{number}"})
        for number in range(3)
    ]
    assert [is_refusal(each, "address-sign-ins") for each in answers] == [False, False, True]


async def test_health_costs_no_reads(there):
    for _ in range(5):
        answer = await there.client.get("/api/leaderboard/health")
        assert answer.status_code == 200
        assert answer.headers["ratelimit-policy"] == '"address-light";q=1800;w=60'
    assert answer.json()["limits"] == {"status": "ok", "detail": None, "latency_ms": None}


async def test_nothing_is_counted_in_open_mode(sandbox):
    async with sandbox.worker(rate_limits=None) as worker:
        for _ in range(5):
            answer = await worker.client.get(TOP)
            assert answer.status_code == 200
            assert "ratelimit" not in answer.headers
        health = (await worker.client.get("/api/leaderboard/health")).json()
        assert health["limits"]["detail"] == "off"


async def outcome(address: str, path: str = "/ws/leaderboard", **options) -> int | None:
    """The close code of a socket; None if it is served."""
    async with connect(f"ws://{address}{path}", compression=None, **options) as socket:
        try:
            await asyncio.wait_for(socket.recv(), 5)
        except ConnectionClosed:
            return socket.close_code
        return None


async def test_sockets_are_counted_as_they_open(sandbox):
    async with serve(create_app(sandbox.make_settings(**FEW))) as address:
        codes = [await outcome(address) for _ in range(4)]
        assert codes == [None, None, Close.TRY_AGAIN, Close.TRY_AGAIN]
        wrong = {"additional_headers": bearer("lb_abcdefgh_wrong")}
        over = {"additional_headers": bearer(forged(iat=1, exp=2))}
        codes = [await outcome(address, **over) for _ in range(4)]
        assert codes == [Close.UNAUTHENTICATED] * 4
        codes = [await outcome(address, **wrong) for _ in range(4)]
        assert codes == [Close.UNAUTHENTICATED] * 2 + [Close.TRY_AGAIN] * 2


async def test_a_flood_of_sockets_is_refused_before_it_becomes_one(sandbox):
    """The first ones in a second are told by a close code, which a browser can read."""
    async with serve(create_app(sandbox.make_settings(**FEW))) as address:

        async def attempt() -> int | None:
            try:
                return await outcome(address)
            except InvalidStatus as error:
                assert error.response.headers["retry-after"]
                return error.response.status_code

        codes: Counter[int | None] = Counter()
        for _ in range(5):
            codes.update(await asyncio.gather(*(attempt() for _ in range(40))))
        assert codes[None] == 2
        assert codes[Close.TRY_AGAIN] >= 5
        assert codes[429] >= 40
        assert codes.total() == 200


async def test_an_address_holds_so_many_sockets_and_no_more(sandbox):
    settings = sandbox.make_settings(
        **{**FEW, "limit_address_sockets": 600}, live_max_clients_per_address=3
    )
    async with serve(create_app(settings)) as address, AsyncExitStack() as stack:
        url = f"ws://{address}/ws/leaderboard"
        held = [await stack.enter_async_context(connect(url, compression=None)) for _ in range(3)]
        for socket in held:
            await socket.recv()
        assert await outcome(address) == Close.TRY_AGAIN
        await held[0].close()
        async with asyncio.timeout(5):
            while await outcome(address) is not None:
                await asyncio.sleep(0.05)


async def test_a_key_holds_so_many_sockets_and_no_more(sandbox):
    """Its rotations count with it, other keys apart, and what leaves makes room."""
    settings = sandbox.make_settings(
        **{**FEW, "limit_key_sockets": 6_000}, live_max_clients_per_key=3
    )
    engine = create_engine(settings)
    keys = KeyAdmin(engine)
    key, other = [await keys.create(name, {Scope.READ}, "test") for name in ("one", "other")]
    rotated = await keys.rotate(key.info.id, "test", overlap=600)
    await engine.dispose()
    async with serve(create_app(settings)) as address, AsyncExitStack() as stack:

        async def hold(made) -> ClientConnection:
            socket = await stack.enter_async_context(
                connect(
                    f"ws://{address}/ws/leaderboard",
                    compression=None,
                    additional_headers=bearer(made.text),
                )
            )
            await socket.recv()
            return socket

        held = [await hold(each) for each in (key, rotated, key)]
        for each in (key, rotated):
            refused = await outcome(address, additional_headers=bearer(each.text))
            assert refused == Close.TRY_AGAIN
        assert await outcome(address, additional_headers=bearer(other.text)) is None
        await held[1].close()
        async with asyncio.timeout(5):
            while await outcome(address, additional_headers=bearer(key.text)) is not None:
                await asyncio.sleep(0.05)


async def test_sockets_of_private_boards_count_what_is_said(sandbox):
    connection = await sandbox.connect()
    await connection.execute(PRIVATE_BOARD)
    await connection.close()
    settings = {**FEW, "limit_address_sockets": 600}
    async with serve(create_app(sandbox.make_settings(**settings))) as address:
        codes = []
        for _ in range(3):
            url = f"ws://{address}/ws/leaderboard?board=club"
            async with connect(url, compression=None) as socket:
                await socket.send('{"type": "auth", "token": "a.b.c"}')
                with pytest.raises(ConnectionClosed):
                    await asyncio.wait_for(socket.recv(), 5)
                codes.append(socket.close_code)
        assert codes == [Close.UNAUTHENTICATED, Close.UNAUTHENTICATED, Close.TRY_AGAIN]


async def test_health_says_when_each_worker_counts_alone(sandbox):
    settings = {**FEW, "redis_timeout": 0.2}
    with sandbox.redis() as client:
        async with sandbox.worker(**settings) as worker:
            client.config_set("min-replicas-to-write", 1)
            try:
                statuses = [(await worker.client.get(TOP)).status_code for _ in range(4)]
                # Half of two at once.
                assert statuses == [200, 429, 429, 429]
                health = (await worker.client.get("/api/leaderboard/health")).json()
                assert health["limits"]["status"] == health["status"] == "degraded"
            finally:
                client.config_set("min-replicas-to-write", 0)
            async with asyncio.timeout(5):
                while health["limits"]["status"] != "ok":
                    health = (await worker.client.get("/api/leaderboard/health")).json()
                    await asyncio.sleep(0.1)


async def test_a_caller_over_its_limit_is_refused_from_the_head_alone(sandbox, monkeypatch):
    """Only for what it is over its limit with; whoever may be served is served."""
    seen: list[str] = []
    real = HotApp.__call__

    async def noted(self, scope, receive, send):
        seen.append(scope.get("path", ""))
        await real(self, scope, receive, send)

    monkeypatch.setattr(HotApp, "__call__", noted)
    changes = {"limit_address_light": 6, "limit_burst_seconds": 60.0, "rate_limits": True}
    async with (
        closed(sandbox) as there,
        sandbox.serve(**CLOSED | changes) as address,
        httpx.AsyncClient(base_url=f"http://{address}") as client,
    ):
        await asyncio.gather(*(client.get("/api/unknown") for _ in range(8)))
        seen.clear()
        refused, head, submit = await asyncio.gather(
            client.get("/api/unknown?q=1"),
            client.head("/api/live"),
            client.post(SUBMIT),  # without a credential it counts as light too
        )
        assert [each.status_code for each in (refused, head, submit)] == [429] * 3
        assert (seen, head.content) == ([], b"")
        assert refused.json()["code"] == submit.json()["code"] == "rate-limited"
        assert int(refused.headers["retry-after"]) > 0
        assert "address-light" in refused.headers["ratelimit"]
        for path in ("/api/leaderboard/top", "/api/leaderboard/top/", "/api/boards"):
            assert (await client.get(path)).status_code == 200, path
        key = bearer(there.credentials["submit"])
        assert (await client.get("/api/unknown", headers=key)).status_code == 429
        score = {"user_id": there.player, "score": 5}
        assert (await client.post(SUBMIT, headers=key, json=score)).status_code == 200
