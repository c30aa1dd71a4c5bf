"""Messages cross an upgrade in both directions: old and new workers serve the same queues."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import redis

from notifier.client import Notifier
from notifier.ids import new_event_id
from notifier.models import Event, Heartbeat
from servers.redis import RedisServer
from tests.acceptance.stack import ROOT, Stack, eventually, recipients
from tests.upgrade.recorded import RELEASES, body, messages
from worker.queues import CeleryQueue

if TYPE_CHECKING:
    from pytest_django.fixtures import Settings

BEAT = """
from worker.app import app
for entry in app.conf.beat_schedule.values():
    app.send_task(entry["task"], **entry.get("options", {}))
"""


@pytest.mark.parametrize("release", RELEASES)
def test_new_workers_take_the_messages_of_an_older_release(
    stack: Stack, token: str, people: list[str], release: str
) -> None:
    stack.worker("events", "events", "maintenance")
    stack.worker("media", "media.email", "media.sms")
    stack.setup()
    old = messages(release)
    with redis.Redis.from_url(stack.redis.url) as client:
        for message in [*map(again, old.values()), *map(again, old.values())]:
            queue = message["properties"]["delivery_info"]["routing_key"]
            client.lpush(queue, json.dumps(message))
        queues = {each["properties"]["delivery_info"]["routing_key"] for each in old.values()}

        assert recipients(stack.wait_for_mails(2)) == ["user0@example.org", "user1@example.org"]
        eventually(
            lambda: not client.hlen("unacked") + sum(client.llen(name) for name in queues),
            "the end of the queues",
        )
    eventually(lambda: Heartbeat.objects.filter(name="sweep"), "a sweep")
    assert Event.objects.count() == len(stack.inbox.messages()) == 2
    log = "".join(each.logs() for each in stack.workers)
    for name in {each["headers"]["task"] for each in old.values()}:
        assert f"Task {name}[" in log
    assert "refused" not in log
    assert "raised" not in log


def again(message: dict[str, Any]) -> dict[str, Any]:
    """Return it as it comes once more, before it expires."""
    copied = copy.deepcopy(message)
    if copied["headers"]["expires"]:
        copied["headers"]["expires"] = "2999-01-01T00:00:00+00:00"
    copied["properties"]["delivery_tag"] = str(uuid.uuid4())
    return copied


@pytest.fixture
def server(tmp_path: Path, settings: Settings) -> Iterator[RedisServer]:
    """A Redis of the test's own."""
    with RedisServer(tmp_path) as server:
        settings.NOTIFIER_REDIS_URL = server.url
        yield server


@pytest.mark.parametrize("release", RELEASES)
def test_the_messages_of_today_are_what_an_older_release_reads(
    server: RedisServer, release: str
) -> None:
    Notifier(server.url, source="shop").send(
        "by the bare client",
        recipients=["user0"],
        type="STA",
        incident_key="i1",
        level=2,
        tags={"a": "b"},
        source_event_id="4711",
    )
    queue = CeleryQueue()
    queue.dispatch([new_event_id()])
    queue.deliver("email", [1, 2])
    subprocess.run(
        [sys.executable, "-c", BEAT],
        cwd=ROOT,
        env={"REDIS_URL": server.url, "DJANGO_SETTINGS_MODULE": "tests.settings"},
        check=True,
    )
    today = {shown["headers"]["task"]: shown for shown in waiting(server)}
    for name, recorded in messages(release).items():
        if name == "ingest by Celery":
            continue  # a foreign client's own
        new = today[recorded["headers"]["task"]]
        assert new["properties"]["delivery_info"] == recorded["properties"]["delivery_info"]
        assert new["content-type"] == recorded["content-type"]
        assert new["headers"].keys() >= recorded["headers"].keys()
        (old_args, old_kwargs, _), (new_args, new_kwargs, _) = body(recorded), body(new)
        assert shape(new_args[: len(old_args)]) == shape(old_args)
        assert shape(new_kwargs).items() >= shape(old_kwargs).items()


def waiting(server: RedisServer) -> Iterator[dict[str, Any]]:
    with redis.Redis.from_url(server.url) as client:
        for name in ("events", "media.email", "maintenance"):
            yield from map(json.loads, client.lrange(name, 0, -1))


def shape(value: Any) -> Any:
    """Return a value's types in place of its values."""
    if isinstance(value, dict):
        return {name: shape(each) for name, each in value.items()}
    return [shape(each) for each in value] if isinstance(value, list) else type(value)
