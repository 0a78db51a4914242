"""What the command line says."""

import argparse
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.floods import FLOODS

MEASURES = (
    "submit",
    "batch",
    "top",
    "rank",
    "around",
    "zrank",
    "scale",
    "fanout",
    "light",
    "auth",
    "abuse",
    "attacks",
)
QUICK_PLAYERS = (5_000,)


@dataclass(frozen=True, slots=True)
class Options:
    """`seconds` is how long one measure lasts in one round."""

    players: tuple[int, ...]
    seconds: float
    rounds: int
    watchers: int
    only: frozenset[str]
    json: Path
    keep: Path | None
    quick: bool
    attack_seconds: float
    """How long each flood lasts."""
    floods: frozenset[str]
    """Which floods; all if empty."""


def parse(arguments: list[str] | None = None) -> Options:
    """Options from the command line; ends the process with a clear line if they are wrong."""
    parser = argparse.ArgumentParser(
        prog="benchmarks",
        description="Measures the service beside its twins, on servers of its own.",
    )
    parser.add_argument(
        "--players",
        type=_numbers,
        help="sizes of the board, in turn (default: 100000,1000000)",
    )
    parser.add_argument("--quick", action="store_true", help="small and short: a smoke test")
    parser.add_argument("--seconds", type=float, help="of one measure in one round (default: 3)")
    parser.add_argument("--rounds", type=int, help="of which the median counts (default: 3)")
    parser.add_argument(
        "--attack-seconds", type=float, help="of each flood of `attacks` (default: 300)"
    )
    parser.add_argument(
        "--floods", type=_floods, default=frozenset(), help=f"of `attacks`: {','.join(FLOODS)}"
    )
    parser.add_argument("--watchers", type=int, help="sockets in the fan-out (default: 10000)")
    parser.add_argument("--only", type=_names, default=frozenset(MEASURES), help=",".join(MEASURES))
    parser.add_argument("--json", type=Path, default=Path("bench-results.json"), metavar="PATH")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="put data and logs here, keep it")
    given = parser.parse_args(arguments)
    quick: bool = given.quick
    return Options(
        given.players or (QUICK_PLAYERS if quick else (100_000, 1_000_000)),
        given.seconds or (1.0 if quick else 3.0),
        given.rounds or (1 if quick else 3),
        given.watchers or (500 if quick else 10_000),
        given.only,
        given.json.absolute(),
        None if given.keep is None else given.keep.absolute(),
        quick,
        given.attack_seconds or (3.0 if quick else 300.0),
        given.floods,
    )


def _numbers(text: str) -> tuple[int, ...]:
    numbers = tuple(sorted({int(each.replace("_", "")) for each in text.split(",")}))
    if numbers[0] < 1_000:
        raise argparse.ArgumentTypeError("a board needs at least 1,000 players")
    return numbers


def _names(text: str) -> frozenset[str]:
    return _chosen(text, MEASURES)


def _floods(text: str) -> frozenset[str]:
    return _chosen(text, FLOODS)


def _chosen(text: str, known: Iterable[str]) -> frozenset[str]:
    names = frozenset(text.split(","))
    if not names <= set(known):
        raise argparse.ArgumentTypeError(f"choose from {','.join(known)}")
    return names
