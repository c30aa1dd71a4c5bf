"""What waits in the queue of events, as a worker would take it."""

from __future__ import annotations

import base64
import json
from typing import Any

from redis import Redis

from notifier.client import EVENTS_QUEUE


def queued(url: str) -> list[tuple[str, dict[str, Any]]]:
    """Return id and event of each message, the first to be taken first."""
    with Redis.from_url(url) as connection:
        found: Any = connection.lrange(EVENTS_QUEUE, 0, -1)
    messages = [json.loads(each) for each in reversed(found)]
    return [
        (each["headers"]["id"], json.loads(base64.b64decode(each["body"]))[0][0])
        for each in messages
    ]
