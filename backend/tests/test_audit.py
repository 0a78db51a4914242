"""The audit log: every administrative act is in it, and nothing can be taken out unnoticed."""

import asyncio

import asyncpg
import pytest

from app.core.database import create_engine
from app.services.access.audit_check import check_audit
from app.services.access.callers import Scope
from app.services.access.key_admin import KeyAdmin
from app.services.verify import verify
from tests.access_helpers import closed

AUDIT = "/api/audit"


@pytest.fixture
async def connection(sandbox):
    opened = await sandbox.connect()
    yield opened
    await opened.close()


@pytest.fixture
async def engine(sandbox):
    made = create_engine(sandbox.settings)
    yield made
    await made.dispose()


async def test_every_act_is_there(sandbox):
    async with closed(sandbox) as there:
        before = (await there.ask("admin", "GET", AUDIT)).json()["entries"][0]["id"]
        player = f"/api/users/{there.player}"
        for method, path, body in (
            ("POST", "/api/keys", {"name": "new", "scopes": ["read"], "reason": "1"}),
            ("PATCH", player, {"is_active": False, "reason": "2"}),
            ("PATCH", player, {"is_active": False, "reason": "nothing changes"}),
            ("PATCH", player, {"is_active": True}),
            ("PATCH", player, {"username": "Renamed", "reason": "3"}),
            ("PATCH", "/api/boards/global", {"is_private": True, "reason": "4"}),
            ("PATCH", "/api/boards/global", {"is_private": True, "reason": "nothing changes"}),
            ("PATCH", "/api/boards/global", {"name": "All", "client_submissions": True}),
        ):
            answer = await there.ask("admin", method, path, json=body)
            assert answer.status_code < 300, answer.text
        # The names stand beside the log.
        await there.ask("own", "PATCH", player, json={"username": "Mine"})
        entries = (await there.ask("admin", "GET", AUDIT)).json()["entries"]
        acts = [
            (each["action"], each["subject"], each["reason"])
            for each in reversed(entries)
            if each["id"] > before
        ]
        assert [act for act in acts if act[0] != "key.create"] == [
            ("player.change", f"player:{there.player}", "2"),
            ("player.change", f"player:{there.player}", None),
            ("player.change", f"player:{there.player}", "3"),
            ("board.change", "board:global", "4"),
            ("board.change", "board:global", None),
            ("player.change", f"player:{there.player}", None),
        ]
        assert acts[0][0] == "key.create"
        assert set(entries[0]["detail"]) == {"kinds", "username_hashes"}
        details = [each["detail"] for each in entries[1:3]]
        assert details == [
            {"name": ["Global", "All"], "client_submissions": [False, True]},
            {"is_private": [False, True]},
        ]
        ids = [each["id"] for each in entries]
        assert ids == list(range(ids[0], 0, -1)), "without a gap"


async def test_pages(sandbox):
    async with closed(sandbox) as there:
        whole = (await there.ask("admin", "GET", f"{AUDIT}?limit=200")).json()
        assert whole["next_cursor"] is None
        pages, cursor = [], ""
        while cursor is not None:
            page = (await there.ask("admin", "GET", f"{AUDIT}?limit=2{cursor}")).json()
            pages += page["entries"]
            cursor = page["next_cursor"] and f"&cursor={page['next_cursor']}"
        assert pages == whole["entries"]


async def test_acts_at_the_same_time_are_numbered_one_after_the_other(sandbox, engine):
    keys = KeyAdmin(engine)
    await asyncio.gather(
        *(keys.create(f"key {number}", {Scope.READ}, "test") for number in range(30))
    )
    assert await check_audit(engine, print) == 0


async def test_what_fails_leaves_no_act(sandbox, engine, connection):
    async with closed(sandbox) as there:
        count = "SELECT count(*) FROM audit_log"
        before = await connection.fetchval(count)
        await there.ask("admin", "PATCH", "/api/users/999", json={"is_active": False})
        await there.ask("admin", "PATCH", "/api/boards/none", json={"is_private": True})
        taken = {"username": "player-1", "reason": "a name that is taken"}
        answer = await there.ask("admin", "PATCH", f"/api/users/{there.player}", json=taken)
        assert answer.status_code == 409
        assert await connection.fetchval(count) == before
    assert await check_audit(engine, print) == 0


async def test_the_log_is_append_only(sandbox, engine, connection):
    await KeyAdmin(engine).create("key", {Scope.READ}, "test")
    for statement in (
        "UPDATE audit_log SET reason = 'other'",
        "DELETE FROM audit_log",
        "DELETE FROM audit_log WHERE false",
        "TRUNCATE audit_log",
        "DELETE FROM audit_head",
        "TRUNCATE audit_head",
    ):
        with pytest.raises(asyncpg.RestrictViolationError, match="append-only"):
            await connection.execute(statement)
    with pytest.raises(asyncpg.PostgresError):
        await connection.execute("INSERT INTO audit_head (last_id, hash) VALUES (0, '')")


