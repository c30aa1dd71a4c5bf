"""The queues in Redis, and leaving nudges in them: fast, and nobody's problem when it fails."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from kombu import Connection, Exchange, Queue
from redis.exceptions import RedisError

from notifier import conf
from notifier.client import UNREACHABLE as PUBLISH_FAILED
from notifier.client import connect, publish
from notifier.media.registry import all_media
from notifier.outages import Outage
from notifier.queueing import EVENTS_QUEUE, MAINTENANCE_QUEUE, media_queue

UNREACHABLE = (*PUBLISH_FAILED, RedisError)

PAUSE_AFTER_FAILURE_S = 10.0
"""After a failed publish nothing is tried for so long: the sweep carries on meanwhile."""
SHOWN_IDS = 100
"""A nudge names at most so many rows; the task takes whatever is due anyway."""


def queue_names() -> list[str]:
    """Return every queue that needs a consumer."""
    return [EVENTS_QUEUE, *map(media_queue, all_media()), MAINTENANCE_QUEUE]


def declared() -> list[Queue]:
    """Return every queue as Celery wants it declared."""
    return [Queue(name, Exchange(name), routing_key=name) for name in queue_names()]


def sentinel_options() -> dict[str, str]:
    """Return kombu's transport options for a Redis that sentinels watch."""
    return {"master_name": conf.REDIS_MASTER()} if conf.REDIS_MASTER() else {}


def broker() -> Connection:
    """Return a lazy connection to the site's Redis, with the short limits of a publisher."""
    return connect(conf.REDIS_URL(), master=conf.REDIS_MASTER() or None)


def redis_client(connection: Connection) -> Any:
    """Return kombu's own Redis client: it knows Sentinel, TLS and forks."""
    channel: Any = connection.default_channel
    return channel.client


class CeleryQueue:
    """`notifier.queueing.Queue` on Celery and Redis; safe to share between threads."""

    def __init__(self) -> None:
        self._connection = broker()
        self._silent_until = 0.0
        self._outage = Outage("Redis", "the sweep will find what waits")

    def dispatch(self, event_ids: Iterable[UUID]) -> None:
        """Publish `notifier.dispatch`, unless one waits already."""
        ids = [str(each) for each in itertools.islice(event_ids, SHOWN_IDS)]
        self._nudge("notifier.dispatch", [ids], EVENTS_QUEUE)

    def deliver(self, slug: str, delivery_ids: Iterable[int]) -> None:
        """Publish `notifier.deliver`, unless one waits in the medium's queue already."""
        ids = list(itertools.islice(delivery_ids, SHOWN_IDS))
        self._nudge("notifier.deliver", [slug, ids], media_queue(slug))

    def lengths(self) -> dict[str, int]:
        """Return how many messages wait in each queue."""
        names = queue_names()
        try:
            with self._redis().pipeline(transaction=False) as pipe:
                for name in names:
                    pipe.llen(name)
                return dict(zip(names, pipe.execute(), strict=True))
        except UNREACHABLE as error:
            raise ConnectionError(f"Redis can't be reached ({type(error).__name__})") from error

    def consumers(self) -> dict[str, int]:
        """Return how many workers said within a second that they consume each queue."""
        from celery import Celery  # noqa: PLC0415 - the web process has no other use for it

        app = Celery("notifier.doctor", broker=conf.REDIS_URL(), set_as_current=False)
        app.conf.broker_transport_options = sentinel_options()
        try:
            replies = app.control.inspect(timeout=1.0).active_queues() or {}
        except UNREACHABLE as error:
            raise ConnectionError(f"Redis can't be reached ({type(error).__name__})") from error
        found = Counter(queue["name"] for queues in replies.values() for queue in queues)
        return {name: found[name] for name in queue_names()}

    def _nudge(self, task: str, args: list[Any], queue: str) -> None:
        """Publish a task, unless one like it waits.

        Whoever takes that one sees these rows too: they were committed before it was looked for.
        """
        if time.monotonic() < self._silent_until:
            return
        try:
            if not self._is_newest(task, queue):
                publish(self._connection, task, args, queue)
        except UNREACHABLE as error:
            self._silent_until = time.monotonic() + PAUSE_AFTER_FAILURE_S
            self._outage.begin(error)
        else:
            self._outage.end()

    def _is_newest(self, task: str, queue: str) -> bool:
        """Whether the newest message that waits in a queue is such a task.

        The newest alone: others in between, an event to be stored or a canary, cost no more than a
        further nudge.
        """
        newest = self._redis().lindex(queue, 0)
        # in no text of a message, where quotes are escaped
        return newest is not None and f'"task": "{task}"'.encode() in newest

    def _redis(self) -> Any:
        return redis_client(self._connection)
