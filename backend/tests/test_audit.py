"""The audit log: every administrative act is in it, and nothing can be taken out unnoticed."""

import asyncio
import json
from dataclasses import replace

import asyncpg
import pytest

from app.core.database import create_engine
from app.services.access.audit import GENESIS, seal_newest, to_entry
from app.services.access.audit_check import Mark, check_audit
from app.services.access.callers import Scope
from app.services.access.key_admin import KeyAdmin
from app.services.access.made_tokens import MadeTokens
from app.services.access.sealing import UNSEALED, Sealer
from app.services.verify import verify
from tests.access_helpers import CLOSED, SECRET, bearer, closed

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
        guest = there.worker.service.access.tokens.issue(there.player).text
        mine = await there.client.patch(player, json={"username": "Mine"}, headers=bearer(guest))
        assert mine.status_code == 200
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
        assert entries[0]["actor"] == f"player:{there.player}"
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
    assert (await check_audit(engine, print)).faults == 0


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
    assert (await check_audit(engine, print)).faults == 0


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
    assert (await check_audit(engine, print)).faults == 0
    statement, expected = TAMPERINGS[name]
    for table in ("audit_log", "audit_head"):
        await connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    await connection.execute(statement)
    found: list[str] = []
    assert (await check_audit(engine, found.append)).faults == len(expected)
    assert found == [f"audit: {each}" for each in expected]


async def test_a_row_made_anew_with_its_own_seal_is_found(sandbox, engine, connection):
    """By one who knows how rows are sealed: the next row still has the old seal."""
    keys = KeyAdmin(engine)
    for number in range(4):
        await keys.create(f"key {number}", {Scope.READ}, "test")
    await connection.execute("ALTER TABLE audit_log DISABLE TRIGGER USER")
    await connection.execute("UPDATE audit_log SET actor = 'os:me' WHERE id = 2")
    row = to_entry(await connection.fetchrow("SELECT * FROM audit_log WHERE id = 2"))
    await connection.execute("UPDATE audit_log SET hash = $1 WHERE id = 2", row.digest())
    found: list[str] = []
    assert (await check_audit(engine, found.append)).faults == 1
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


NEW_SECRET = SECRET[::-1]
CHAIN = "UPDATE audit_log SET hash = $2, prev_hash = $3 WHERE id = $1"


async def faults(engine, sealer=UNSEALED, marks=()) -> list[str]:
    found: list[str] = []
    state = await check_audit(engine, found.append, sealer, marks)
    assert state.faults == len(found)
    return [each.removeprefix("audit: ") for each in found]


async def forge(connection, change: str, seal: str = "seal") -> None:
    """Changes rows and makes the whole chain anew: by one who may do everything to the tables and
    knows how rows are chained, but has no secret."""
    for table in ("audit_log", "audit_head"):
        await connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    await connection.execute(change)
    await connection.execute(f"UPDATE audit_log SET seal = {seal}")
    before = GENESIS
    for row in await connection.fetch("SELECT * FROM audit_log ORDER BY id"):
        entry = replace(to_entry(row), prev_hash=before)
        before = entry.digest()
        await connection.execute(CHAIN, entry.id, before, entry.prev_hash)
    await connection.execute(
        "UPDATE audit_head SET hash = $1, last_id = (SELECT max(id) FROM audit_log)", before
    )


async def log_of(engine, sealer: Sealer, rows: int) -> None:
    keys = KeyAdmin(engine, sealer)
    for number in range(rows):
        await keys.create(f"key {number}", {Scope.READ}, "test")


async def test_without_the_secret_no_chain_can_be_made_that_passes(sandbox, engine, connection):
    sealer = Sealer([SECRET])
    await log_of(engine, sealer, 4)
    assert await faults(engine, sealer) == []
    change = "UPDATE audit_log SET actor = 'os:me' WHERE id = 2"
    await forge(connection, change)
    assert await faults(engine) == [], "the chain alone looks whole"
    assert await faults(engine, sealer) == [
        "row 2 has a false seal", "row 3 has a false seal", "row 4 has a false seal",
        "rows 2 to 4 were not sealed with this AUTH_SECRET",
    ]  # fmt: skip
    for seal in ("NULL", "''"):
        await forge(connection, change, seal)
        assert await faults(engine, sealer) == ["rows 1 to 4 were not sealed with this AUTH_SECRET"]


async def test_rows_past_the_last_seal_are_found(sandbox, engine, connection):
    sealer = Sealer([SECRET])
    await log_of(engine, sealer, 2)
    await log_of(engine, UNSEALED, 2)
    assert await faults(engine, sealer) == ["rows 3 to 4 were not sealed with this AUTH_SECRET"]
    await seal_newest(engine, sealer)
    assert await faults(engine, sealer) == []
    await seal_newest(engine, sealer)
    assert await connection.fetchval("SELECT count(*) FROM audit_log") == 5, "sealed once"


