"""What is limited, for whom, and how much of it."""

from dataclasses import dataclass, field
from enum import StrEnum

from app.core.config import Settings

WINDOW = 60.0
"""Seconds. All limits are told a minute."""

LEASE_SECONDS = 0.25
"""A worker takes what a caller at full speed uses in so long, and spends it without asking."""


class Kind(StrEnum):
    """What is counted. A batch of scores counts its items."""

    READS = "reads"
    SUBMITS = "submits"
    SOCKETS = "sockets"
    SIGN_INS = "sign-ins"
    LIGHT = "light"
    """What needs no credential and costs little: health, probes, documents, unknown paths."""


OF_ADDRESSES = frozenset((Kind.SIGN_INS, Kind.LIGHT))
"""Counted for the address alone, whatever credential a request shows."""


class Who(StrEnum):
    """For whom it is counted: a server by its key, a player by its token, the rest by address."""

    KEY = "key"
    PLAYER = "player"
    ADDRESS = "address"


@dataclass(frozen=True, slots=True)
class Policy:
    """A token bucket: `quota` a minute, of which at most `burst` at once."""

    who: Who
    kind: Kind
    quota: int
    burst: int
    slice: int = field(init=False)
    """Tokens that a worker takes at a time."""
    header: tuple[bytes, bytes] = field(init=False)
    """`RateLimit-Policy`, as every answer carries it."""

    def __post_init__(self) -> None:
        told = f'"{self.name}";q={self.quota};w={WINDOW:.0f}'
        object.__setattr__(self, "slice", max(1, int(self.rate * LEASE_SECONDS)))
        object.__setattr__(self, "header", (b"ratelimit-policy", told.encode()))

    @property
    def name(self) -> str:
        return f"{self.who}-{self.kind}"

    @property
    def rate(self) -> float:
        """Tokens a second."""
        return self.quota / WINDOW


def policies_of(settings: Settings) -> list[Policy]:
    """The policies that the settings make."""
    quotas = {
        (Who.KEY, Kind.READS): settings.limit_key_reads,
        (Who.KEY, Kind.SUBMITS): settings.limit_key_submits,
        (Who.KEY, Kind.SOCKETS): settings.limit_key_sockets,
        (Who.PLAYER, Kind.READS): settings.limit_player_reads,
        (Who.PLAYER, Kind.SUBMITS): settings.limit_player_submits,
        (Who.PLAYER, Kind.SOCKETS): settings.limit_player_sockets,
        (Who.ADDRESS, Kind.READS): settings.limit_address_reads,
        (Who.ADDRESS, Kind.SUBMITS): settings.limit_address_submits,
        (Who.ADDRESS, Kind.SOCKETS): settings.limit_address_sockets,
        (Who.ADDRESS, Kind.SIGN_INS): settings.limit_address_sign_ins,
        (Who.ADDRESS, Kind.LIGHT): settings.limit_address_light,
    }
    return [
        Policy(who, kind, quota, _burst(quota, settings.limit_burst_seconds))
        for (who, kind), quota in quotas.items()
    ]


def _burst(quota: int, seconds: float) -> int:
    return max(1, min(quota, int(quota * seconds / WINDOW)))
