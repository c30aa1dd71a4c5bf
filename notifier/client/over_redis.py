"""Through Redis: Celery's messages, published by kombu within seconds, or not at all."""

from __future__ import annotations

import json
import math
import re
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from kombu import Connection, Producer, pools
from kombu.exceptions import (  # type: ignore[attr-defined] # its types lack BatchPublishError
    BatchPublishError,
    LimitExceeded,
    OperationalError,
)

from notifier.client.events import Message
from notifier.deadlines import Deadline
from notifier.errors import QueueUnavailable
from notifier.ids import new_event_id
from notifier.lookups import look_up

EVENTS_QUEUE = "events"
INGEST_TASK = "notifier.ingest"
POSTED = "notifier.posted"
"""The hash of what was posted and is not known to be stored: the event's JSON by its message's id.

Whoever takes a message from a list of Redis may die of it, or have left already, and then it is
nowhere else. Workers delete what they have stored, and post what is overdue again.
"""
POSTED_AT = "notifier.posted.at"
"""The sorted set of when those were posted, in seconds since 1970."""
UNREACHABLE = (OperationalError, BatchPublishError, LimitExceeded, OSError)
"""What kombu raises while Redis can't be reached, or every connection waits for it."""
LIMIT_S = 4.0
"""A post takes no longer, in whatever way Redis fails and however many threads post."""
_LOOKUP_LIMIT_S = 1.0
_KNOWN_FOR_S = 60.0
_ADDRESS = re.compile(r"[0-9.]+|.*:.*")
_SECRET = re.compile(r"(?<=://)[^/;@]*@")

# With these a publish takes at most 0.2 s when Redis refuses and 2-3 s when it hangs; kombu's
# defaults block for ever.
_TRANSPORT_OPTIONS = {
    "socket_timeout": 1,
    "socket_connect_timeout": 1,
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0.1,
    "interval_max": 0.2,
}
_POOL_TIMEOUT_S = 1
_RETRY_POLICY = {"max_retries": 1, "interval_start": 0, "interval_step": 0.1, "interval_max": 0.2}


def connect(redis_url: str, *, master: str | None = None) -> Connection:
    """Return a lazy connection for publishing; safe to share between threads and forks by pools.

    `master` is what the sentinels of a `sentinel://` URL call the Redis to use.
    """
    named = {"master_name": master} if master else {}
    return Connection(redis_url, transport_options=_TRANSPORT_OPTIONS | named)


@dataclass(frozen=True, slots=True)
class Task:
    """A Celery task to publish; `shown_args` is what Flower and logs show of its arguments."""

    name: str
    args: Sequence[Any]
    id: UUID
    shown_args: str | None = None
    again: bool = False
    """Whether the like was published before, and may have ended its worker."""


def publish(
    connection: Connection,
    task: str,
    args: Sequence[Any],
    queue: str,
    *,
    task_id: UUID | None = None,
    shown_args: str | None = None,
) -> None:
    """Publish one task; raise one of `UNREACHABLE`."""
    publish_many(connection, [Task(task, args, task_id or new_event_id(), shown_args)], queue)


def publish_many(
    connection: Connection, tasks: Sequence[Task], queue: str, *, noting: bool = False
) -> None:
    """Publish tasks in one pipeline; raise one of `UNREACHABLE`, and then any may be published.

    `noting` writes what they are of in `POSTED` first.
    """
    with pools.producers[connection].acquire(block=True, timeout=_POOL_TIMEOUT_S) as producer:
        if noting:
            note = producer.connection.ensure(producer, _note, **_RETRY_POLICY)
            note(producer, tasks)
        if len(tasks) == 1:
            _publish(producer, tasks[0], queue)
            return
        try:
            _publish_batch(producer, tasks, queue)
        except BatchPublishError:  # as likely as not of a connection that was kept too long
            _publish_batch(producer, tasks, queue)


