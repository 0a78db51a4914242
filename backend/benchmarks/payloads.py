"""The requests of each kind, as bytes that are ready to be sent."""

import json
import random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

PREPARED = 40_000
"""Requests made before the clock starts; a connection takes the next one each time."""


def prepare(kind: str, players: int, per_call: int = 1, credential: str = "") -> list[bytes]:
    """Requests of a kind, for random players with ids from 1 to `players`."""
    chosen = random.Random()
    shown = f"Authorization: Bearer {credential}\r\n" if credential else ""
    makers: dict[str, Callable[[], bytes]] = {
        "submit": lambda: _post("/api/leaderboard/submit", _score(chosen.randint(1, players))),
        "batch": lambda: _post(
            "/api/leaderboard/submit/batch",
            {"submissions": [_score(chosen.randint(1, players)) for _ in range(per_call)]},
        ),
        "top": lambda: _get("/api/leaderboard/top"),
        "rank": lambda: _get(f"/api/leaderboard/rank/{chosen.randint(1, players)}"),
        "around": lambda: _get(f"/api/leaderboard/around/{chosen.randint(1, players)}?radius=10"),
        "empty": lambda: _get("/"),
    }
    requests = [makers[kind]() for _ in range(max(40, PREPARED // per_call))]
    line = b"Accept: */*\r\n"
    return [each.replace(line, line + shown.encode(), 1) for each in requests]


def _score(user_id: int) -> dict[str, Any]:
    """All five fields of the public contract."""
    return {
        "user_id": user_id,
        "score": random.randint(1, 1_000),
        "game_mode": "ranked",
        "duration_ms": 93_000,
        "metadata": {"level": 7},
    }


def _get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\n\r\n".encode()


def _post(path: str, body: dict[str, Any]) -> bytes:
    text = json.dumps(body, separators=(",", ":"))
    return (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n{text}"
    ).encode()
