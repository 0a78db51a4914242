"""The listening socket: bound once, in the parent, before anything is started."""

import contextlib
import errno
import ipaddress
import logging
import socket
import struct
import sys
import time
from pathlib import Path

from app.cli.failures import CliError
from app.core import least_ttl

BACKLOG = 4_096
HANDSHAKE_SECONDS = 1.0
"""For handshakes that have begun to end: a round trip, and time on a machine that is busy."""
TAKEN_SECONDS = 5.0
"""For workers to take the connections that wait for them."""

_SYN_RECEIVED = "03"
_UNACKED_AT = 24
"""Where tcpi_unacked lies in Linux' tcp_info: of a listener, the connections nobody has taken."""


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a listener on `host`. Raises CliError."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise CliError(f"--host {host}: {error}") from error
    return all(ipaddress.ip_address(address[0]).is_loopback for *_, address in found)


def bind(host: str, port: int) -> socket.socket:
    """A bound socket that does not listen yet. Raises CliError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise _refusal(host, port, error) from error
    listener.set_inheritable(True)
    return listener


def listen(listener: socket.socket) -> None:
    """From here on connections wait for a worker. Raises CliError."""
    try:
        listener.listen(BACKLOG)
    except OSError as error:  # somebody else bound the port too, and was quicker
        host, port = listener.getsockname()[:2]
        raise _refusal(host, port, error) from error


def let_nobody_in(listener: socket.socket) -> None:
    """Before the listener is closed: lets no new connection begin, and waits until those that
    have begun are a worker's. To close it at once would reset those.

    Who is not let in hears nothing, tries again a second later, and is refused then: nothing was
    sent, so a proxy may take another backend. By the least TTL that the listener hears, which needs
    no privilege, as a filter does on some kernels; connections that become complete now have it
    too, until a worker takes them (api/http_protocol.py). Outside Linux this does nothing.
    """
    try:
        _drop_handshakes(listener)
    except OSError as error:
        logging.getLogger(__name__).info("connections may be cut off at the stop: %s", error)
        return
    began = time.monotonic()
    while (waited := time.monotonic() - began) < TAKEN_SECONDS:
        time.sleep(0.02)
        # In this order: the first become the second.
        if waited < HANDSHAKE_SECONDS and _is_shaking_hands(listener):
            continue
        if not _untaken(listener):
            return


def _drop_handshakes(listener: socket.socket) -> None:
    """Raises OSError where that can't be had."""
    if sys.platform != "linux":
        raise OSError(errno.ENOPROTOOPT, "no such option here")
    least_ttl.hear_from(listener, least_ttl.NO_HOP)


def _is_shaking_hands(listener: socket.socket) -> bool:
    """Whether somebody's connection has begun and is not yet complete."""
    port = f":{listener.getsockname()[1]:04X}"
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        with contextlib.suppress(OSError), table.open() as lines:
            for line in lines:
                _, local, _, state, *_ = line.split()
                if state == _SYN_RECEIVED and local.endswith(port):
                    return True
    return False


def _untaken(listener: socket.socket) -> int:
    info = listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _UNACKED_AT + 4)
    return int(struct.unpack_from("I", info, _UNACKED_AT)[0])


def _refusal(host: str, port: int, error: OSError) -> CliError:
    if error.errno == errno.EADDRINUSE:
        return CliError(f"port {port} on {host} is taken: choose another --port")
    return CliError(f"cannot listen on {host}, port {port}: {error.strerror or error}")


def url_of(listener: socket.socket) -> str:
    """Where a client on this machine reaches it."""
    host, port = listener.getsockname()[:2]
    if ipaddress.ip_address(host).is_unspecified:
        host = "::1" if ":" in host else "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
