"""HTTP/1.1 over a few kept connections, and nothing else.

Measured with 64 connections, a general client took ten times the time of the service that it
asked: it looks at every connection of its pool for every request.
"""

import asyncio
import json
import ssl
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from httptools import HttpParserError, HttpResponseParser

TIMEOUT = 30.0


class BrokenError(Exception):
    """No answer came: the connection could not be made, or broke."""


@dataclass(slots=True)
class Answer:
    """Status, headers (names in lower case) and body."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    def json(self) -> Any:  # noqa: ANN401 - whatever was sent
        return json.loads(self.body)


class Pool:
    """Connections to one origin. How many there are is how many requests run at once."""

    def __init__(self, url: str, key: str | None = None) -> None:
        parts = urlsplit(url)
        self._host = parts.hostname or "127.0.0.1"
        self._ssl = ssl.create_default_context() if parts.scheme == "https" else None
        self._port = parts.port or (443 if self._ssl else 80)
        self._head = f"HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n"
        if key is not None:
            self._head += f"Authorization: Bearer {key}\r\n"
        self._prefix = parts.path
        self._idle: list[_Connection] = []

    async def request(
        self, method: str, target: str, body: bytes = b"", headers: str = ""
    ) -> Answer:
        """`headers` are whole lines. Raises BrokenError."""
        head = f"{method} {self._prefix}{target} {self._head}{headers}"
        message = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
        connection = None
        try:
            async with asyncio.timeout(TIMEOUT):
                connection = self._take() or await self._connect()
                answer = await connection.ask(message)
        except (OSError, TimeoutError, HttpParserError) as error:
            raise BrokenError(str(error) or type(error).__name__) from error
        finally:
            if connection is not None:
                self._give_back(connection)
        return answer

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()

    def _take(self) -> "_Connection | None":
        while self._idle:
            connection = self._idle.pop()
            if connection.usable:
                return connection
            connection.close()
        return None

    async def _connect(self) -> "_Connection":
        return _Connection(*await asyncio.open_connection(self._host, self._port, ssl=self._ssl))

    def _give_back(self, connection: "_Connection") -> None:
        if connection.usable:
            self._idle.append(connection)
        else:
            connection.close()


class _Connection:
    """One request at a time. Also what the parser calls back."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._answer = Answer()
        self._parser: HttpResponseParser | None = None
        self._idle = self._keep = True
        self._complete = False

    @property
    def usable(self) -> bool:
        """Whether it can take a request: its last one was answered, and it is still open."""
        return self._idle and self._keep and not self._reader.at_eof()

    async def ask(self, message: bytes) -> Answer:
        self._idle = self._complete = False
        self._answer = answer = Answer()
        self._parser = parser = HttpResponseParser(self)
        self._writer.write(message)
        while not self._complete:
            data = await self._reader.read(65_536)
            if not data:
                raise ConnectionResetError("the service closed the connection")
            parser.feed_data(data)
        answer.status = parser.get_status_code()
        self._keep = parser.should_keep_alive()
        self._idle = True
        return answer

    def close(self) -> None:
        self._writer.close()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._answer.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self._answer.body += body

    def on_message_complete(self) -> None:
        self._complete = True
