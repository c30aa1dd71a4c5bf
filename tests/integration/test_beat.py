"""Beat goes on whatever somebody does to the clock, and stops where nobody consumes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
import redis
import time_machine
from celery import Celery

from servers.process import wait_until
from servers.redis import RedisServer
from worker.beat import MOST_WAITING, Scheduler

INTERVAL_S = 0.001


@pytest.fixture
def scheduler(redis_server: RedisServer) -> Iterator[Scheduler]:
    """A beat with one short interval."""
    app = Celery("tests", broker=redis_server.url, set_as_current=False)
    app.conf.update(
        task_ignore_result=True,
        beat_schedule={
            "sweep": {
                "task": "notifier.sweep",
                "schedule": INTERVAL_S,
                "options": {"queue": "maintenance", "expires": 1.0},
            }
        },
    )
    redis.Redis.from_url(redis_server.url).flushall()
    scheduler = Scheduler(app)
    yield scheduler
    app.close()


def tick(scheduler: Scheduler, until: int) -> None:
    """Let it tick until so many runs of the interval have come, published or not."""

    def came() -> bool:
        scheduler.tick()
        return bool(scheduler.schedule["sweep"].total_run_count >= until)

    wait_until(came, timeout_s=10, what=f"run {until}", poll_s=INTERVAL_S)


def waiting(server: RedisServer) -> list[bytes]:
    """Return the messages that wait."""
    found: list[bytes] = redis.Redis.from_url(server.url).lrange("maintenance", 0, -1)  # type: ignore[assignment] # not a coroutine here
    return found


def test_no_more_than_ten_messages_wait_for_nobody(
    scheduler: Scheduler, redis_server: RedisServer
) -> None:
    tick(scheduler, until=3 * MOST_WAITING)
    assert len(waiting(redis_server)) == MOST_WAITING


def test_no_message_says_when_it_expires(scheduler: Scheduler, redis_server: RedisServer) -> None:
    tick(scheduler, until=1)
    assert b'"expires": null' in waiting(redis_server)[0]


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_that_is_set_changes_no_interval(scheduler: Scheduler, hours: int) -> None:
    tick(scheduler, until=1)
    entry: Any = scheduler.schedule["sweep"]
    before: dt.datetime = entry.last_run_at
    now = dt.datetime.now(dt.UTC)
    with time_machine.travel(now + dt.timedelta(hours=hours), tick=True):
        tick(scheduler, until=entry.total_run_count + 3)
        latest: Any = scheduler.schedule["sweep"]
    assert abs(latest.last_run_at - before) < dt.timedelta(minutes=1)


def test_a_beat_that_was_asked_to_stop_ends_even_if_the_handlers_exception_was_lost() -> None:
    scheduler = Scheduler(Celery("tests", broker="memory://", set_as_current=False))
    assert scheduler.tick() > 0
    scheduler.close()
    with pytest.raises(SystemExit):
        scheduler.tick()
