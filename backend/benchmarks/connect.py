"""Connections spread evenly over the workers.

Workers accept from one shared socket, and whoever wakes up first takes most of a burst. Behind
a proxy that evens out in time; a measure of seconds would show the luck of the draw instead.
"""

import re
import socket
from collections import Counter

ATTEMPTS = 20

# The service names its worker at the head of each request's id.
_WORKER = re.compile(rb"x-request-id: ([^-\r]+)-")


def connect(port: int, connections: int, workers: int, path: str) -> list[socket.socket]:
    """So many connected sockets, the same number on each worker if that can be had."""
    share = -(-connections // workers)
    kept: list[socket.socket] = []
    spare: list[socket.socket] = []
    held: Counter[bytes] = Counter()
    for _ in range(ATTEMPTS):
        burst = [socket.create_connection(("127.0.0.1", port)) for _ in range(connections)]
        for each in burst:
            worker = _ask(each, path) if workers > 1 else b""
            if held[worker] < share and len(kept) < connections:
                held[worker] += 1
                kept.append(each)
            else:
                spare.append(each)
        if len(kept) == connections:
            break
    else:
        kept += spare[: connections - len(kept)]
        spare = spare[connections - len(kept) :]
    for each in spare:
        if each not in kept:
            each.close()
    return kept


def _ask(connection: socket.socket, path: str) -> bytes:
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode())
    answer = b""
    while not _complete(answer):
        piece = connection.recv(65_536)
        if not piece:
            raise ConnectionError("closed while asking for the worker's name")
        answer += piece
    found = _WORKER.search(answer)
    return found[1] if found else b""


def _complete(answer: bytes) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    if not end:
        return False
    length = re.search(rb"content-length: (\d+)", head)
    return length is None or len(body) >= int(length[1])
