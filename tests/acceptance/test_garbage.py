"""What is no task of ours, in the workers' queues: refused in one log line each, all else goes on."""

from __future__ import annotations

import base64
import json
import pickle
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from notifier.client import Notifier
from tests.acceptance.stack import Stack, eventually, recipients

SECRET = "S3CR3T"
NOBODY = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}


def encoded(body: object) -> str:
    return base64.b64encode(json.dumps(body).encode()).decode()


def message(queue: str, number: int, **changed: Any) -> dict[str, Any]:
    """Return what Celery puts into a Redis list, with other headers or properties."""
    headers = {"task": "notifier.dispatch", "id": f"id-{number}", "lang": "py", "retries": 0}
    properties = {
        "delivery_tag": f"tag-{number}",
        "delivery_info": {"exchange": "", "routing_key": queue},
        "body_encoding": "base64",
    }
    whole = {
        "body": encoded([[SECRET], {}, NOBODY]),
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": headers,
        "properties": properties,
    }
    return {**whole, **changed}


def without(part: str, name: str, queue: str, number: int) -> dict[str, Any]:
    whole = message(queue, number)
    del whole[part][name]
    return whole


def no_messages(queue: str) -> Iterator[bytes]:
    """Yield items that are not even an envelope."""
    yield SECRET.encode()
    yield b"\xff\xfe\x00"
    yield from (b"5", b"null", b"[1, 2]", b"{}", b"[" * 200_000)
    yield json.dumps(message(queue, 1, properties=None)).encode()
    yield json.dumps(message(queue, 1, headers=[1])).encode()
    yield json.dumps(message(queue, 1, body=None)).encode()
    yield json.dumps(message(queue, 1, body="a")).encode()
    for name in ("delivery_tag", "delivery_info"):
        yield json.dumps(without("properties", name, queue, 1)).encode()


def no_tasks(queue: str) -> Iterator[bytes]:
    """Yield messages that no task can be made of."""
    bodies: list[object] = [5, [1, 2], {"x": SECRET}]
    pickled = base64.b64encode(pickle.dumps([[], {}, NOBODY])).decode()
    deadly = "application/x-python-serialize"
    wholes = [message(queue, 10 + n, body=encoded(body)) for n, body in enumerate(bodies)]
    wholes += [
        message(queue, 20, body=base64.b64encode(b"no JSON").decode()),
        message(queue, 21, body=pickled, **{"content-type": deadly}),
        message(queue, 23, headers={"task": "notifier.of_tomorrow", "id": "id-23"}),
        message(queue, 24, headers={"task": [SECRET], "id": "id-24"}),
        message(queue, 25, headers={"task": 5, "id": "id-25"}),
        without("headers", "id", queue, 26),
        without("headers", "task", queue, 27),
    ]
    yield from (json.dumps(whole).encode() for whole in wholes)


def wrong_calls(queue: str) -> Iterator[bytes]:
    """Yield messages whose task is one of ours, called wrongly, or far too large."""
    called = {"task": "notifier.deliver", "id": "id-30"}
    yield json.dumps(message(queue, 30, headers=called, body=encoded([[], {}, NOBODY]))).encode()
    yield json.dumps(message(queue, 31, body=encoded([["x" * 10_000_000], {}, NOBODY]))).encode()
    hurried = {"task": "notifier.dispatch", "id": "id-33", "timelimit": 5}
    yield json.dumps(message(queue, 33, headers=hurried)).encode()
    no_medium = encoded([["no-such-medium"], {}, NOBODY])
    yield json.dumps(message(queue, 32, headers=called, body=no_medium)).encode()


@pytest.mark.parametrize("queue", ["events", "media.email"])
def test_garbage_in_a_queue_ends_no_worker_and_holds_nothing_up(
    stack: Stack, token: str, people: list[str], queue: str
) -> None:
    stack.standard()
    garbage, refused = [*no_messages(queue)], [*no_tasks(queue)]
    with redis.Redis.from_url(stack.redis.url) as client:
        for item in [*garbage, *refused, *wrong_calls(queue)]:
            client.lpush(queue, item)
        Notifier(stack.redis.url, source="shop").send("all is well", recipients=people[:2])

        assert recipients(stack.wait_for_mails(2)) == ["user0@example.org", "user1@example.org"]
        eventually(lambda: not client.llen(queue) + client.hlen("unacked"), "the end of the queue")

    assert all(worker.container.status == "running" for worker in stack.workers)
    [log] = [each.logs() for each in stack.workers if f"queue {queue}: " in each.logs()]
    assert log.count(f"queue {queue}: dropped an item of ") == len(garbage)
    assert log.count(f"queue {queue}: refused a message: ") == len(refused)
    assert "there is no task 'notifier.of_tomorrow'" in log
    assert "lost" not in log
    assert SECRET not in log
