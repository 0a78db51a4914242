"""The listening socket: bound once, in the parent, before anything is started."""

import errno
import ipaddress
import socket

from app.cli.failures import CliError

BACKLOG = 4_096


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
