"""Celery without Notifier: two worker processes draining a queue of tasks that do nothing."""

from __future__ import annotations

import time
from contextlib import ExitStack

from redis import Redis

from bench.raw import noop
from bench.site import START_LIMIT_S, Site
from servers.process import wait_until

WORKERS = 2
"""As many as the pipeline has: one for events, one for the medium."""


def measure(site: Site, count: int) -> dict[str, float]:
    """Return tasks a second: as plain as Celery gets, and consumed as Notifier's queues are."""
    return {
        "raw.tasks": _drained(site, count, "bench.raw.noop", "solo"),
        "raw.tasks.likewise": _drained(site, count, "bench.raw.likewise", "prefork"),
    }


def _drained(site: Site, count: int, app: str, pool: str) -> float:
    with ExitStack() as stack, Redis.from_url(site.redis_url) as redis:
        for number in range(WORKERS):
            site.start_celery(stack, f"noop{number}", noop.QUEUE, app=app, pool=pool)
        wait_until(_all_answer, timeout_s=START_LIMIT_S, what="both workers answering")
        noop.app.control.cancel_consumer(noop.QUEUE, reply=True)
        with noop.app.producer_or_acquire() as producer:
            for _ in range(count):
                noop.nothing.apply_async(producer=producer)
        waiting = int(redis.llen(noop.QUEUE))
        started = time.monotonic()
        noop.app.control.add_consumer(noop.QUEUE)
        wait_until(lambda: not redis.llen(noop.QUEUE), timeout_s=120, what="an empty queue")
        return waiting / (time.monotonic() - started)


def _all_answer() -> bool:
    replies = noop.app.control.broadcast("ping", reply=True, limit=WORKERS, timeout=1.0)
    return len(replies or ()) == WORKERS