SWAP = """
UPDATE audit_log SET id = CASE id WHEN {0} THEN -{1} ELSE -{0} END WHERE id IN ({0}, {1});
UPDATE audit_log SET id = -id WHERE id < 0
"""
ADD = """
INSERT INTO audit_log
SELECT 7, at, actor, action, subject, detail, reason, prev_hash, hash FROM audit_log WHERE id = 6
"""
TAMPERINGS = {
    "reason": ("UPDATE audit_log SET reason = 'x' WHERE id = 3", ["row 3 was altered"]),
    "actor": ("UPDATE audit_log SET actor = 'os:me' WHERE id = 3", ["row 3 was altered"]),
    "action": ("UPDATE audit_log SET action = 'none' WHERE id = 3", ["row 3 was altered"]),
    "subject": ("UPDATE audit_log SET subject = 'x' WHERE id = 3", ["row 3 was altered"]),
    "time": ("UPDATE audit_log SET at = at + '1 us' WHERE id = 3", ["row 3 was altered"]),
    "detail": ("UPDATE audit_log SET detail = '{}' WHERE id = 3", ["row 3 was altered"]),
    "the first": ("UPDATE audit_log SET reason = 'x' WHERE id = 1", ["row 1 was altered"]),
    "the newest": ("UPDATE audit_log SET reason = 'x' WHERE id = 6", ["row 6 was altered"]),
    "two of them": (
        "UPDATE audit_log SET reason = 'x' WHERE id IN (2, 5)",
        ["row 2 was altered", "row 5 was altered"],
    ),
    "hash": (
        "UPDATE audit_log SET hash = decode(repeat('ab', 32), 'hex') WHERE id = 3",
        ["row 3 was altered", "row 4 does not follow on row 3 as it is now"],
    ),
    "link": (
        "UPDATE audit_log SET prev_hash = decode(repeat('ab', 32), 'hex') WHERE id = 3",
        ["row 3 was altered"],
    ),
    "removed": ("DELETE FROM audit_log WHERE id = 3", ["row 3 was removed"]),
    "some removed": ("DELETE FROM audit_log WHERE id IN (3, 4)", ["rows 3 to 4 were removed"]),
    "first removed": ("DELETE FROM audit_log WHERE id = 1", ["row 1 was removed"]),
    "newest removed": ("DELETE FROM audit_log WHERE id = 6", ["row 6 was removed, the newest"]),
    "newest two removed": (
        "DELETE FROM audit_log WHERE id > 4",
        ["rows 5 to 6 were removed, the newest"],
    ),
    "all removed": ("DELETE FROM audit_log", ["rows 1 to 6 were removed, the newest"]),
    "removed and closed up": (
        "DELETE FROM audit_log WHERE id = 3; UPDATE audit_log SET id = 3 WHERE id = 4",
        ["row 3 was moved: it was number 4", "row 4 was removed"],
    ),
    "swapped": (
        SWAP.format(3, 4),
        ["row 3 was moved: it was number 4", "row 4 was moved: it was number 3",
         "row 5 does not follow on row 4 as it is now"],
    ),
    "newest swapped": (
        SWAP.format(5, 6),
        ["row 5 was moved: it was number 6", "row 6 was moved: it was number 5",
         "row 6 is not the one that the head knows"],
    ),
    "added": (
        ADD,
        ["row 7 was moved: it was number 6", "row 7 was added past the head"],
    ),
    "head set back": (
        "UPDATE audit_head SET last_id = 5",
        ["row 6 was added past the head"],
    ),
    "head's hash": (
        "UPDATE audit_head SET hash = ''",
        ["row 6 is not the one that the head knows"],
    ),
    "head removed": (
        "DELETE FROM audit_head",
        ["the head, which knows the newest row, was removed"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TAMPERINGS)
async def test_whoever_tampers_is_found(sandbox, engine, connection, name):
    """By one who may do everything to the tables, and knows nothing of the hashes."""
    keys = KeyAdmin(engine)
    for number in range(6):
        await keys.create(f"key {number}", {Scope.READ}, "test", reason=f"reason {number}")
    assert await check_audit(engine, print) == 0
    statement, expected = TAMPERINGS[name]
    for table in ("audit_log", "audit_head"):
        await connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    await connection.execute(statement)
    found: list[str] = []
    assert await check_audit(engine, found.append) == len(expected)
    assert found == [f"audit: {each}" for each in expected]


async def test_a_row_made_anew_with_its_own_seal_is_found(sandbox, engine, connection):
    """By one who knows how rows are sealed: the next row still has the old seal."""
    keys = KeyAdmin(engine)
    for number in range(4):
        await keys.create(f"key {number}", {Scope.READ}, "test")
    from app.services.access.audit import to_entry

    await connection.execute("ALTER TABLE audit_log DISABLE TRIGGER USER")
    await connection.execute("UPDATE audit_log SET actor = 'os:me' WHERE id = 2")
    row = to_entry(await connection.fetchrow("SELECT * FROM audit_log WHERE id = 2"))
    await connection.execute("UPDATE audit_log SET hash = $1 WHERE id = 2", row.digest())
    found: list[str] = []
    assert await check_audit(engine, found.append) == 1
    assert found == ["audit: row 3 does not follow on row 2 as it is now"]


async def test_verify_checks_it_with_all_else(sandbox, engine, connection):
    async with sandbox.worker() as worker:
        (ada,) = await worker.add_players(1)
        await worker.submit(ada, 1)
        await worker.client.patch(f"/api/users/{ada}", json={"username": "Renamed"})
        found: list[str] = []
        assert await verify(sandbox.settings, found.append) == 0, found
        await connection.execute("ALTER TABLE audit_log DISABLE TRIGGER USER")
        await connection.execute("DELETE FROM audit_log")
        assert await verify(sandbox.settings, found.append) == 1
        assert found == ["audit: row 1 was removed, the newest"]