def _note(producer: Producer, tasks: Sequence[Task]) -> None:
    channel: Any = producer.channel
    with channel.client.pipeline() as pipe:
        pipe.hset(POSTED, mapping={str(each.id): json.dumps(each.args[0]) for each in tasks})
        pipe.zadd(POSTED_AT, dict.fromkeys((str(each.id) for each in tasks), time.time()))
        pipe.execute()


def _publish_batch(producer: Producer, tasks: Sequence[Task], queue: str) -> None:
    with producer.batch(max_size=len(tasks)):  # type: ignore[attr-defined] # kombu's types lack it
        for task in tasks:
            _publish(producer, task, queue)


def _publish(producer: Producer, task: Task, queue: str) -> None:
    """Publish in Celery's message protocol 2."""
    message_id = str(task.id)
    headers = {
        "lang": "py",
        "task": task.name,
        "id": message_id,
        "root_id": message_id,
        "parent_id": None,
        "group": None,
        "retries": 0,
        "eta": None,
        "expires": None,
        "timelimit": [None, None],
        "argsrepr": repr(tuple(task.args)) if task.shown_args is None else task.shown_args,
        "kwargsrepr": "{}",
        "origin": f"notifier@{socket.gethostname()}",
        "ignore_result": True,
    }
    links = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
    producer.publish(
        (list(task.args), {}, links),
        routing_key=queue,
        serializer="json",
        headers=headers,
        correlation_id=message_id,
        # as the broker itself says of a message that it gives out once more
        delivery_info={"redelivered": True} if task.again else {},
        retry=True,
        retry_policy=_RETRY_POLICY,
    )


class RedisTransport:
    """Posts through Redis; which access is trust, so a message names its source itself."""

    name = "Redis"
    kind = "redis"
    names_events = False

    def __init__(self, url: str, *, master: str | None = None) -> None:
        """Take the broker's URL; sentinels' as `sentinel://host:port;sentinel://host:port/0`."""
        if url.startswith("sentinel://") and not master:
            raise ValueError("sentinel:// needs master, the name that the sentinels know it by")
        self._connection = connect(url, master=master)
        self.origin = _SECRET.sub("", url.partition("?")[0])
        self._hosts = _hosts(url)
        self._answered_at = -math.inf

    def post(self, messages: Sequence[Message]) -> None:
        """Publish in one go; raise `QueueUnavailable` within `LIMIT_S`."""
        tasks = [
            Task(
                INGEST_TASK,
                [dict(each.event)],
                # Its own id where it has one: with a source_event_id the worker makes the same.
                new_event_id() if "source_event_id" in each.event else each.id,
                "(an event)",
            )
            for each in messages
        ]
        try:
            self._check_names()
            publish_many(self._connection, tasks, EVENTS_QUEUE, noting=True)
        except UNREACHABLE as error:
            self._answered_at = -math.inf
            raise QueueUnavailable(
                f"Redis can't be reached ({type(error).__name__}); what was to be posted is not "
                "known to be. Post it again: with a source_event_id that is harmless even if it was"
            ) from error
        self._answered_at = time.monotonic()

    def close(self) -> None:
        """Do nothing: kombu's pools are shared by all who post to this Redis."""

    def _check_names(self) -> None:
        """Look the hosts' names up by a deadline, which the Redis client has none for.

        Not while it answers: its connections stand. A name that is unknown is the client's to tell.
        """
        if time.monotonic() - self._answered_at > _KNOWN_FOR_S:
            deadline = Deadline(_LOOKUP_LIMIT_S)
            for host in self._hosts:
                with suppress(socket.gaierror):
                    look_up(host, 0, deadline)


def _hosts(url: str) -> list[str]:
    """Return the hosts of a broker's URL that are names."""
    found = [urlsplit(each).hostname for each in url.split(";") if not each.startswith("redis+")]
    return [host for host in found if host and not _ADDRESS.fullmatch(host)]