async def test_old_rows_stay_good_when_the_secret_is_rotated(sandbox, engine, connection):
    """Those of the version before, without a seal, too. What is altered in them is still found."""
    await log_of(engine, UNSEALED, 2)
    await log_of(engine, Sealer([SECRET]), 2)
    rotated = Sealer([NEW_SECRET, SECRET])
    assert await faults(engine, rotated) == []
    await seal_newest(engine, rotated)
    assert await faults(engine, Sealer([NEW_SECRET])) == []
    assert await faults(engine, Sealer([SECRET])) == ["row 5 was not sealed with this AUTH_SECRET"]
    await forge(connection, "UPDATE audit_log SET reason = 'x' WHERE id = 1")
    assert await faults(engine, Sealer([NEW_SECRET])) == [
        "row 5 has a false seal", "rows 1 to 5 were not sealed with this AUTH_SECRET",
    ]  # fmt: skip


async def test_a_log_that_was_set_back_is_found_by_what_was_noted(sandbox, engine, connection):
    """Rows dropped at the end, with the head set back: every seal that is left is good."""
    sealer = Sealer([SECRET])
    await log_of(engine, sealer, 4)
    newest = (await check_audit(engine, print, sealer)).newest
    assert str(newest) == f"4:{newest.digest.hex()}"
    assert Mark.parse(str(newest)) == newest
    assert await faults(engine, sealer, [newest]) == []
    await log_of(engine, sealer, 1)
    assert await faults(engine, sealer, [newest]) == [], "it goes on from there"
    await forge(connection, "DELETE FROM audit_log WHERE id > 3")
    assert await faults(engine, sealer) == [], "nothing else can know"
    assert await faults(engine, sealer, [newest]) == ["row 4, which was noted, is not there"]
    await log_of(engine, sealer, 1)
    assert await faults(engine, sealer, [newest]) == [
        "row 4 is not the one that was noted: its hash is another"
    ]


@pytest.mark.parametrize(
    "text",
    ["", "4", ":", "4:", "4:zz", "x:" + "0" * 64, "-1:" + "0" * 64, "4:" + "0" * 63,
     "\u0664:" + "0" * 64, "9" * 40 + ":" + "0" * 64],
)  # fmt: skip
def test_what_is_no_mark(text):
    with pytest.raises(ValueError, match="NUMBER:HASH"):
        Mark.parse(text)


async def test_a_closed_service_seals_all_that_it_writes(sandbox, engine, connection):
    """And what it finds unsealed, when it starts."""
    await log_of(engine, UNSEALED, 2)
    async with closed(sandbox) as there:
        player = f"/api/users/{there.player}"
        await there.worker.service.made_tokens.write()
        before = await connection.fetchval("SELECT max(id) FROM audit_log")
        for method, path, body in (
            ("POST", "/api/keys", {"name": "new", "scopes": ["read"]}),
            ("PATCH", player, {"username": "Renamed"}),
            ("PATCH", "/api/boards/global", {"name": "All"}),
        ):
            await there.ask("admin", method, path, json=body)
        await there.ask("submit", "POST", "/api/auth/player-token", json={"user_id": 1})
    rows = await connection.fetch("SELECT id, action, seal FROM audit_log ORDER BY id")
    assert [row["id"] for row in rows if row["seal"] is None] == [1, 2]
    assert rows[2]["action"] == "audit.seal"
    acts = {row["action"] for row in rows if row["id"] > before}
    assert acts == {"key.create", "player.change", "board.change", "token.make"}
    found: list[str] = []
    assert await verify(sandbox.make_settings(**CLOSED), found.append) == 0, found


async def test_tokens_are_counted_and_written_by_their_maker(sandbox, connection):
    """One entry for many, also when the database is away meanwhile; the rest as a worker stops."""
    tokens = "SELECT actor, detail FROM audit_log WHERE action = 'token.make' ORDER BY id"
    async with closed(sandbox) as there:
        for user_id in (there.player, there.other, there.player):
            await there.ask("submit", "POST", "/api/auth/player-token", json={"user_id": user_id})
        await there.ask("admin", "POST", "/api/auth/player-token", json={"user_id": there.other})
        made = there.worker.service.made_tokens
        away = create_engine(
            sandbox.make_settings(database_url="postgresql+asyncpg://x@127.0.0.1:1/x")
        )
        made._engine, well = away, made._engine
        await made.write()
        made._engine = well
        await away.dispose()
        assert await connection.fetch(tokens) == []
        await made.write()
        await made.write()
        submit, admin = (str(there.credentials[who]).split("_")[1] for who in ("submit", "admin"))
        rows = await connection.fetch(tokens)
        assert {row["actor"]: json.loads(row["detail"]) for row in rows} == {
            f"key:{submit}": {"count": 3, "players": [there.player, there.other]},
            f"key:{admin}": {"count": 1, "players": [there.other]},
        }
        await there.ask("submit", "POST", "/api/auth/player-token", json={"user_id": 1})
    assert len(await connection.fetch(tokens)) == 3


async def test_an_entry_names_so_many_players_and_counts_all(sandbox, engine, connection):
    made = MadeTokens(engine, UNSEALED)
    for user_id in range(1, 2_001):
        made.note("key:bcdfghjk", user_id)
    await made.write()
    detail = json.loads(await connection.fetchval("SELECT detail FROM audit_log"))
    assert (detail["count"], len(detail["players"])) == (2_000, 1_000)
