"""The bare client, against a real Redis."""

from __future__ import annotations

import base64
import datetime as dt
import json
import signal
import threading
import time
import types
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from celery.worker.request import Request
from kombu import Connection, pools
from redis import Redis

from notifier.client import EVENTS_QUEUE, MAX_BYTES, Notifier
from notifier.client.over_redis import RedisTransport
from notifier.errors import InvalidEvent, NotifierError, QueueUnavailable
from notifier.ids import event_id_for
from servers.process import free_port
from servers.redis import RedisServer

AT_MOST_S = 6.0
"""Generous: it should be 3 s, and other tests share the machine."""


@pytest.fixture
def redis(redis_server: RedisServer) -> Iterator[Redis]:
    with Redis.from_url(redis_server.url) as connection:
        connection.flushall()
        yield connection
    pools.reset()


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis that a test may hang or end."""
    with RedisServer(tmp_path) as server:
        yield server
    pools.reset()


@pytest.fixture
def shop(redis_server: RedisServer, redis: Redis) -> Notifier:
    return Notifier(redis_server.url, source="shop")


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> Notifier:
    """A client whose events must never be posted."""

    def fail(*_args: object, **_options: object) -> None:
        raise AssertionError("it was posted")

    monkeypatch.setattr(RedisTransport, "post", fail)
    return Notifier("redis://127.0.0.1:1/0", source="shop")


def only_message(redis: Redis) -> dict[str, Any]:
    """Return the only message of Redis, from the list `events`."""
    found: Any = redis.lrange(EVENTS_QUEUE, 0, -1)
    assert len(found) == 1
    message: dict[str, Any] = json.loads(found[0])
    return message


def posted(redis: Redis) -> dict[str, Any]:
    """Return the event of the only message."""
    (event,), _, _ = json.loads(base64.b64decode(only_message(redis)["body"]))
    found: dict[str, Any] = event
    return found


def test_an_event_is_one_message_of_the_events_queue(shop: Notifier, redis: Redis) -> None:
    found = shop.send("Order shipped")
    message = only_message(redis)
    assert found.version == 7
    assert message["headers"]["task"] == "notifier.ingest"
    assert message["headers"]["id"] == str(found)
    assert message["content-type"] == "application/json"
    args, kwargs, _ = json.loads(base64.b64decode(message["body"]))
    assert (args, kwargs) == ([{"description": "Order shipped", "source": "shop"}], {})


def test_celery_can_read_it(shop: Notifier, redis: Redis, redis_server: RedisServer) -> None:
    found = shop.send("Order shipped")
    app = Celery("test", set_as_current=False)

    def ingest(event: object) -> object:
        return event

    task = app.task(name="notifier.ingest", shared=False)(ingest)
    with Connection(redis_server.url) as connection, connection.SimpleQueue("events") as queue:
        request = Request(queue.get(timeout=5), app=app, task=task)
    assert (request.id, request.name) == (str(found), "notifier.ingest")
    assert request.argsrepr == "(an event)"
    args, kwargs, _ = request.message.payload
    assert (args, kwargs) == ([{"description": "Order shipped", "source": "shop"}], {})


def test_no_header_shows_an_events_text(shop: Notifier, redis: Redis) -> None:
    shop.send("S3CR3T", tags={"a": "S3CR3T"}, metadata={"a": "S3CR3T"}, recipients=["S3CR3T"])
    message = only_message(redis)
    assert "S3CR3T" in base64.b64decode(message.pop("body")).decode()
    assert "S3CR3T" not in json.dumps(message)


def test_every_field_is_posted_as_it_was_given(shop: Notifier, redis: Redis) -> None:
    moment = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.timezone(dt.timedelta(hours=1)))
    found = shop.send(
        "Order shipped",
        type="CHI",
        level=2,
        tags=["order=7"],
        source="bank",
        incident_key="order-7",
        recipients={"anna"},
        timestamp=moment,
        details_url="https://shop.example/7",
        metadata={"parcels": [1, 2]},
        source_event_id="7-shipped",
        expires=moment,
    )
    assert found == event_id_for("bank", "7-shipped")
    assert posted(redis) == {
        "description": "Order shipped",
        "type": "CHI",
        "level": 2,
        "tags": ["order=7"],
        "source": "bank",
        "incident_key": "order-7",
        "recipients": ["anna"],
        "timestamp": "2026-01-02T03:04:05+01:00",
        "details_url": "https://shop.example/7",
        "metadata": {"parcels": [1, 2]},
        "source_event_id": "7-shipped",
        "expires": "2026-01-02T03:04:05+01:00",
    }


def test_a_named_event_leaves_the_messages_id_to_itself(shop: Notifier, redis: Redis) -> None:
    named = shop.send("x", source_event_id="7")
    assert uuid.UUID(only_message(redis)["headers"]["id"]) != named


@pytest.mark.parametrize(
    ("tags", "arrived"),
    [
        ({"a": "b"}, {"a": "b"}),
        (types.MappingProxyType({"a": "b"}), {"a": "b"}),
        (("a=b",), ["a=b"]),
        ((tag for tag in ["a=b"]), ["a=b"]),
        ([], []),
    ],
)
def test_tags_come_in_any_form(shop: Notifier, redis: Redis, tags: Any, arrived: object) -> None:
    shop.send("x", tags=tags, metadata=types.MappingProxyType({"a": 1}))
    assert posted(redis)["tags"] == arrived
    assert posted(redis)["metadata"] == {"a": 1}


TEXT = "must be a text"
SURROGATE = "holds half of a surrogate pair, which is no character"
ZONE = "must be a datetime with a time zone"
LEVEL = "level: must be a number from 1 (critical) to 5 (information)"


def deep() -> dict[str, Any]:
    outer: dict[str, Any] = {}
    inner = outer
    for _ in range(20_000):
        inner["a"] = inner = {}
    return outer


def endless() -> dict[str, Any]:
    found: dict[str, Any] = {}
    found["again"] = found
    return found


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"description": ""}, "description: must say what happened"),
        ({"description": 5}, f"description: {TEXT}"),
        ({"description": "a\0b"}, "description: holds a NUL character; remove it"),
        ({"description": "\ud800"}, f"description: {SURROGATE}"),
        ({"source_event_id": "\udfff"}, f"source_event_id: {SURROGATE}"),
        ({"source_event_id": 7}, f"source_event_id: {TEXT}"),
        ({"type": 1}, "type: must be one of STA, END, "),
        ({"level": 0}, LEVEL),
        ({"level": 6}, LEVEL),
        ({"level": "2"}, LEVEL),
        ({"level": True}, LEVEL),
        ({"tags": ["a=b", "host"]}, "tags[1]: must be key=value"),
        ({"tags": [1]}, "tags[0]: must be key=value"),
        ({"tags": "a=b"}, "tags: must be a mapping, or a list of texts"),
        ({"recipients": "anna"}, "recipients: must be a list of usernames"),
        ({"timestamp": dt.datetime(2026, 1, 1)}, f"timestamp: {ZONE}"),  # noqa: DTZ001
        ({"timestamp": 1_732_354_200}, f"timestamp: {ZONE}"),
        ({"timestamp": "2026-01-01T00:00:00Z"}, f"timestamp: {ZONE}"),
        ({"expires": dt.datetime(2026, 1, 1)}, f"expires: {ZONE}"),  # noqa: DTZ001
        ({"metadata": {"a": float("nan")}}, "metadata.a: not a finite number"),
        ({"metadata": {"a": float("inf")}}, "metadata.a: not a finite number"),
        ({"metadata": {"a": {1, 2}}}, "metadata: is no JSON: Object of type set is not JSON"),
        ({"metadata": {"a": 10**5000}}, "metadata: is no JSON: Exceeds the limit"),
        ({"metadata": deep()}, "metadata: is no JSON: maximum recursion depth exceeded"),
        ({"metadata": endless()}, "metadata: is no JSON: Circular reference detected"),
        ({"description": "x" * 5_000_000}, "description: has 5,000,000 characters; at most 16,384"),
        ({"tags": ["a=b"] * 65}, "tags: at most 64; these are 65"),
        ({"metadata": {"a": "x" * 65_536}}, "metadata: 65,545 bytes as JSON; at most 65,536"),
        (
            {"recipients": ["x" * 200] * 2_000},
            f"event: 408,062 bytes as JSON; at most {MAX_BYTES:,}",
        ),
    ],
)
def test_a_bad_field_is_named_and_nothing_is_posted(
    nowhere: Notifier, fields: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InvalidEvent) as refused:
        nowhere.send(**{"description": "Disk full", **fields})
    assert str(refused.value).startswith(sentence)
    assert isinstance(refused.value, ValueError)


def test_an_event_needs_a_source(nowhere: Notifier) -> None:
    nobody = Notifier("redis://127.0.0.1:1/0")
    with pytest.raises(InvalidEvent, match=r"^source: name it here or in Notifier\(…, source=…\)$"):
        nobody.send("x")


def test_every_bad_field_is_named_at_once(nowhere: Notifier) -> None:
    with pytest.raises(InvalidEvent) as refused:
        nowhere.send("", level=9, tags=["a"])
    assert [each.field for each in refused.value.problems] == ["description", "level", "tags[0]"]


@pytest.mark.parametrize("url", ["", "localhost", "ftp://localhost", "amqp://localhost"])
def test_a_url_of_something_else_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match=r"^url must start with redis://.*, https://"):
        Notifier(url)


def send_and_fail(url: str) -> float:
    """Send in vain; return how many seconds it took."""
    notifier = Notifier(url, source="shop")
    began = time.monotonic()
    with pytest.raises(QueueUnavailable, match=r"^Redis can't be reached \(\w+\); what "):
        notifier.send("x")
    return time.monotonic() - began


def test_a_redis_that_is_not_there_is_told_soon() -> None:
    assert send_and_fail(f"redis://127.0.0.1:{free_port()}/0") < AT_MOST_S
    assert issubclass(QueueUnavailable, ConnectionError)
    assert issubclass(QueueUnavailable, NotifierError)


@pytest.mark.parametrize("before", [True, False])
def test_a_redis_that_hangs_is_told_soon(own_server: RedisServer, before: bool) -> None:
    notifier = Notifier(own_server.url, source="shop")
    if before:
        notifier.send("x")  # so that a connection is open when it begins to hang
    own_server.process.signal(signal.SIGSTOP)
    # whoever would wait for ever is woken, and fails
    wake = threading.Timer(20, own_server.process.signal, [signal.SIGCONT])
    wake.start()
    try:
        assert send_and_fail(own_server.url) < AT_MOST_S
    finally:
        wake.cancel()
        own_server.process.signal(signal.SIGCONT)
    notifier.send("x")


def test_after_a_restart_it_goes_on(own_server: RedisServer) -> None:
    notifier = Notifier(own_server.url, source="shop")
    notifier.send("x")
    own_server.kill()
    send_and_fail(own_server.url)
    own_server.restart()
    notifier.send("x")
    with Redis.from_url(own_server.url) as connection:
        assert connection.llen(EVENTS_QUEUE) == 1


@pytest.mark.parametrize("args", [["--requirepass", "x"], ["--maxmemory", "1"]])
def test_a_redis_that_refuses_is_as_good_as_away(tmp_path: Path, args: list[str]) -> None:
    with RedisServer(tmp_path, args=args) as server:
        assert send_and_fail(server.url) < AT_MOST_S
    pools.reset()
