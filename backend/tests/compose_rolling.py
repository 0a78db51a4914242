"""A rolling restart under load: what callers and sockets notice of it."""

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from app.cli.demo.http import BrokenError, Pool
from tests.rolling_sockets import LAST_SCORE

BACKEND = Path(__file__).parents[1]
SPECTATORS = 1_000
NGINX_PORT = 8080
"""In its container."""
WRITES_PER_SECOND, READS_PER_SECOND = 200, 50
CONNECTIONS = 64
LONG_AGO = 1_000
"""Scores: who sent one before so many others has a rank."""
MOST_AWAY_SECONDS = 15.0
MOST_CONNECTS_A_SECOND = 200

RESTARTING = "1012"
COME_BACK = {
    RESTARTING: "the service restarts",
    "1013": "the backend had no room or was draining",
    "4408": "the client did not read in time, as on a machine that is too busy",
}
"""Close codes after which clients come back, with what they mean. A busy machine adds the last two,
and nothing is lost by them; any other code is a fault."""

Say = Callable[[str], None]


class Load:
    """Steady scores and reads by callers who take every answer as it is."""

    def __init__(self, pool: Pool, players: list[int]) -> None:
        self._pool, self._players = pool, players
        self._asked: set[asyncio.Task[None]] = set()
        self._room = asyncio.Semaphore(CONNECTIONS)
        self.answers: Counter[str] = Counter()
        self.seconds: list[float] = []

    async def run(self) -> None:
        """Until it is cancelled; then waits for what it has asked."""
        began, sent = time.monotonic(), 0
        every = WRITES_PER_SECOND // READS_PER_SECOND
        try:
            while True:
                while sent < (time.monotonic() - began) * WRITES_PER_SECOND:
                    self._ask(self._write(sent))
                    if sent % every == 0:
                        self._ask(self._read(sent))
                    sent += 1
                await asyncio.sleep(0.005)
        finally:
            await asyncio.gather(*self._asked)

    def _ask(self, asking) -> None:
        task = asyncio.create_task(self._note(asking))
        self._asked.add(task)
        task.add_done_callback(self._asked.discard)

    async def _note(self, asking) -> None:
        async with self._room:
            began = time.monotonic()
            try:
                what, answer = await asking
                self.answers[f"{what} {answer.status}"] += 1
            except BrokenError as error:
                self.answers[f"broken: {error}"] += 1
            self.seconds.append(time.monotonic() - began)

    def _player(self, number: int) -> int:
        return self._players[number * 7 % len(self._players)]

    async def _write(self, number: int):
        body = json.dumps({"user_id": self._player(number), "score": 1 + number % 997}).encode()
        key = f"Idempotency-Key: rolling-{number}\r\n"
        return "write", await self._pool.request("POST", "/leaderboard/submit", body, key)

    async def _read(self, number: int):
        target = "/leaderboard/top"
        if number % 8 == 0 and number > LONG_AGO:
            target = f"/leaderboard/rank/{self._player(number - LONG_AGO)}"
        return "read", await self._pool.request("GET", target)


async def roll(
    port: int, nginx: int, key: str, players: list[int], last: int, restart: tuple[str, ...],
    environment: dict[str, str], say: Say,
) -> tuple[Load, dict]:  # fmt: skip
    """The load, and what the sockets saw, of a restart and of a last score by the player `last`.

    The sockets' process lives in the network of `nginx`, a process id: on their way to a published
    port they would pass through one of Docker's that opens eight files for each.
    """
    sockets = await asyncio.create_subprocess_exec(
        "nsenter", f"--net=/proc/{nginx}/ns/net",
        sys.executable, "-m", "tests.rolling_sockets", cwd=BACKEND,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=2**22,
    )  # fmt: skip
    pool = Pool(f"http://127.0.0.1:{port}/api", key)
    try:
        job = {"port": NGINX_PORT, "key": key, "players": players, "spectators": SPECTATORS}
        sockets.stdin.write(json.dumps(job).encode() + b"\n")
        said = await sockets.stdout.readline()
        assert said == b"connected\n", said
        say(f"  {len(players)} players' sockets and {SPECTATORS} spectators' are connected")
        load = Load(pool, players)
        running = asyncio.create_task(load.run())
        # Until all have a rank.
        await asyncio.sleep(len(players) / WRITES_PER_SECOND + 2)
        await _restart(restart, environment, say)
        await asyncio.sleep(3)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        body = json.dumps({"user_id": last, "score": LAST_SCORE}).encode()
        answer = await pool.request("POST", "/leaderboard/submit", body)
        assert answer.json()["new_rank"] == 1, answer
        sockets.stdin.write(b"finish\n")
        return load, json.loads(await sockets.stdout.readline())
    finally:
        pool.close()
        if sockets.returncode is None:
            sockets.kill()
        await sockets.wait()


async def _restart(command: tuple[str, ...], environment: dict[str, str], say: Say) -> None:
    began = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    async for line in process.stdout:
        say(f"  {line.decode().rstrip()}")
    code = await process.wait()
    assert code == 0, f"rolling-restart ended with {code}"
    say(f"  restarted in {time.monotonic() - began:.0f} s")


def check(load: Load, seen: dict, exact: list[int], say: Say) -> None:
    """`exact`: the players' ranks by SQL."""
    seconds = sorted(load.seconds)
    middle, slow, slowest = (seconds[int(len(seconds) * share) - 1] for share in (0.5, 0.99, 1))
    say(f"  answers: {dict(load.answers)}; after {middle * 1e3:.0f} ms at the median, "
        f"{slow:.2f} s at the 99th percentile, {slowest:.2f} s at most")  # fmt: skip
    say(f"  {seen['came_back']} times a socket was away, for {seen['longest_away']:.1f} s at most; "
        f"{seen['connects']} connects, {seen['most_connects']} in a second at most")  # fmt: skip
    say(f"  closed with {seen['codes']}, refused {seen['refused']}, "
        f"{seen['anew']} began anew with a snapshot; "
        f"{seen['gaps']} updates began after what was known")  # fmt: skip
    everybody = len(exact) + SPECTATORS
    assert load.answers.keys() == {"write 200", "read 200"}, dict(load.answers)
    others = {code: count for code, count in seen["codes"].items() if code not in COME_BACK}
    assert not others, f"sockets were closed with {others}, which asks no client to come back"
    for code, why in COME_BACK.items():
        if code != RESTARTING and code in seen["codes"]:
            say(f"  {seen['codes'][code]} were closed with {code}: {why}")
    restarted = seen["codes"].get(RESTARTING, 0)
    assert restarted >= everybody, f"only {restarted} of {everybody} were closed with {RESTARTING}"
    assert seen["came_back"] >= everybody, (seen["came_back"], everybody)
    assert seen["longest_away"] <= MOST_AWAY_SECONDS, (seen["longest_away"], MOST_AWAY_SECONDS)
    most = seen["most_connects"]
    assert most <= MOST_CONNECTS_A_SECOND, f"{most} connects in a second"
    live = {name: seen[name] for name in ("live", "told")}
    assert live == {"live": everybody, "told": everybody}, live
    wrong = [
        (at, rank, seen["ranks"][at]) for at, rank in enumerate(exact) if seen["ranks"][at] != rank
    ]
    assert not wrong, f"(player, exact rank, rank told): {wrong[:20]}"
    say(f"  all {everybody} are live, told of the last score, and know their exact ranks")
