"""A canary per queue, on a real Redis: one, and not one more while it waits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import redis

from notifier.models import Heartbeat
from servers.redis import RedisServer
from worker import canaries
from worker.queues import queue_names

if TYPE_CHECKING:
    from pytest_django.fixtures import Settings

EVERY = len(["events", "media.email", "media.sms", "maintenance"])


@pytest.fixture
def server(tmp_path: Path, settings: Settings) -> Iterator[redis.Redis]:
    """A client of a Redis of the test's own."""
    with RedisServer(tmp_path) as server, redis.Redis.from_url(server.url) as client:
        settings.NOTIFIER_REDIS_URL = server.url
        yield client


def waiting(client: redis.Redis) -> set[int]:
    return {client.llen(name) for name in queue_names()}


def test_in_each_queue_waits_one_and_never_two(server: redis.Redis) -> None:
    assert canaries.release() == {"released": EVERY}
    assert canaries.release() == {"released": 0}
    assert waiting(server) == {1}


def test_one_that_is_lost_is_replaced(server: redis.Redis) -> None:
    canaries.release()
    server.rpop("events")  # its mark is still there
    assert canaries.release() == {"released": 1}
    server.flushall()
    assert canaries.release() == {"released": EVERY}


def test_one_that_arrives_leaves_the_time_and_makes_way_for_the_next(
    db: None, server: redis.Redis
) -> None:
    canaries.release()
    server.lpush("events", "something else")
    server.rpop("events")
    canaries.arrive("events")
    assert Heartbeat.objects.get().name == "queue events"
    assert canaries.release() == {"released": 1}


def test_without_redis_nothing_is_raised(db: None, settings: Settings) -> None:
    settings.NOTIFIER_REDIS_URL = "redis://127.0.0.1:1/0"
    assert canaries.release() == {"released": 0}
    assert canaries.arrive("events") == {"arrived": 1}
