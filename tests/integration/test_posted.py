"""What a producer posts through Redis, and Redis or a worker loses, on a real Redis."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import redis

from notifier import ids
from notifier.client import Notifier, over_redis, publish
from notifier.client.over_redis import EVENTS_QUEUE, POSTED, POSTED_AT, connect
from notifier.models import Event, Source
from servers.redis import RedisServer
from worker import posted, tasks

if TYPE_CHECKING:
    from pytest_django.fixtures import Settings


@pytest.fixture
def server(tmp_path: Path, settings: Settings) -> Iterator[redis.Redis]:
    """A client of a Redis of the test's own."""
    with RedisServer(tmp_path) as server, redis.Redis.from_url(server.url) as client:
        settings.NOTIFIER_REDIS_URL = server.url
        posted._connection.cache_clear()
        yield client
    posted._connection.cache_clear()


@pytest.fixture
def shop(server: redis.Redis, settings: Settings) -> Notifier:
    """A producer."""
    return Notifier(str(settings.NOTIFIER_REDIS_URL), source="shop")


LetTimePass = Callable[[], None]


@pytest.fixture
def let_time_pass(monkeypatch: pytest.MonkeyPatch) -> LetTimePass:
    """Return what sets the clocks of worker and messages forward, so that all is overdue."""
    passed = 0.0
    clock = SimpleNamespace(
        time=lambda: time.time() + passed,
        time_ns=lambda: time.time_ns() + int(passed * 1e9),
        monotonic=time.monotonic,
    )
    for module in (posted, over_redis, ids):
        monkeypatch.setattr(module, "time", clock)

    def forward() -> None:
        nonlocal passed
        passed += posted.OVERDUE_S + 1

    return forward


def waiting(server: redis.Redis) -> Any:
    return server.lrange(EVENTS_QUEUE, 0, -1)


def test_what_was_lost_is_posted_again_until_it_is_stored(
    server: redis.Redis, shop: Notifier, let_time_pass: LetTimePass
) -> None:
    event_id = str(shop.send("disk full"))
    server.delete(EVENTS_QUEUE)  # as if given to somebody who had left
    assert posted.post_overdue() == {"posted again": 0}

    for _ in range(2):  # nor does it end with the first try
        let_time_pass()
        assert posted.post_overdue() == {"posted again": 1}
        [message] = waiting(server)
        assert event_id.encode() in message
        assert b'"redelivered": true' in message  # it may have killed who took it
        server.delete(EVENTS_QUEUE)
        assert posted.post_overdue() == {"posted again": 0}  # it has its minute

    posted.forget(event_id)
    let_time_pass()
    assert posted.post_overdue() == {"posted again": 0}
    assert not server.exists(POSTED, POSTED_AT)


def test_a_backlog_is_never_posted_twice(
    server: redis.Redis, shop: Notifier, let_time_pass: LetTimePass
) -> None:
    shop.send_many([{"description": f"event {number}"} for number in range(10)])
    let_time_pass()
    assert posted.post_overdue() == {"posted again": 0}
    assert len(waiting(server)) == 10


def test_a_stranger_at_the_queues_end_is_waited_for(
    server: redis.Redis, shop: Notifier, let_time_pass: LetTimePass
) -> None:
    server.lpush(EVENTS_QUEUE, b"whatever")
    shop.send("disk full")
    let_time_pass()
    assert posted.post_overdue() == {"posted again": 0}
    server.rpop(EVENTS_QUEUE)
    server.delete(EVENTS_QUEUE)
    assert posted.post_overdue() == {"posted again": 1}


def test_what_was_taken_out_of_the_middle_of_a_backlog_is_missed(
    server: redis.Redis, shop: Notifier, settings: Settings, let_time_pass: LetTimePass
) -> None:
    shop.send("disk full")
    server.delete(EVENTS_QUEUE)
    let_time_pass()
    with connect(str(settings.NOTIFIER_REDIS_URL)) as connection:
        publish(connection, "notifier.dispatch", [[]], EVENTS_QUEUE)
    assert posted.post_overdue() == {"posted again": 1}


def test_what_is_half_forgotten_is_forgotten(
    server: redis.Redis, shop: Notifier, let_time_pass: LetTimePass
) -> None:
    event_id = str(shop.send("disk full"))
    server.hdel(POSTED, event_id)
    server.delete(EVENTS_QUEUE)
    let_time_pass()
    assert posted.post_overdue() == {"posted again": 0}
    assert not server.exists(POSTED_AT)


def test_garbage_is_dropped_and_stops_nothing(
    server: redis.Redis, shop: Notifier, let_time_pass: LetTimePass
) -> None:
    shop.send("disk full")
    server.delete(EVENTS_QUEUE)
    for message_id, event in (("no id", "{}"), (str(ids.new_event_id()), "{")):
        server.hset(POSTED, message_id, event)
        server.zadd(POSTED_AT, {message_id: 1})
    let_time_pass()
    assert posted.post_overdue() == {"posted again": 1}
    assert server.hlen(POSTED) == server.zcard(POSTED_AT) == 1


def test_behind_a_backlog_nothing_is_posted(
    server: redis.Redis, shop: Notifier, let_time_pass: LetTimePass, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posted, "MOST", 2)
    shop.send("disk full")
    server.delete(EVENTS_QUEUE)
    let_time_pass()
    shop.send_many([{"description": "later"}] * 3)
    assert posted.post_overdue() == {"posted again": 0}
    server.rpop(EVENTS_QUEUE)
    assert posted.post_overdue() == {"posted again": 1}


def test_a_message_that_names_its_event_is_noted_as_often_as_it_is_posted(
    server: redis.Redis, shop: Notifier
) -> None:
    for _ in range(2):
        shop.send("disk full", source_event_id="1")
    assert server.hlen(POSTED) == 2
    assert server.zcount(POSTED_AT, time.time() - 60, time.time()) == 2


def test_the_task_that_stores_an_event_forgets_it_and_the_sweep_misses_it(
    source: Source,
    server: redis.Redis,
    shop: Notifier,
    let_time_pass: LetTimePass,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    event_id = str(shop.send("disk full"))
    server.delete(EVENTS_QUEUE)
    let_time_pass()
    assert tasks.sweep()["posted again"] == 1

    event = {"source": source.name, "description": "disk full"}
    request = SimpleNamespace(id=event_id, delivery_info={})
    monkeypatch.setattr(tasks, "current_task", SimpleNamespace(request=request))
    tasks.ingest.run(event)  # as itself: Celery's signals would close the test's connection
    assert Event.objects.filter(pk=event_id).exists()
    assert not server.exists(POSTED, POSTED_AT)


def test_without_redis_nothing_is_raised(settings: Settings) -> None:
    settings.NOTIFIER_REDIS_URL = "redis://127.0.0.1:1/0"
    posted._connection.cache_clear()
    posted.forget("some message")
    assert posted.post_overdue() == {"posted again": 0}
    posted._connection.cache_clear()
