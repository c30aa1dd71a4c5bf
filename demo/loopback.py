"""HTTP on this machine; not urllib, which would ask the environment's proxy."""

from __future__ import annotations

import http.client
import json


def request(
    port: int, method: str, path: str, *, body: object = None, token: str = ""
) -> tuple[int, bytes]:
    """Send a request to 127.0.0.1, return status and body; raise `OSError` where nobody answers."""
    headers = {"Content-Type": "application/json"} if body is not None else {}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        response = connection.getresponse()
        return response.status, response.read()
    except http.client.HTTPException as error:
        raise ConnectionError(f"{method} {path} was not answered") from error
    finally:
        connection.close()


def status_of(port: int, path: str) -> int:
    """Return the status that a page answers with, 0 where nobody does."""
    try:
        return request(port, "GET", path)[0]
    except OSError:
        return 0
