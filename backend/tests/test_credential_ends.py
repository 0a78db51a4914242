"""When credentials end before their time, and what is told then: everywhere within a second."""

import asyncio
import time
from contextlib import AsyncExitStack

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from app.core.database import create_engine
from app.services.access.access import Access
from app.services.access.callers import Scope
from app.services.access.key_admin import KeyAdmin
from app.services.boards import Boards
from tests.access_helpers import CLOSED, PRIVATE_BOARD, bearer, closed

ME = "/api/auth"
TOKEN = "/api/auth/player-token"


async def token_by(there, who: str, user_id: int) -> str:
    answer = await there.ask(who, "POST", TOKEN, json={"user_id": user_id})
    assert answer.status_code == 200, answer.text
    return answer.json()["token"]


async def seconds_until_401(client, credential: str) -> float:
    started = time.monotonic()
    async with asyncio.timeout(5):
        while (await client.get(ME, headers=bearer(credential))).status_code != 401:
            await asyncio.sleep(0.02)
    return time.monotonic() - started


async def test_a_token_does_no_more_than_the_key_that_made_it(sandbox):
    connection = await sandbox.connect()
    await connection.execute(PRIVATE_BOARD)
    await connection.close()
    async with closed(sandbox) as there:
        there.credentials["both"] = await there.key("submit", "read")
        found = {}
        for who in ("submit", "both", "admin"):
            headers = bearer(await token_by(there, who, there.player))
            read = await there.client.get("/api/boards/club", headers=headers)
            renamed = await there.client.patch(
                f"/api/users/{there.player}", json={"username": f"by-{who}"}, headers=headers
            )
            found[who] = (read.status_code == 200, renamed.status_code)
        assert found == {"submit": (False, 403), "both": (True, 403), "admin": (True, 200)}


async def test_tokens_end_with_their_key_and_with_their_player(sandbox):
    """On another worker than the one that is told so."""
    async with closed(sandbox) as one, sandbox.worker(**CLOSED) as two:
        key = await one.key("submit")
        one.credentials["maker"] = key
        by_key, by_other = [await token_by(one, "maker", each) for each in (one.player, one.other)]
        guest = one.credentials["own"]
        await two.service.access.refresh()
        for token in (by_key, by_other, guest):
            assert (await two.client.get(ME, headers=bearer(token))).status_code == 200
        path = f"/api/users/{one.player}"
        await one.ask("admin", "PATCH", path, json={"is_active": False})
        assert (await one.client.get(ME, headers=bearer(guest))).status_code == 401, "at once"
        assert await seconds_until_401(two.client, guest) < 1
        assert await seconds_until_401(two.client, by_key) < 1
        assert (await two.client.get(ME, headers=bearer(by_other))).status_code == 200
        made = await one.worker.service.keys.find(key.split("_")[1])
        await one.ask("admin", "DELETE", f"/api/keys/{made.id}")
        assert (await one.client.get(ME, headers=bearer(by_other))).status_code == 401
        assert await seconds_until_401(two.client, by_other) < 1
        # Coming back revives no token of before.
        await one.ask("admin", "PATCH", path, json={"is_active": True})
        await two.service.access.refresh()
        assert (await two.client.get(ME, headers=bearer(guest))).status_code == 401
        fresh = await token_by(one, "admin", one.player)
        assert (await two.client.get(ME, headers=bearer(fresh))).status_code == 200


async def test_sockets_end_with_the_credential_that_opened_them(sandbox):
    """On public boards too; what was opened with nothing, or by others, stays."""
    async with closed(sandbox) as there, sandbox.serve(**CLOSED) as at:
        key = await there.key("submit")
        there.credentials["maker"] = key
        credentials = {
            "the player": there.credentials["own"],
            "the key": key,
            "a token of the key": await token_by(there, "maker", there.other),
            "another player": there.credentials["other"],
            "nobody": None,
        }
        await asyncio.sleep(0.6)  # until the other worker knows the key
        async with AsyncExitStack() as stack:
            sockets = {}
            for name, credential in credentials.items():
                sockets[name] = await stack.enter_async_context(
                    connect(
                        f"ws://{at}/ws/leaderboard",
                        compression=None,
                        additional_headers=bearer(credential),
                    )
                )
                await sockets[name].recv()

            async def closes(name: str) -> tuple[int, bool]:
                started = time.monotonic()
                with pytest.raises(ConnectionClosed) as ended:
                    await asyncio.wait_for(sockets[name].recv(), 5)
                return ended.value.rcvd.code, time.monotonic() - started < 1

            path = f"/api/users/{there.player}"
            await there.ask("admin", "PATCH", path, json={"is_active": False})
            assert await closes("the player") == (1013, True)
            made = await there.worker.service.keys.find(key.split("_")[1])
            await there.ask("admin", "DELETE", f"/api/keys/{made.id}")
            assert await closes("the key") == (1013, True)
            assert await closes("a token of the key") == (1013, True)
            for name in ("another player", "nobody"):
                await sockets[name].send('{"type": "ping"}')
                assert "pong" in await asyncio.wait_for(sockets[name].recv(), 5)


async def test_keys_end_in_time_while_postgresql_is_away(sandbox):
    """And so do the tokens that they made; those without an end go on."""
    engine = create_engine(sandbox.settings)
    settings = sandbox.make_settings(**CLOSED)
    access = Access(engine, settings, await Boards.load(engine))
    keys = KeyAdmin(engine)
    brief = await keys.create("brief", {Scope.SUBMIT}, "test", expires_in=0.5)
    lasting = await keys.create("lasting", {Scope.SUBMIT}, "test")
    await access.look()
    await engine.dispose()
    access._engine = create_engine(
        settings.model_copy(update={"database_url": "postgresql+asyncpg://x@127.0.0.1:1/x"})
    )

    def header(text: str) -> bytes:
        return f"Bearer {text}".encode()

    maker = access.authenticate(header(brief.text))
    token = access.tokens.issue(1, maker).text
    held = access.authenticate(header(token))
    goes_on = access.authenticate(header(lasting.text))
    assert not access.was_withdrawn(maker)
    await access.refresh()
    await asyncio.sleep(0.55)
    await access.refresh()
    for text in (brief.text, token):
        with pytest.raises(Exception, match="valid key or token"):
            access.authenticate(header(text))
    assert access.was_withdrawn(maker)
    assert access.was_withdrawn(held)
    assert access.authenticate(header(lasting.text)) == goes_on
    await access._engine.dispose()


async def test_who_was_deactivated_is_found_by_an_index(sandbox):
    connection = await sandbox.connect()
    await connection.execute(
        "INSERT INTO player_events (user_id, kind, created_at) "
        "SELECT n, CASE WHEN n % 1000 = 0 THEN 'deactivated' ELSE 'imported' END, "
        "now() - make_interval(mins => n) FROM generate_series(1, 20000) n"
    )
    await connection.execute("ANALYZE player_events")
    from app.services.access.sign_outs import _EVENTS, SignOuts

    plan = await connection.fetch(f"EXPLAIN {_EVENTS.replace('$1', '90000')}")
    assert "idx_player_events_activity" in str(plan)
    sign_outs = SignOuts()
    assert await sign_outs.read(connection)
    assert sign_outs.ended(1_000, 0)
    assert not sign_outs.ended(2_000, 0), "more than a day ago: no token is so old"
    assert not await sign_outs.read(connection), "nothing new"
    await connection.execute("INSERT INTO player_events (user_id, kind) VALUES (7, 'deactivated')")
    assert await sign_outs.read(connection)
    assert sign_outs.ended(7, 2**40)
    await connection.close()
