"""Who plays in a demo: each with a skill, a habit and a favourite mode, drawn from the name."""

import random
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Mode:
    """A game mode: the score of a fair game, and its usual length in seconds."""

    name: str
    score: float
    seconds: float


MODES = (
    Mode("ranked", 120, 900),
    Mode("arena", 60, 300),
    Mode("casual", 40, 600),
    Mode("blitz", 25, 90),
    Mode("co-op", 80, 1_200),
)
_MODE_WEIGHTS = (40, 25, 18, 12, 5)


@dataclass(frozen=True, slots=True)
class Player:
    """`skill` 1.0 is the median; `activity` is how often they play beside the others."""

    user_id: int
    username: str
    skill: float
    activity: float
    favourite: Mode


def make_player(user_id: int, username: str) -> Player:
    """The same player in every run, so that who is good stays good."""
    dice = random.Random(username)  # noqa: S311 - a game
    return Player(
        user_id,
        username,
        skill=dice.lognormvariate(0, 0.55),
        # A few play all day and most now and then.
        activity=min(dice.paretovariate(1.3), 60.0),
        favourite=dice.choices(MODES, _MODE_WEIGHTS)[0],
    )


def play(player: Player, dice: random.Random) -> dict[str, Any]:
    """One game, as the body of a submission."""
    mode = player.favourite if dice.random() < 0.7 else dice.choice(MODES)  # noqa: PLR2004
    won = dice.random() < player.skill / (player.skill + 1)
    form = dice.lognormvariate(0, 0.35) * (1.25 if won else 0.8)
    return {
        "user_id": player.user_id,
        "score": max(1, round(mode.score * player.skill * form)),
        "game_mode": mode.name,
        "duration_ms": round(mode.seconds * dice.uniform(0.5, 1.5) * 1_000),
        "won": won,
        "metadata": {"level": dice.randint(1, 40), "map": dice.choice(("dunes", "docks", "peaks"))},
    }
