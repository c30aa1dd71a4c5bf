"""What producers posted through Redis and no worker has stored: posted again when it is overdue.

A message is taken out of its list before anybody has read it. Redis gives it to a connection whose
worker has left, or a worker loses Redis before it could write down what it holds, and it is gone
(redis.io, "Pattern: Reliable queue"). So `notifier.client` writes each event down first.
"""

from __future__ import annotations

import json
import logging
import time
from contextlib import suppress
from functools import cache
from typing import Any
from uuid import UUID

from kombu import Connection

from notifier.client.over_redis import (
    EVENTS_QUEUE,
    INGEST_TASK,
    POSTED,
    POSTED_AT,
    Task,
    publish_many,
)
from worker.queues import UNREACHABLE, broker, redis_client

log = logging.getLogger(__name__)

OVERDUE_S = 60.0
"""Longer than storing an event takes."""
MOST = 500
"""A sweep posts so many again, while no more than that wait."""


@cache
def _connection() -> Connection:
    return broker()


def forget(message_id: str) -> None:
    """Delete what is stored or in quarantine; where Redis can't be told, it is posted again."""
    with suppress(*UNREACHABLE):
        _forget(redis_client(_connection()), [message_id])


def _forget(redis: Any, message_ids: list[str]) -> None:
    with redis.pipeline(transaction=False) as pipe:  # inside MULTI a full Redis refuses deletions
        pipe.hdel(POSTED, *message_ids)
        pipe.zrem(POSTED_AT, *message_ids)
        pipe.execute()


def post_overdue() -> dict[str, int]:
    """Post again what was posted a minute before whatever waits now, and still is not stored.

    The queue is first in, first out: so that is in no worker's way, and was taken from the list.
    Should it arrive all the same, the event is known by its id. Behind a backlog nothing is posted:
    after an outage of the database that is in no order, and needs no doubles.
    """
    with suppress(*UNREACHABLE):  # the sweep's next try comes soon
        redis = redis_client(_connection())
        if overdue := _overdue(redis):
            _post(redis, overdue)
            log.warning("%d events that Redis or a worker had lost are posted again", len(overdue))
        return {"posted again": len(overdue)}
    return {"posted again": 0}


def _overdue(redis: Any) -> list[Task]:
    if redis.llen(EVENTS_QUEUE) > MOST:
        return []
    before = _oldest_waiting(redis) - OVERDUE_S
    ids = [
        each.decode() for each in redis.zrangebyscore(POSTED_AT, "-inf", before, start=0, num=MOST)
    ]
    if not ids:
        return []
    events = zip(ids, redis.hmget(POSTED, ids), strict=True)
    found = {each: _task(each, event) for each, event in events}
    if nothing := [each for each, task in found.items() if task is None]:
        _forget(redis, nothing)
    return [task for task in found.values() if task]


def _task(message_id: str, event: bytes | None) -> Task | None:
    """Return what is to be published; None for what was half forgotten, and for garbage."""
    if event is None:
        return None
    try:
        return Task(INGEST_TASK, [json.loads(event)], UUID(message_id), "(an event)", again=True)
    except ValueError:
        log.error("%s: dropped what is no event", POSTED)  # noqa: TRY400 - it may quote one
        return None


def _oldest_waiting(redis: Any) -> float:
    """Return when the oldest message that waits was made: its id tells, where it is ours."""
    oldest = redis.lindex(EVENTS_QUEUE, -1)
    if oldest is None:
        return time.time()
    try:
        made = UUID(json.loads(oldest)["headers"]["id"])
    except (ValueError, KeyError, TypeError):
        return 0.0  # somebody else's: soon taken
    return (made.int >> 80) / 1000 if made.version == 7 else 0.0  # noqa: PLR2004 - RFC 9562


def _post(redis: Any, tasks: list[Task]) -> None:
    """Publish, and look again in a minute."""
    publish_many(_connection(), tasks, EVENTS_QUEUE)
    later = dict.fromkeys((str(each.id) for each in tasks), time.time())
    redis.zadd(POSTED_AT, later, xx=True)
