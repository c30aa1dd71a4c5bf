"""Nudges on a real Redis: never raising, never waiting long."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import redis

from notifier.client import publish
from notifier.ids import new_event_id
from servers.redis import RedisServer
from worker import queues
from worker.queues import CeleryQueue

if TYPE_CHECKING:
    from pytest_django.fixtures import Settings


@pytest.fixture
def server(tmp_path: Path, settings: Settings) -> Iterator[RedisServer]:
    """A Redis of the test's own."""
    with RedisServer(tmp_path) as server:
        settings.NOTIFIER_REDIS_URL = server.url
        yield server


def waiting(server: RedisServer, queue: str) -> list[list[object]]:
    """Return the arguments of the messages in a queue, the oldest first."""
    with redis.Redis.from_url(server.url) as client:
        messages = [json.loads(each) for each in reversed(client.lrange(queue, 0, -1))]
    return [json.loads(base64.b64decode(each["body"]))[0] for each in messages]


def test_a_nudge_names_rows(server: RedisServer) -> None:
    queue = CeleryQueue()
    event = new_event_id()
    queue.dispatch([event])
    queue.deliver("email", [1, 2])
    assert waiting(server, "events") == [[[str(event)]]]
    assert waiting(server, "media.email") == [["email", [1, 2]]]
    assert queue.lengths() == {"events": 1, "media.email": 1, "media.sms": 0, "maintenance": 0}


def test_a_medium_is_not_nudged_while_a_nudge_waits(server: RedisServer) -> None:
    queue = CeleryQueue()
    for number in range(3):
        queue.deliver("email", [number])
    assert waiting(server, "media.email") == [["email", [0]]]


def test_events_are_not_asked_for_while_that_waits(server: RedisServer) -> None:
    queue = CeleryQueue()
    events = [new_event_id() for _ in range(3)]
    for event in events:
        queue.dispatch([event])
    assert waiting(server, "events") == [[[str(events[0])]]]


@pytest.mark.parametrize("task", ["notifier.canary", "notifier.ingest"])
def test_another_message_that_waits_is_no_nudge(server: RedisServer, task: str) -> None:
    queue = CeleryQueue()
    with queues.broker() as connection:
        for name in ("events", "media.email"):
            # as a foreign client may have it shown
            publish(connection, task, ["x"], name, shown_args='"task": "notifier.dispatch"')
    queue.dispatch([new_event_id()])
    queue.deliver("email", [1])
    assert queue.lengths()["events"] == queue.lengths()["media.email"] == 2


def test_a_nudge_that_was_taken_is_followed_by_the_next(server: RedisServer) -> None:
    queue = CeleryQueue()
    event = new_event_id()
    queue.dispatch([event])
    with redis.Redis.from_url(server.url) as client:
        client.rpop("events")
    queue.dispatch([event])
    assert queue.lengths()["events"] == 1


def test_a_nudge_names_a_hundred_rows_at_most(server: RedisServer) -> None:
    CeleryQueue().deliver("email", range(1000))
    assert waiting(server, "media.email") == [["email", list(range(100))]]


@pytest.mark.parametrize("connected", [True, False])
def test_without_redis_nothing_is_raised_and_nothing_is_tried_for_a_while(
    server: RedisServer, connected: bool, caplog: pytest.LogCaptureFixture
) -> None:
    queue = CeleryQueue()
    if connected:
        queue.deliver("email", [1])
    server.kill()
    queue.deliver("email", [2])
    queue.dispatch([new_event_id()])
    [warning] = [each for each in caplog.records if each.name == "notifier.outages"]
    assert "the sweep will find what waits" in warning.getMessage()
    with pytest.raises(ConnectionError, match="Redis can't be reached"):
        queue.lengths()


def test_when_redis_is_back_nudges_go_on(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    queue = CeleryQueue()
    queue.deliver("email", [1])
    server.kill()
    monkeypatch.setattr(queues, "PAUSE_AFTER_FAILURE_S", 0)
    queue.deliver("email", [2])
    server.restart()
    queue.deliver("email", [3])
    assert waiting(server, "media.email") == [["email", [3]]]
    assert [each for each in caplog.messages if each.startswith("Redis works again")]
