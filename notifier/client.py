"""Post events from any Python program: no Django, no Celery, only kombu and redis.

::

    from notifier.client import Notifier

    notifier = Notifier("redis://localhost:6379/0", source="shop")
    notifier.send("Order shipped", recipients=["anna"])

Redis access is trust: a message names its source itself. What the worker must refuse is kept as a
quarantined event with the reason.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import socket
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from kombu import Connection, pools
from kombu.exceptions import LimitExceeded, OperationalError

from notifier.errors import InvalidEvent, Problem, QueueUnavailable
from notifier.ids import event_id_for, new_event_id

EVENTS_QUEUE = "events"
INGEST_TASK = "notifier.ingest"
MAX_BYTES = 262_144
_BROKERS = ("redis://", "rediss://", "redis+socket://", "sentinel://")
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
UNREACHABLE = (OperationalError, LimitExceeded, OSError)
"""What kombu raises while Redis can't be reached, or every connection waits for it."""

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


def publish(
    connection: Connection,
    task: str,
    args: Sequence[Any],
    queue: str,
    *,
    task_id: UUID | None = None,
    shown_args: str | None = None,
) -> None:
    """Publish one task in Celery's message protocol 2; raise one of `UNREACHABLE`.

    `shown_args` is what Flower and logs show in place of the arguments.
    """
    message_id = str(task_id or new_event_id())
    headers = {
        "lang": "py",
        "task": task,
        "id": message_id,
        "root_id": message_id,
        "parent_id": None,
        "group": None,
        "retries": 0,
        "eta": None,
        "expires": None,
        "timelimit": [None, None],
        "argsrepr": repr(tuple(args)) if shown_args is None else shown_args,
        "kwargsrepr": "{}",
        "origin": f"notifier@{socket.gethostname()}",
        "ignore_result": True,
    }
    links = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
    with pools.producers[connection].acquire(block=True, timeout=_POOL_TIMEOUT_S) as producer:
        producer.publish(
            (list(args), {}, links),
            routing_key=queue,
            serializer="json",
            headers=headers,
            correlation_id=message_id,
            retry=True,
            retry_policy=_RETRY_POLICY,
        )


class Notifier:
    """A source's way to post events through Redis."""

    def __init__(
        self, redis_url: str, *, source: str | None = None, master: str | None = None
    ) -> None:
        """Take the broker's URL and the name of the source that posts by default.

        Sentinels are given as `sentinel://host:port;sentinel://host:port/0`, with the name that they
        know their `master` by.
        """
        if not redis_url.startswith(_BROKERS):
            raise ValueError(f"redis_url must start with {', '.join(_BROKERS)}")
        if redis_url.startswith("sentinel://") and not master:
            raise ValueError("sentinel:// needs master, the name that the sentinels know it by")
        self._connection = connect(redis_url, master=master)
        self._source = source

    def send(
        self,
        description: str,
        *,
        type: str | None = None,  # noqa: A002 - the field's name on every way in
        level: int | None = None,
        tags: Iterable[str] | Mapping[str, str] | None = None,
        source: str | None = None,
        incident_key: str | None = None,
        recipients: Iterable[str] | None = None,
        timestamp: dt.datetime | None = None,
        details_url: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        source_event_id: str | None = None,
        expires: dt.datetime | None = None,
    ) -> UUID:
        """Post an event and return its id; it is accepted once a worker has stored it.

        The arguments are those of `notifier.notify`. Raises `InvalidEvent` (a `ValueError`) for
        what can be checked here, and `QueueUnavailable` (a `ConnectionError`) within 4 seconds
        while Redis can't be reached.
        """
        source = source or self._source
        given = {
            "description": description,
            "type": type,
            "level": level,
            "tags": dict(tags) if isinstance(tags, Mapping) else _listed("tags", tags),
            "source": source,
            "incident_key": incident_key,
            "recipients": _listed("recipients", recipients),
            "timestamp": _moment("timestamp", timestamp),
            "details_url": details_url,
            "metadata": None if metadata is None else dict(metadata),
            "source_event_id": source_event_id,
            "expires": _moment("expires", expires),
        }
        event = {name: value for name, value in given.items() if value is not None}
        check(event)
        event_id = event_id_for(str(source), source_event_id)
        # Its own id where it has one: with a source_event_id the worker makes the same from it.
        try:
            publish(
                self._connection,
                INGEST_TASK,
                [event],
                EVENTS_QUEUE,
                task_id=event_id if source_event_id is None else None,
                shown_args="(an event)",
            )
        except UNREACHABLE as error:
            raise QueueUnavailable(
                "Redis can't be reached; the event is not known to be posted. Post it again: with a "
                "source_event_id that is harmless even if it was"
            ) from error
        return event_id


def check(event: Mapping[str, Any]) -> None:
    """Check what can be checked without a database; raise `InvalidEvent` naming each field."""
    texts = ("description", "type", "source", "incident_key", "details_url", "source_event_id")
    problems = [
        Problem(name, "must be a text, without NUL or halves of surrogate pairs")
        for name in texts
        if name in event and not _is_text(event[name])
    ]
    if not event.get("description"):
        problems.append(Problem("description", "must say what happened"))
    if not event.get("source"):
        problems.append(Problem("source", "name it here or in Notifier(…, source=…)"))
    level = event.get("level", 1)
    if not isinstance(level, int) or isinstance(level, bool) or not 1 <= level <= 5:  # noqa: PLR2004
        problems.append(Problem("level", "must be a number from 1 (critical) to 5 (information)"))
    problems += [
        Problem(f"tags[{index}]", "must be key=value")
        for index, tag in enumerate(event.get("tags", ()))
        if isinstance(event["tags"], list) and not (isinstance(tag, str) and "=" in tag)
    ]
    if problems:
        raise InvalidEvent(problems)
    _check_size(event)


def _check_size(event: Mapping[str, Any]) -> None:
    try:
        size = len(json.dumps(event, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidEvent([Problem("metadata", f"is no JSON: {error}")]) from error
    if size > MAX_BYTES:
        raise InvalidEvent([Problem("event", f"{size:,} bytes as JSON; at most {MAX_BYTES:,}")])


def _is_text(value: object) -> bool:
    return isinstance(value, str) and not _UNSTORABLE.search(value)


def _listed(name: str, values: Iterable[str] | None) -> list[str] | None:
    if isinstance(values, str):
        raise InvalidEvent([Problem(name, "a list of texts, not one text")])
    return None if values is None else list(values)


def _moment(name: str, moment: dt.datetime | None) -> str | None:
    if moment is None:
        return None
    if not isinstance(moment, dt.datetime) or moment.tzinfo is None:
        raise InvalidEvent([Problem(name, "must be a datetime with a time zone")])
    return moment.isoformat()
