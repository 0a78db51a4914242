"""Settings, read from the environment (and `.env`), one flat class with sane defaults."""

from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

MAX_SCORE = 2**53 - 1
"""Scores and totals stay within ±MAX_SCORE, the integers that every JSON client keeps exact."""

MAX_USER_ID = 2**48 - 1
"""Player ids take six bytes in an index key."""

Positive = Annotated[int, Field(ge=1)]


class Settings(BaseSettings):
    """Every knob of the service. Times are in seconds unless the name says otherwise."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True)

    database_url: str = "postgresql+asyncpg://leaderboard@localhost/leaderboard"
    redis_url: str = "redis://localhost:6379/0"
    redis_prefix: str = "leaderboard:"
    database_pool_size: Annotated[int, Field(ge=2)] = 10
    database_timeout: float = 10.0
    redis_timeout: float = 0.5

    max_body_bytes: Positive = 1_000_000
    max_batch: Positive = 1_000
    max_limit: Positive = 1_000
    max_radius: Annotated[int, Field(ge=0)] = 100
    max_metadata_bytes: Positive = 4_096
    max_duration_ms: Annotated[int, Field(ge=1, le=2**31 - 1)] = 7 * 24 * 3_600 * 1_000
    played_at_window: float = 300.0
    """How far back `played_at` may lie; the future gets a few seconds for clocks that differ."""

    tiers: tuple[tuple[str, float], ...] = (
        ("Diamond", 99.0),
        ("Platinum", 90.0),
        ("Gold", 70.0),
        ("Silver", 40.0),
        ("Bronze", 0.0),
    )
    """Names and the percentile from which each holds, best first; the last one starts at 0."""

    writer_max_batch: Positive = 1_000
    writer_max_queue: Positive = 20_000
    writer_lanes: Positive = 1
    """Transactions that may be under way at once in a worker."""

    idempotency_hours: Annotated[int, Field(ge=24)] = 48
    partitions_ahead: Annotated[int, Field(ge=1, le=24)] = 3

    index_window: Positive = 1_200
    """How many of the best entries each worker mirrors in memory; pages within it ask nobody."""
    index_stream_length: Positive = 2_000
    index_chunk: Positive = 250
    """Players a script call: bounds how long Redis is kept from everybody else."""
    sweep_interval: float = 2.0
    page_max_age: float = 0.05
    """A page from memory is served only if the index confirmed it within this time."""

    sample_interval: Annotated[float, Field(ge=0.1)] = 20.0
    """How often a changing board's order is sampled, for the graphs of ranks."""

    live_top: Annotated[int, Field(ge=1, le=1_000)] = 100
    live_tick: float = 0.1
    live_cpu_share: Annotated[float, Field(gt=0, le=1)] = 0.5
    """At most this share of a core goes into pushing: a dear fan-out stretches the tick."""
    live_history: Positive = 600
    live_max_buffer: Positive = 256 * 1024
    live_max_clients: Positive = 15_000
    live_max_message_bytes: Positive = 1_024
    live_messages_per_second: Positive = 5

    web_dir: Path | None = None
    """The built browser app (`frontend/dist`), if the API's processes are to serve it too."""

    log_level: str = "info"
    access_log: bool = False
