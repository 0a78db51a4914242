"""The least TTL that a socket hears, on Linux: by it a listener can be made deaf without being
closed, and without a privilege. Connections that it accepts have it too."""

import os
import socket
import sys
from typing import Protocol

NO_HOP = 255
"""More than the TTL that hosts begin with, which is 64 or 128."""
ANY = 0

_IP_MINTTL, _IPV6_MINHOPCOUNT = 21, 73


def hear_from(own: socket.socket, least: int) -> None:
    """Raises OSError where that can't be had."""
    own.setsockopt(socket.IPPROTO_IP, _IP_MINTTL, least)
    if own.family == socket.AF_INET6:
        own.setsockopt(socket.IPPROTO_IPV6, _IPV6_MINHOPCOUNT, least)


class HasDescriptor(Protocol):
    """A socket, or what a transport shows of its own one."""

    def fileno(self) -> int: ...


def hear_all(peer: HasDescriptor | None) -> None:
    """Takes back what a stopping service's listener hands on to connections (cli/listening.py)."""
    if sys.platform == "linux" and peer is not None:
        with socket.socket(fileno=os.dup(peer.fileno())) as own:
            hear_from(own, ANY)
