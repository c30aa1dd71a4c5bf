"""Posting over HTTP on kept-alive connections: bytes made before, so that only sending them costs."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

CONNECTIONS = 4
"""Enough to keep two processes of gunicorn busy."""
LIMIT_S = 60.0
_HEAD_END = b"\r\n\r\n"


def post(port: int, token: str, posted: Sequence[Mapping[str, Any]], *, size: int) -> float:
    """Post events in lists of `size`, or each by itself; return the seconds it took.

    Raises `RuntimeError` for any answer but 202.
    """
    bodies = [
        json.dumps(posted[start] if size == 1 else posted[start : start + size]).encode()
        for start in range(0, len(posted), size)
    ]
    head = (
        f"POST /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
        "Content-Type: application/json\r\nContent-Length: "
    ).encode()
    requests = [b"%b%d%b%b" % (head, len(body), _HEAD_END, body) for body in bodies]
    return _share(port, requests, wanted=b"202")


def get(port: int, path: str, count: int) -> float:
    """Get a page `count` times; return the seconds it took."""
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
    return _share(port, [request] * count, wanted=b"200")


def _share(port: int, requests: Sequence[bytes], *, wanted: bytes) -> float:
    def work(mine: Sequence[bytes]) -> None:
        with socket.create_connection(("127.0.0.1", port), timeout=LIMIT_S) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for request in mine:
                connection.sendall(request)
                answer = _answer(connection)
                if answer[9:12] != wanted:
                    raise RuntimeError(f"answered {answer[:500]!r}")

    started = time.monotonic()
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        list(pool.map(work, [requests[number::CONNECTIONS] for number in range(CONNECTIONS)]))
    return time.monotonic() - started


def _answer(connection: socket.socket) -> bytes:
    """Read one answer that has a Content-Length."""
    answer = b""
    while (end := answer.find(_HEAD_END)) < 0:
        answer += _more(connection)
    lengths = [line for line in answer[:end].lower().split(b"\r\n") if b"content-length" in line]
    size = end + len(_HEAD_END) + int(lengths[0].partition(b":")[2])
    while len(answer) < size:
        answer += _more(connection)
    return answer


def _more(connection: socket.socket) -> bytes:
    if not (data := connection.recv(65_536)):
        raise RuntimeError("the server closed a connection that it should keep")
    return data
