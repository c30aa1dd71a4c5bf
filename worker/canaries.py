"""A canary per queue: a message that leaves the time of its arrival in the database.

So `notifier doctor` knows of each queue whether somebody takes messages from it, and on a quiet
day a worker that has become deaf has something to be deaf to.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from notifier import conf
from notifier.client import publish
from notifier.models import Heartbeat
from worker.queues import UNREACHABLE, broker, queue_names, redis_client

CANARY_TASK = "notifier.canary"
GIVEN_UP_AFTER_S = 600
"""A canary that was lost, in a queue that is never empty, is replaced after so long."""


def _mark(queue: str) -> str:
    return f"notifier.canary.{queue}"


def release() -> dict[str, int]:
    """Send a canary into each queue in which none waits; return how many."""
    released = 0
    with suppress(*UNREACHABLE), broker() as connection:  # without Redis, others say so
        redis = redis_client(connection)
        for queue in queue_names():
            if _is_needed(redis, queue):
                publish(connection, CANARY_TASK, [queue], queue)
                released += 1
    return {"released": released}


def _is_needed(redis: Any, queue: str) -> bool:
    marked = redis.set(_mark(queue), 1, nx=True, ex=GIVEN_UP_AFTER_S)
    return bool(marked) or not redis.llen(queue)


def arrive(queue: str) -> dict[str, int]:
    """Note that a canary came through its queue."""
    Heartbeat.beat(conf.canary_name(queue))
    with suppress(*UNREACHABLE), broker() as connection:  # else its mark ends by itself
        redis_client(connection).delete(_mark(queue))
    return {"arrived": 1}
