"""An Idempotency-Key belongs to the API key that it came with, the key's rotations included."""

import asyncio

import pytest

from app.services.submissions import Submission
from tests.access_helpers import bearer, closed

SUBMIT = "/api/leaderboard/submit"
SCORES = "SELECT array_agg(score ORDER BY id) FROM game_sessions"


@pytest.fixture
async def connection(sandbox):
    opened = await sandbox.connect()
    yield opened
    await opened.close()


async def send(there, credential: str, key: str, score: int) -> object:
    """Whether the score was a repeat; the code of a refusal."""
    answer = await there.client.post(
        SUBMIT,
        json={"user_id": there.player, "score": score},
        headers={**bearer(credential), "Idempotency-Key": key},
    )
    return answer.json().get("code") or answer.json()["replayed"]


async def test_a_server_burns_no_other_servers_keys(sandbox, connection):
    async with closed(sandbox) as there:
        bad, good = [await there.key("submit") for _ in range(2)]
        found = [
            await send(there, bad, "match-1", 1),
            await send(there, good, "match-1", 7),
            await send(there, good, "match-1", 7),
            await send(there, bad, "match-1", 1),
            await send(there, good, "match-1", 8),
        ]
        assert found == [False, False, True, True, "idempotency-mismatch"]
        assert await connection.fetchval(SCORES) == [1, 7]


async def test_a_rotation_keeps_the_keys(sandbox, connection):
    """Also those that are stored beside another server's."""
    async with closed(sandbox) as there:
        other, first = [await there.key("submit") for _ in range(2)]
        keys = there.worker.service.keys
        for key, score in (("alone", 3), ("shared", 4)):
            await send(there, other, "shared", 1)
            assert await send(there, first, key, score) is False
        info = await keys.find(first.split("_")[1])
        second = await keys.rotate(info.id, "test", overlap=600)
        third = await keys.rotate(second.info.id, "test", overlap=600)
        await there.worker.service.access.refresh()
        for key, score in (("alone", 3), ("shared", 4)):
            assert await send(there, third.text, key, score) is True
            assert await send(there, first, key, score) is True
        assert await connection.fetchval(SCORES) == [1, 3, 4]


async def test_keys_of_the_version_before_are_found(sandbox, connection):
    """They have no lineage, and count for every server until they are forgotten."""
    async with closed(sandbox) as there:
        server = await there.key("submit")
        assert await send(there, server, "before", 5) is False
        await connection.execute("UPDATE submission_keys SET lineage = NULL")
        assert await send(there, server, "before", 5) is True
        other = await there.key("submit")
        assert await send(there, other, "before", 5) is True
        assert await connection.fetchval(SCORES) == [5]


async def test_the_version_before_finds_what_this_one_stores(sandbox, connection):
    """It looks for the plain hash: a retry that it gets in a rolling upgrade counts once."""
    async with closed(sandbox) as there:
        assert await send(there, await there.key("submit"), "rolling", 5) is False
        plain = Submission(0, 0, "any", key="rolling").key_hash
        found = "SELECT count(*) FROM submission_keys WHERE key_hash = $1"
        assert await connection.fetchval(found, plain) == 1


async def test_many_servers_at_once_with_one_key(sandbox, connection):
    """In one batch, and in several: each counts once, however often it is sent."""
    async with closed(sandbox) as there:
        servers = [await there.key("submit") for _ in range(4)]
        for _ in range(2):
            await asyncio.gather(
                *(
                    send(there, server, "match", score)
                    for score, server in enumerate(servers, 1)
                    for _ in range(5)
                )
            )
        assert sorted(await connection.fetchval(SCORES)) == [1, 2, 3, 4]


async def test_a_key_beside_anothers_is_remembered_as_long(sandbox, connection):
    """The first one's row is not forgotten before the second one's: it shows where to look."""
    async with closed(sandbox) as there:
        first, second = [await there.key("submit") for _ in range(2)]
        await send(there, first, "match", 1)
        await connection.execute("UPDATE submission_keys SET created_at = now() - interval '47 h'")
        await send(there, second, "match", 2)
        await connection.execute(
            "DELETE FROM submission_keys WHERE created_at < now() - interval '1 h'"
        )
        assert await send(there, second, "match", 2) is True
        assert await send(there, first, "match", 1) is True
        assert await connection.fetchval(SCORES) == [1, 2]
