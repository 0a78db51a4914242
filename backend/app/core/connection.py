"""asyncpg's connection, so that neither a silent network nor a silent server holds it up."""

import asyncio
import socket
from typing import TYPE_CHECKING, Any, Literal

import asyncpg
from asyncpg.transaction import Transaction

KEEPALIVE = (("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3))
"""Seconds until a silent peer is probed, seconds between probes, and how many are sent."""
USER_TIMEOUT_MS = 20_000
"""How long sent bytes may wait for the peer to acknowledge them."""

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]
else:  # where the driver runs, its class takes no parameter
    Connection = asyncpg.Connection

Isolation = Literal["read_committed", "read_uncommitted", "serializable", "repeatable_read"]


class ServiceConnection(Connection):
    """A connection whose socket notices that the server's host is gone."""

    each_transaction = ""
    """Statements that begin each transaction: settings where a session does not keep them."""

    def __init__(self, protocol: Any, transport: asyncio.Transport, *args: Any) -> None:  # noqa: ANN401 - the driver's own
        super().__init__(protocol, transport, *args)
        _keep_alive(transport)

    async def execute(self, query: str, *args: object, **options: Any) -> str:  # noqa: ANN401 - as above
        """Sends the settings of a transaction together with its BEGIN, in one round trip."""
        if self.each_transaction and query.startswith("BEGIN"):
            query += self.each_transaction
        return await super().execute(query, *args, **options)

    def transaction(
        self,
        *,
        isolation: Isolation | None = None,
        readonly: bool = False,
        deferrable: bool = False,
    ) -> Transaction:
        """See `ServiceTransaction`."""
        return ServiceTransaction(self, isolation, readonly, deferrable)


class ServiceTransaction(Transaction):
    """A transaction that asks nothing more of a server that did not answer.

    After a time-out or a cancellation asyncpg sends ROLLBACK and waits for the answer, for
    another whole time-out. This closes the connection instead, and the server rolls back.
    """

    def __init__(
        self,
        connection: ServiceConnection,
        isolation: Isolation | None,
        readonly: bool,
        deferrable: bool,
    ) -> None:
        super().__init__(connection, isolation, readonly, deferrable)
        self._owner = connection

    async def __aexit__(self, kind: object, error: object, trace: object) -> None:
        if error is None:
            await super().__aexit__(kind, error, trace)
        elif not isinstance(error, Exception) or isinstance(error, OSError | TimeoutError):
            self._owner.terminate()
        elif not self._owner.is_closed():
            await super().__aexit__(kind, error, trace)


def _keep_alive(transport: asyncio.Transport) -> None:
    """Sets the time-outs of a TCP socket; other sockets have none."""
    found = transport.get_extra_info("socket")
    if found is None or found.family not in (socket.AF_INET, socket.AF_INET6):
        return
    found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (*KEEPALIVE, ("TCP_USER_TIMEOUT", USER_TIMEOUT_MS)):
        if hasattr(socket, name):  # outside Linux some have other names
            found.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
