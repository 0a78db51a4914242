"""Who may open a socket: the same table as for routes, pages of other origins, and for how long."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from fastapi.routing import APIWebSocketRoute
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from app.main import ROUTERS, create_app
from app.services.access.callers import Rule, rule_of
from app.websocket import admission
from tests.access_helpers import CLOSED, VALID, Closed, bearer, closed, forged, shared_closed
from tests.conftest import serve

SOCKETS = [
    route for router in ROUTERS for route in router.routes if isinstance(route, APIWebSocketRoute)
]


@pytest.fixture(scope="module")
async def there(servers, template) -> AsyncIterator[Closed]:
    async with shared_closed(servers, template, "sockets") as made:
        yield made


async def opening(address: str, path: str, said: object = None, **options: object) -> int | dict:
    """The first frame, or the code that the socket was closed with."""
    async with connect(f"ws://{address}{path}", compression=None, **options) as socket:
        try:
            if said is not None:
                await socket.send(said if isinstance(said, str | bytes) else json.dumps(said))
            frame = json.loads(await asyncio.wait_for(socket.recv(), 10))
        except ConnectionClosed as error:
            return error.rcvd.code
        assert frame["type"] == "snapshot"
        return {"subprotocol": socket.subprotocol, "entries": frame["entries"]}


@pytest.fixture
async def address(there, monkeypatch) -> AsyncIterator[str]:
    monkeypatch.setattr(admission, "SECONDS_TO_SAY", 0.3)
    settings = there.worker.service.settings
    app = create_app(settings.model_copy(update={"allowed_origins": ("https://play.example",)}))
    async with serve(app) as at:
        yield at


def ways(credential: str) -> list[dict]:
    """The ways to show a credential to a socket."""
    return [
        {"additional_headers": bearer(credential)},
        {"subprotocols": ["leaderboard", f"bearer.{credential}"]},
        {"said": {"type": "auth", "token": credential}},
    ]


def test_sockets_have_rules():
    assert {route.path for route in SOCKETS} == {
        "/ws/leaderboard", "/ws/leaderboard/{user_id}",
    }  # fmt: skip
    assert {rule_of(route.endpoint) for route in SOCKETS} == {Rule.BOARD}


@pytest.mark.parametrize("path", [route.path.replace("{user_id}", "1") for route in SOCKETS])
async def test_sockets(there, address, path):
    """The same table for sockets."""
    assert isinstance(await opening(address, path), dict)
    private = f"{path}?board=club"
    assert await opening(address, private) == 4400, "nothing was said"
    for who in VALID:
        header, offered, said = ways(there.credentials[who])
        for way in (header, offered):
            assert isinstance(await opening(address, path, **way), dict), who
        expected = 4400 if who == "submit" else dict
        for way in (header, offered, said):
            found = await opening(address, private, **way)
            assert found == expected or isinstance(found, expected), (who, way)
    answer = await opening(address, private, **ways(there.credentials["own"])[1])
    assert answer["subprotocol"] == "leaderboard"
    for who in ("expired", "expired token", "revoked"):
        header, offered, said = ways(there.credentials[who])
        for way in (header, offered):
            assert await opening(address, path, **way) == 4401, who
            assert await opening(address, private, **way) == 4401, who
        assert await opening(address, private, **said) == 4401


async def test_what_is_no_sign_in_on_a_private_socket(there, address):
    for said in (
        "", "{", "null", "[]", "5", '"auth"', b"\x00\xff", {"type": "ping"}, {"type": "auth"},
        {"type": "auth", "token": None}, {"type": "auth", "token": 5},
        {"type": "auth", "token": ""}, {"type": "auth", "token": "\u00e9"},
        {"token": there.credentials["own"]}, {"type": "auth", "token": "lb_zzzzzzzz_x"},
        "[" * 900,
    ):  # fmt: skip
        assert await opening(address, "/ws/leaderboard?board=club", said) == 4401, said


async def closing(address: str, board: str, said: object, **options: object) -> tuple[int, str]:
    """The code and the reason that a socket is closed with."""
    url = f"ws://{address}/ws/leaderboard?board={board}"
    async with connect(url, compression=None, **options) as socket:
        try:
            if said is not None:
                await socket.send(json.dumps(said))
            await asyncio.wait_for(socket.recv(), 10)
        except ConnectionClosed as error:
            return error.rcvd.code, error.rcvd.reason
        raise AssertionError("it was served")


async def test_a_private_board_and_one_that_is_not_there_are_answered_alike(there, address):
    """Also in when: both wait for a first message of who has shown nothing."""
    submit = there.credentials["submit"]
    for said, options in (
        (None, {}),
        ({"type": "auth", "token": "wrong"}, {}),
        ({"type": "auth", "token": submit}, {}),
        (None, {"additional_headers": bearer(submit)}),
    ):
        found = []
        for board in ("club", "clup"):
            started = time.monotonic()
            code, reason = await closing(address, board, said, **options)
            waited = time.monotonic() - started > 0.25
            found.append((code, reason.replace("clup", "club"), waited))
        assert found[0] == found[1], said
        assert found[0][2] is (said is None and not options)
    expected = (
        4400,
        "There is no board 'clup', or it is private and needs a credential that reads it.",
    )
    assert await closing(address, "clup", None) == expected


async def test_pages_of_other_origins(there, address):
    for origin in (f"http://{address}", "https://play.example"):
        assert isinstance(await opening(address, "/ws/leaderboard", origin=origin), dict)
    for origin in (
        "https://evil.example", f"http://{address}.evil.example", "null", "", "http://",
        "https://play.example.evil", "http://127.0.0.1", "file://",
    ):  # fmt: skip
        headers = {"Origin": origin}
        assert await opening(address, "/ws/leaderboard", additional_headers=headers) == 4403
        # A good credential makes no page welcome.
        headers |= bearer(there.credentials["admin"])
        assert await opening(address, "/ws/leaderboard", additional_headers=headers) == 4403


async def test_who_watches_a_private_board_must_still_be_allowed_to(sandbox):
    """Also on a socket that is open: within two seconds it is closed, to come back signed in."""
    async with closed(sandbox) as there, sandbox.serve(**CLOSED) as at:
        key = await there.key("read")
        prefix = key.split("_")[1]
        token = forged(sub="1", exp=int(time.time()) + 3)
        sockets = {
            "nothing": {},
            "key": {"additional_headers": bearer(key)},
            "token": {"additional_headers": bearer(token)},
            "admin": {"additional_headers": bearer(there.credentials["admin"])},
        }
        await asyncio.sleep(0.6)
        async with AsyncExitStack() as stack:
            opened = {
                name: await stack.enter_async_context(
                    connect(f"ws://{at}/ws/leaderboard", compression=None, **options)
                )
                for name, options in sockets.items()
            }
            for socket in opened.values():
                await socket.recv()

            async def ended(name: str, seconds: float) -> int:
                with pytest.raises(ConnectionClosed) as closing:
                    await asyncio.wait_for(opened[name].recv(), seconds)
                return closing.value.rcvd.code

            await there.ask("admin", "PATCH", "/api/boards/global", json={"is_private": True})
            assert await ended("nothing", 2) == 1013
            made = await there.worker.service.keys.find(prefix)
            await there.ask("admin", "DELETE", f"/api/keys/{made.id}")
            assert await ended("key", 2) == 1013
            assert await ended("token", 4) == 1013
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(opened["admin"].recv(), 1.2)


async def test_open_sockets_answer_this_machine_alone(sandbox):
    async with sandbox.serve() as at:
        assert isinstance(await opening(at, "/ws/leaderboard"), dict)
        port = at.rpartition(":")[2]
        async with connect(
            f"ws://evil.example:{port}/ws/leaderboard", host="127.0.0.1", compression=None
        ) as socket:
            with pytest.raises(ConnectionClosed) as ended:
                await socket.recv()
        assert ended.value.rcvd.code == 4403
