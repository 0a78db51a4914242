"""Settings, read from the environment (and `.env`), one flat class with sane defaults."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.core.server_urls import clean_database_url, clean_redis_url
from app.core.setting_types import (
    HeaderNames,
    LogLevel,
    Networks,
    Origins,
    Positive,
    Seconds,
    Tiers,
    checked,
    clean_public_url,
)

MAX_SCORE = 2**53 - 1
"""Scores and totals stay within ±MAX_SCORE, the integers that every JSON client keeps exact."""

MAX_USER_ID = 2**48 - 1
"""Player ids take six bytes in an index key."""

MAX_TOKEN_SECONDS = 24 * 3_600
"""No player's token lasts longer."""

FROM_FILES = ("auth_secret", "auth_secret_previous", "database_url", "redis_url")
"""Settings with a secret in them: `AUTH_SECRET_FILE` names the file that holds `AUTH_SECRET`."""


class Settings(BaseSettings):
    """Every knob of the service. Times are in seconds unless the name says otherwise."""

    model_config = SettingsConfigDict(
        env_file=".env",
        extra="ignore",
        frozen=True,
        use_attribute_docstrings=True,
        env_ignore_empty=True,
    )

    database_url: Annotated[str, checked(clean_database_url)] = (
        "postgresql+asyncpg://leaderboard@localhost/leaderboard"
    )
    """PostgreSQL: `postgresql://user:password@host:5432/name`, with `?sslmode=verify-full` for TLS
    and `?pgbouncer=true` behind a pooler of transactions. Left out together with REDIS_URL,
    `leaderboard serve` starts servers of its own."""
    redis_url: Annotated[str, checked(clean_redis_url)] = "redis://localhost:6379/0"
    """Redis 7 or Valkey: `redis://user:password@host:6379/0`, `rediss://` with TLS."""
    redis_prefix: Annotated[str, Field(pattern=r"^[\x21-\x7e]{1,64}$")] = "leaderboard:"
    """The beginning of all keys in Redis, at most 64 characters without blanks. Services that share
    a Redis need different ones."""
    database_pool_size: Annotated[int, Field(ge=2, le=1_000)] = 10
    """Connections to PostgreSQL that a worker keeps for scores and reads. It has 8 more."""
    database_timeout: Seconds = 10.0
    """For a connection, a statement, and a wait for a connection."""
    database_lock_timeout: Seconds = 0.5
    """For a row that another transaction has locked. Beyond it, that player's change is refused
    with 503 `busy`, or tried again apart from all other players' scores."""
    redis_timeout: Seconds = 0.5
    """For a call; beyond, Redis counts as away."""

    database_url_file: Path | None = None
    """A file that holds DATABASE_URL."""
    redis_url_file: Path | None = None
    """A file that holds REDIS_URL."""

    auth_mode: Literal["open", "closed"] = "closed"
    """`open`: callers on this machine may do everything, all others nothing. `leaderboard serve`
    is open by default where its address is a loopback one."""
    auth_secret: SecretStr | None = None
    """Signs players' tokens: at least 32 characters, the same on every worker, no default."""
    auth_secret_file: Path | None = None
    """A file that holds AUTH_SECRET."""
    auth_secret_previous: SecretStr | None = None
    """The secret before AUTH_SECRET was rotated: players' tokens that it signed stay good until
    they end. Remove it after a day, and never set one that has leaked."""
    auth_secret_previous_file: Path | None = None
    """A file that holds AUTH_SECRET_PREVIOUS. It may be empty: then there is none."""
    player_token_seconds: Annotated[int, Field(ge=10, le=MAX_TOKEN_SECONDS)] = 3_600
    """How long a player's token is good for."""
    guest_sign_in: bool = False
    """Whether whoever asks may become a player, and sign in as that player."""

    max_body_bytes: Annotated[int, Field(ge=1_000, le=100_000_000)] = 1_000_000
    """Bytes of a batch; beyond, 413. Other bodies have smaller bounds of their own."""
    max_batch: Annotated[int, Field(ge=1, le=1_000)] = 1_000
    """Scores in one call of submit/batch."""
    max_limit: Annotated[int, Field(ge=1, le=10_000)] = 1_000
    """Rows in one page."""
    max_radius: Annotated[int, Field(ge=0, le=1_000)] = 100
    """Neighbours on each side, around a player."""
    max_metadata_bytes: Annotated[int, Field(ge=2, le=1_000_000)] = 4_096
    """Of a game's metadata, as UTF-8."""
    max_duration_ms: Annotated[int, Field(ge=1, le=2**31 - 1)] = 7 * 24 * 3_600 * 1_000
    """Of a game, in milliseconds."""
    played_at_window: Annotated[float, Field(ge=0, le=366 * 86_400, allow_inf_nan=False)] = 300.0
    """How far back `played_at` may lie; the future gets a few seconds for clocks that differ."""

    tiers: Tiers = (
        ("Diamond", 99.0),
        ("Platinum", 90.0),
        ("Gold", 70.0),
        ("Silver", 40.0),
        ("Bronze", 0.0),
    )
    """Names and the percentile from which each holds, best first; the last one starts at 0."""

    writer_max_batch: Annotated[int, Field(ge=1, le=10_000)] = 1_000
    """Scores in one transaction."""
    writer_max_queue: Annotated[int, Field(ge=1, le=1_000_000)] = 20_000
    """Scores that may wait in a worker; beyond, 503 with `Retry-After`."""
    write_timeout: Annotated[float, Field(ge=1, le=3_600)] = 8.0
    """From a score's arrival until it is stored, or refused with 503."""
    writer_lanes: Annotated[int, Field(ge=1, le=64)] = 1
    """Transactions that may be under way at once in a worker."""

    idempotency_hours: Annotated[int, Field(ge=24, le=366 * 24)] = 48
    """How long an idempotency key is remembered."""
    partitions_ahead: Annotated[int, Field(ge=1, le=24)] = 3
    """Months whose partitions of the ledger are made ahead of time."""

    index_window: Annotated[int, Field(ge=1, le=100_000)] = 1_200
    """How many of the best entries each worker mirrors in memory; pages within it ask nobody."""
    index_stream_length: Annotated[int, Field(ge=1, le=1_000_000)] = 2_000
    """Steps that the delta stream keeps for workers that follow it."""
    index_chunk: Annotated[int, Field(ge=1, le=10_000)] = 250
    """Players a script call: bounds how long Redis is kept from everybody else."""
    sweep_interval: Seconds = 2.0
    """How often the ledger's tail is looked through for what the index may lack."""
    page_max_age: Annotated[float, Field(ge=0, le=60, allow_inf_nan=False)] = 0.05
    """A page from memory is served only if the index confirmed it within this time."""

    sample_interval: Annotated[float, Field(ge=0.1, le=86_400, allow_inf_nan=False)] = 20.0
    """How often a changing board's order is sampled, for the graphs of ranks."""

    live_top: Annotated[int, Field(ge=1, le=1_000)] = 100
    """Rows that a socket is told of."""
    live_tick: Annotated[float, Field(gt=0, le=60, allow_inf_nan=False)] = 0.1
    """The least time between two frames of a socket."""
    live_cpu_share: Annotated[float, Field(gt=0, le=1)] = 0.5
    """At most this share of a core goes into pushing: a dear fan-out stretches the tick."""
    live_history: Annotated[int, Field(ge=1, le=1_000_000)] = 600
    """Steps kept for sockets that come back."""
    live_max_buffer: Positive = 256 * 1024
    """Bytes a socket may leave unread; beyond, it is closed as too slow."""
    live_max_clients: Annotated[int, Field(ge=1, le=1_000_000)] = 15_000
    """Sockets a worker holds."""
    live_max_message_bytes: Annotated[int, Field(ge=64, le=1_000_000)] = 1_024
    """Of what a socket may say."""
    live_messages_per_second: Annotated[int, Field(ge=1, le=10_000)] = 5
    """Messages a socket may send."""

    drain_seconds: Seconds = 20.0
    """A service that is told to stop closes its sockets first, within this time."""
    drain_sockets_per_second: Annotated[int, Field(ge=1, le=1_000_000)] = 100
    """How many of them a second, all workers together; more, where they are too many for that."""

    rate_limits: bool | None = None
    """Whether callers are limited; left out, they are wherever the service is not open."""
    limit_key_reads: Positive = 600_000
    """Limits are a minute and hold for all workers together. A key is for servers."""
    limit_key_submits: Positive = 600_000
    """Scores, and all else that writes, by one key."""
    limit_key_sockets: Positive = 6_000
    """Sockets opened with one key."""
    limit_player_reads: Positive = 1_200
    """Reads with one player's tokens."""
    limit_player_submits: Positive = 60
    """Scores with one player's tokens."""
    limit_player_sockets: Positive = 60
    """Sockets opened with one player's tokens."""
    limit_address_reads: Positive = 1_200
    """An IPv6 address counts as its network of 64 bits."""
    limit_address_submits: Positive = 60
    """Writes from one address without a credential, where that is allowed."""
    limit_address_sockets: Positive = 60
    """Sockets opened from one address."""
    limit_address_sign_ins: Positive = 20
    """Guests and tokens, and credentials that were wrong."""
    limit_address_light: Positive = 1_800
    """Requests a minute from one address for health, probes, documents and unknown paths."""
    limit_burst_seconds: Annotated[float, Field(gt=0, le=60)] = 15.0
    """What a limit allows in so long may come at once."""
    workers: Annotated[int, Field(ge=1, le=100_000)] = 1
    """Processes that serve, on all hosts: while Redis is away each counts its share of a limit."""
    trusted_proxies: Networks = ()
    """Networks whose X-Forwarded-For and X-Forwarded-Proto are believed: `10.0.0.0/8, ::1`. The
    word `own-networks` stands for those that this machine or container has an address in."""

    allowed_origins: Origins = ()
    """Origins whose pages may call the API from a browser: `https://play.example.com`."""
    allowed_headers: HeaderNames = ()
    """Request headers that those pages may send besides the usual ones: `x-team, x-build`."""

    max_json_depth: Annotated[int, Field(ge=1, le=150)] = 32
    """Of `metadata`. All other fields are flat, and the parser stops at 200 by itself."""
    live_max_clients_per_key: Positive = 2_000
    """Sockets that one API key, its rotations included, may hold on a worker, where callers are
    limited."""
    live_max_clients_per_address: Annotated[int, Field(ge=1, le=1_000_000)] = 100
    """Sockets that one address may hold on a worker, where callers are limited."""
    http_head_timeout: Seconds = 10.0
    """For a request's line and headers, from its first byte or from connecting."""
    http_body_timeout: Seconds = 30.0
    """For a request's body."""
    http_keep_alive: Seconds = 15.0
    """How long a connection may wait for its next request."""
    http_max_idle: Annotated[int, Field(ge=1, le=1_000_000)] = 4_000
    """Connections a worker keeps without a request under way; beyond, the oldest is closed."""
    http_max_connections_per_address: Positive = 500
    """Connections that one address may hold on a worker, where callers are limited, besides its
    open sockets. Those of TRUSTED_PROXIES are not counted."""

    public_url: Annotated[str | None, checked(clean_public_url)] = None
    """Where callers reach the service, such as `https://play.example.com`: for the line of log that
    says it is ready."""
    web_dir: Path | None = None
    """The built browser app (`frontend/dist`), if the API's processes are to serve it too."""

    metrics_dir: Path | None = None
    """Where a host's workers write down what they count, for each other: `serve` with more than
    one worker makes it. Without, `/metrics` shows the worker that was asked."""

    log_level: LogLevel = "info"
    """`debug`, `info`, `warning` or `error`."""
    access_log: bool = False
    """Whether every request makes a line of log."""

    @property
    def limits_on(self) -> bool:
        """Whether callers are limited."""
        return self.auth_mode != "open" if self.rate_limits is None else self.rate_limits

    @model_validator(mode="before")
    @classmethod
    def _read_files(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Secrets may come as files, as orchestrators hand them over."""
        read = {}
        for name in FROM_FILES:
            path = given.get(f"{name}_file")
            if not path:
                continue
            if given.get(name):
                raise _fault(name, "is set too: give one of the two")
            try:
                read[name] = Path(path).read_text().strip()
            except (OSError, UnicodeDecodeError) as error:
                why = error.strerror if isinstance(error, OSError) else "it is no text"
                raise _fault(f"{name}_file", f"cannot read {path}: {why}") from error
            if not read[name] and name != "auth_secret_previous":
                raise _fault(f"{name}_file", f"has nothing in it: {path} is empty")
        return {**given, **read}

    @model_validator(mode="after")
    def _check_window(self) -> Self:
        """The mirror may lose half of its rows before it is read anew; all visible ones stay."""
        if self.index_window < 2 * self.live_top:
            raise _fault("index_window", "must be at least twice LIVE_TOP")
        return self


def _fault(name: str, message: str) -> PydanticCustomError:
    return PydanticCustomError("setting", "{fault}", {"fault": f"{name.upper()} {message}"})
