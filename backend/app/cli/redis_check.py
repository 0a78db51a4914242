"""What Redis is, asked once at the start: what can't ever work is refused in one line."""

from collections.abc import Mapping
from typing import Any

import structlog
from redis.exceptions import AuthenticationError, NoPermissionError

from app.cli.failures import CliError, describe
from app.core.config import Settings
from app.core.redis import AWAY, create_client

OLDEST = 7
"""Major version. Valkey says 7 as well, for clients that ask."""

log = structlog.get_logger(__name__)


async def check_redis(settings: Settings) -> None:
    """Raises CliError for a Redis that lets nobody in, is too old, or can't be written to. One that
    does not answer is no reason not to start: reads come from PostgreSQL meanwhile."""
    client = create_client(settings, lambda _: None, timeout=settings.redis_timeout, connections=1)
    try:
        fault = _fault(await client.info())
    except (AuthenticationError, NoPermissionError) as error:
        raise CliError(f"Redis refuses the user or the password of REDIS_URL: {error}") from error
    except AWAY as error:
        log.warning("Redis does not answer, PostgreSQL serves reads", error=describe(error))
        return
    finally:
        await client.aclose()
    if fault:
        raise CliError(f"REDIS_URL names {fault}")


def _fault(info: Mapping[str, Any]) -> str:
    version = str(info.get("redis_version", OLDEST))
    if int(version.partition(".")[0]) < OLDEST:
        return f"Redis {version}: Redis {OLDEST} or Valkey is needed"
    if "cluster" in (info.get("redis_mode"), info.get("server_mode")):
        return "a Redis Cluster, which is not supported: name a single Redis or its primary"
    if info.get("role") == "slave" and int(info.get("slave_read_only", 1)):
        return "a replica, which can't be written to: name the primary"
    return ""
