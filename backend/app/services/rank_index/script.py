"""Lua scripts that run in Redis."""

from importlib import resources
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoScriptError


class Script:
    """A Lua script by its hash, sent whole only when the server doesn't know it."""

    def __init__(self, client: Redis, name: str) -> None:
        self._client = client
        self._text = resources.files(__package__).joinpath(name).read_text()
        self._sha = ""

    async def __call__(self, key: str, *args: bytes | str | int) -> Any:  # noqa: ANN401
        """Runs the script on the one state key; the answer has the shape the script says."""
        if not self._sha:
            self._sha = await self._client.script_load(self._text)
        try:
            return await self._client.evalsha(self._sha, 1, key, *args)
        except NoScriptError:
            return await self._client.eval(self._text, 1, key, *args)
