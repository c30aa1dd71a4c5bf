"""The service's settings, in processes whose messages get doubled, lost or out of order.

Whatever puts a message into a Redis list does so through kombu's `_put`: our own nudges, Celery's
beat, and what a worker gives back.
"""

from __future__ import annotations

import copy
import itertools
import os
import uuid
from collections.abc import Callable
from typing import Any

from kombu.transport import redis

from config.settings import *  # noqa: F403

Put = Callable[..., None]
_put: Put = redis.Channel._put


def note(channel: redis.Channel) -> None:
    """Count what was done to messages where the test sees it."""
    with channel.conn_or_acquire() as client:
        client.incr("troubled")


def double(channel: redis.Channel, queue: str, message: dict[str, Any], **kwargs: Any) -> None:
    """Put each message twice."""
    again = copy.deepcopy(message)
    note(channel)
    again["properties"]["delivery_tag"] = str(uuid.uuid4())
    _put(channel, queue, message, **kwargs)
    _put(channel, queue, again, **kwargs)


_count = itertools.count(1)


def drop(channel: redis.Channel, queue: str, message: dict[str, Any], **kwargs: Any) -> None:
    """Lose every third message."""
    if next(_count) % 3:
        _put(channel, queue, message, **kwargs)
    else:
        note(channel)


_held: dict[str, dict[str, Any]] = {}


def swap(channel: redis.Channel, queue: str, message: dict[str, Any], **kwargs: Any) -> None:
    """Keep each second message of a queue back until the one after it has gone."""
    if queue not in _held:
        _held[queue] = message
        return
    note(channel)
    _put(channel, queue, message, **kwargs)
    _put(channel, queue, _held.pop(queue), **kwargs)


_troubles: dict[str, Put] = {"double": double, "drop": drop, "swap": swap}
setattr(redis.Channel, "_put", _troubles[os.environ["TROUBLE"]])  # noqa: B010 - mypy refuses a method
