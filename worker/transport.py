"""kombu's Redis transport, such that garbage in a queue does not end the worker.

Celery calls an item that is no message an unrecoverable error and exits, or loses its connection
over it and gets the same item again, without end. Here it is dropped, and the log says so.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from kombu.transport import TRANSPORT_ALIASES, redis
from kombu.utils.encoding import bytes_to_str
from kombu.utils.json import loads
from redis import Redis

log = logging.getLogger(__name__)


def is_message(item: bytes) -> bool:
    """Say whether Celery can read so much of an item that it can accept or refuse it."""
    try:
        message = loads(bytes_to_str(item))
        properties, headers = message["properties"], message.get("headers") or {}
        if encoding := properties.get("body_encoding"):
            redis.Channel.codecs[encoding].decode(message["body"])
        whole = (
            isinstance(properties["delivery_tag"], str)
            and {"exchange", "routing_key"} <= properties["delivery_info"].keys()
            and isinstance(headers, Mapping)
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return False
    return whole


class _Client(Redis):
    """Reads over what is no message, as if nothing had come."""

    def parse_response(self, connection: Any, command_name: Any, **options: Any) -> Any:
        answer = super().parse_response(connection, command_name, **options)  # type: ignore[no-untyped-call]
        if command_name == "BRPOP" and answer and not is_message(answer[1]):
            log.error(
                "queue %s: dropped an item of %d bytes that is no message",
                bytes_to_str(answer[0]),
                len(answer[1]),
            )
            return None
        return answer


class _Guard:
    """What our channels do otherwise than kombu's."""

    def _get_client(self) -> Any:
        found = super()._get_client()  # type: ignore[misc] # a channel's
        return _Client if found is Redis else found  # one with a key prefix is kombu's own


class Channel(_Guard, redis.Channel):
    """A channel to one Redis."""


class SentinelChannel(_Guard, redis.SentinelChannel):
    """A channel to the master that the sentinels name."""


class Transport(redis.Transport):
    """For `redis://` and `rediss://`."""

    Channel = Channel


class SentinelTransport(redis.SentinelTransport):
    """For `sentinel://`."""

    Channel = SentinelChannel


def register() -> None:
    """Make this process's connections use these; before the first of them is made."""
    ours = dict.fromkeys(("redis", "rediss"), Transport) | {"sentinel": SentinelTransport}
    for alias, transport in ours.items():
        TRANSPORT_ALIASES[alias] = f"{transport.__module__}:{transport.__name__}"
