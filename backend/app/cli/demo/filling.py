"""Filling a board: players first, then a history for those who have none."""

import random
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from http import HTTPStatus
from itertools import islice
from typing import Any

from app.cli.demo.client import Client, expect
from app.cli.demo.crowd import for_each
from app.cli.demo.names import usernames
from app.cli.demo.players import Player, make_player, play

AT_ONCE = 64
BATCH = 1_000
BATCHES_AT_ONCE = 4
MAX_GAMES = 12

Progress = Callable[[int], None]
"""Told how many more are done."""


async def find_ranked(client: Client) -> dict[str, int]:
    """The ids of all who are on the board, by name: a page of a thousand costs one call, and to
    look each of them up a thousand. Raises GaveUpError, RefusedError.
    """
    ids: dict[str, int] = {}
    total = 0

    async def read(offset: int) -> None:
        nonlocal total
        answer = await client.get("/api/leaderboard/top", limit=BATCH, offset=offset)
        expect(answer, HTTPStatus.OK)
        page = answer.json()
        total = page["total_players"]
        ids.update((entry["username"], entry["user_id"]) for entry in page["entries"])

    await read(0)
    await for_each(range(BATCH, total, BATCH), read, at_once=BATCHES_AT_ONCE)
    return ids


async def find_or_make_players(
    client: Client, count: int, ranked: Mapping[str, int], progress: Progress
) -> list[Player]:
    """The first `count` players of the demo, as many of them new as were missing.

    Raises GaveUpError, RefusedError.
    """
    players: list[Player] = []

    async def join(name: str) -> None:
        user_id = ranked.get(name) or await _make_or_find(client, name)
        players.append(make_player(user_id, name))
        progress(1)

    await for_each(islice(usernames(), count), join, at_once=AT_ONCE)
    return players


async def _make_or_find(client: Client, name: str) -> int:
    answer = await client.post("/api/users", {"username": name})
    if answer.status == HTTPStatus.CREATED:
        return int(answer.json()["user_id"])
    # Known and not on the board, as after a demo that was interrupted.
    expect(answer, HTTPStatus.CONFLICT)
    answer = await client.get("/api/users", username=name)
    expect(answer, HTTPStatus.OK)
    return int(answer.json()["users"][0]["user_id"])


def history(players: Sequence[Player]) -> list[dict[str, Any]]:
    """Past games of each player, round by round as if they had played side by side."""
    dice = random.Random()  # noqa: S311 - a game
    run = secrets.token_hex(6)
    games: list[dict[str, Any]] = []
    for round_ in range(MAX_GAMES):
        for player in players:
            if round_ == 0 or dice.random() < player.activity / (player.activity + 2):
                # Sent again after a lost answer, it counts once.
                games.append(play(player, dice) | {"submission_id": f"demo-{run}-{len(games)}"})
    return games


async def submit_history(
    client: Client, games: Sequence[dict[str, Any]], progress: Progress
) -> int:
    """How many were rejected. Raises GaveUpError, RefusedError."""
    rejected = 0

    async def send(some: Sequence[dict[str, Any]]) -> None:
        nonlocal rejected
        answer = await client.post("/api/leaderboard/submit/batch", {"submissions": some})
        expect(answer, HTTPStatus.OK)
        rejected += sum(each["status"] != "accepted" for each in answer.json()["results"])
        progress(len(some))

    await for_each(_batches(games), send, at_once=BATCHES_AT_ONCE)
    return rejected


def _batches(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), BATCH):
        yield items[start : start + BATCH]
