"""Redis: one client a worker that notices when the server is another run than before."""

from collections.abc import Callable

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError, RedisError  # noqa: A004

from app.core.config import Settings

RUN_ID = b"run_id:"

AWAY = (RedisError, OSError, TimeoutError)
"""Whatever a client call raises when Redis can't serve: gone, slow, read-only, full, loading."""


def create_client(
    settings: Settings, on_run: Callable[[str], None], *, timeout: float | None, connections: int
) -> Redis:
    """A client whose every new connection reports the server's run id before it is used.

    So nothing is ever read from a server that was restarted (and may have lost its last
    second) without `on_run` having been told first.
    """

    async def greet(connection: AbstractConnection) -> None:
        await connection.on_connect()
        await connection.send_command("INFO", "server")
        info = await connection.read_response()
        for line in bytes(info).splitlines():
            if line.startswith(RUN_ID):
                on_run(line[len(RUN_ID) :].decode())

    pool = BlockingConnectionPool.from_url(
        settings.redis_url,
        max_connections=connections,
        timeout=timeout,
        socket_timeout=timeout,
        socket_connect_timeout=settings.redis_timeout,
        redis_connect_func=greet,
        # A pooled connection may be dead and not look like it (a reset, not an end). What is asked
        # on it is asked once more on a new one: no command or script of ours does harm if done
        # twice. Nobody waits twice: slowness is not tried again.
        retry=Retry(NoBackoff(), 1, supported_errors=(ConnectionError,)),
    )
    return Redis.from_pool(pool)
