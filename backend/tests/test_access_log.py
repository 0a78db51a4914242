"""A line a request, if wanted: what it was, how long it took, and by whose key."""

import json

from tests.access_helpers import closed
from tests.conftest import Sandbox


async def test_a_line_names_key_and_time(sandbox: Sandbox, capsys) -> None:
    async with closed(sandbox, log_level="info", access_log=True) as there:
        capsys.readouterr()
        asked = []
        for who, path in (
            ("read", "/api/leaderboard/top"),  # a hot route
            ("admin", "/api/keys"),
            ("own", "/api/boards"),
            ("nothing", "/api/boards"),
        ):
            answer = await there.ask(who, "GET", path)
            assert answer.status_code == 200
            credential = there.credentials[who] or ""
            key = credential.split("_")[1] if credential.startswith("lb_") else None
            asked.append((answer.headers["x-request-id"], "GET", path, 200, key))
        lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    lines = [line for line in lines if line["event"] == "request"]
    assert [
        (line["request_id"], line["method"], line["path"], line["status"], line["key"])
        for line in lines
    ] == asked
    assert all(0 < line["ms"] < 60_000 for line in lines)
