"""Posting over HTTP, on kept-alive connections: cheap enough not to be what is measured."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

CONNECTIONS = 2


def post(
    port: int,
    token: str,
    posted: Sequence[dict[str, Any]],
    *,
    size: int,
    connections: int = CONNECTIONS,
) -> float:
    """Post events in lists of `size`, or each by itself; return the seconds it took.

    Raises `RuntimeError` for any answer but 202.
    """
    bodies = [
        json.dumps(posted[start] if size == 1 else posted[start : start + size]).encode()
        for start in range(0, len(posted), size)
    ]
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    work = _worker(port, "POST", "/api/v1/events", headers, wanted=202)
    return _share(work, bodies, connections)


def get(port: int, path: str, count: int) -> float:
    """Get a page `count` times; return the seconds it took."""
    return _share(_worker(port, "GET", path, {}, wanted=200), [b""] * count, CONNECTIONS)


def _share(
    work: Callable[[Sequence[bytes]], None], bodies: Sequence[bytes], connections: int
) -> float:
    started = time.monotonic()
    with ThreadPoolExecutor(connections) as pool:
        list(pool.map(work, [bodies[number::connections] for number in range(connections)]))
    return time.monotonic() - started


def _worker(
    port: int, method: str, path: str, headers: dict[str, str], *, wanted: int
) -> Callable[[Sequence[bytes]], None]:
    def work(bodies: Sequence[bytes]) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        for body in bodies:
            connection.request(method, path, body or None, headers)
            answer = connection.getresponse()
            text = answer.read()
            if answer.status != wanted:
                raise RuntimeError(f"{method} {path}: {answer.status} {text[:500]!r}")
        connection.close()

    return work
