"""Is PostgreSQL ready? The first messages of its protocol, without a driver or an event loop."""

import socket
import struct
from pathlib import Path

from app.core.embedded.errors import EmbeddedError

_PROTOCOL = 3 << 16
_TIMEOUT = 1.0
_TOO_MANY_CONNECTIONS = "53300"
_CANNOT_CONNECT_NOW = "57P03"  # starting up, recovering, shutting down


def probe(path: Path, user: str, database: str) -> str | None:
    """None if a session can be opened, else why not yet.

    Raises OSError if there is no answer, EmbeddedError if no session will ever be allowed.
    https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-START-UP
    """
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_TIMEOUT)
        connection.connect(str(path))
        connection.sendall(_startup_message(user, database))
        with connection.makefile("rb") as stream:
            while len(head := stream.read(5)) == 5:  # noqa: PLR2004 - a type and a length
                kind, length = struct.unpack("!cI", head)
                body = stream.read(length - 4)
                if kind == b"Z":
                    connection.sendall(struct.pack("!cI", b"X", 4))
                    return None
                if kind == b"E":
                    return _reason(body)
    raise ConnectionError("it closed the connection")


def _startup_message(user: str, database: str) -> bytes:
    fields = b"".join(part.encode() + b"\0" for part in ("user", user, "database", database, ""))
    return struct.pack("!II", 8 + len(fields), _PROTOCOL) + fields


def _reason(body: bytes) -> str | None:
    fields = {part[:1]: part[1:].decode(errors="replace") for part in body.split(b"\0") if part}
    code, message = fields.get(b"C", ""), fields.get(b"M", "an error without a message")
    if code == _TOO_MANY_CONNECTIONS:
        return None  # others have sessions: ready enough
    if code == _CANNOT_CONNECT_NOW:
        return message
    raise EmbeddedError(f"PostgreSQL allows no session: {message}")
