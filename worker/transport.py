"""kombu's Redis transport, such that neither garbage nor a Redis that is full or hangs stops a worker.

Celery calls an item that is no message an unrecoverable error and exits, or loses its connection
over it and gets the same item again, without end. Here it is dropped, and the log says so. It exits
as well over a message that it took from a Redis too full to remember that; here it is worked on. And
a message that can't be acknowledged stays in its hand, so that it takes no other; here it lets go.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from kombu.transport import TRANSPORT_ALIASES, redis, virtual
from kombu.utils.encoding import bytes_to_str
from kombu.utils.json import loads
from redis import Redis
from redis.client import PubSub
from redis.exceptions import ResponseError

log = logging.getLogger(__name__)

READ_LIMIT_S = 1.0


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


class _PubSub(PubSub):
    """Waits for nothing that is not coming.

    kombu reads when something is there. Where that was the end of a connection, redis-py makes a new
    one on the way and then waits on it without limit, and with it the worker's main thread.
    """

    def parse_response(self, block: bool = True, timeout: float = 0) -> Any:  # noqa: ARG002 - redis-py's
        return super().parse_response(block=False, timeout=READ_LIMIT_S)  # type: ignore[no-untyped-call]


class _Client(Redis):
    """Reads over what is no message, as if nothing had come."""

    def pubsub(self, **kwargs: Any) -> _PubSub:
        return _PubSub(self.connection_pool, **kwargs)

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


class QoS(redis.QoS):
    """Goes on while Redis takes no writes.

    A message is taken although that could not be noted: should its worker die now, it is lost. Not to
    take it would lose it for certain, as it has left its queue already.
    """

    _noted = True

    def append(self, message: Any, delivery_tag: str) -> None:
        """Note a message as taken and not acknowledged."""
        try:
            super().append(message, delivery_tag)
        except ResponseError as error:
            virtual.QoS.append(self, message, delivery_tag)
            if self._noted:
                log.warning("Redis takes no writes (%s): is its memory full?", type(error).__name__)
            self._noted = False
        else:
            self._noted = True

    def ack(self, delivery_tag: str) -> None:
        """Acknowledge a message, and be free for the next one, whether Redis heard of it or not."""
        with self._freeing(delivery_tag):
            super().ack(delivery_tag)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """Reject a message, and be free likewise."""
        with self._freeing(delivery_tag):
            super().reject(delivery_tag, requeue)

    @contextmanager
    def _freeing(self, delivery_tag: str) -> Iterator[None]:
        # Celery logs the error and goes on; with a message in hand for ever it would take no other.
        # Redis gives that one out again when nobody has acknowledged it in time.
        try:
            yield
        except BaseException:
            virtual.QoS.ack(self, delivery_tag)
            raise

    def _remove_from_indices(self, delivery_tag: str, pipe: Any = None) -> Any:
        if pipe is None:  # a full Redis refuses even deletions, if they are in a transaction
            with self.channel.conn_or_acquire() as client:  # type: ignore[attr-defined]
                pipe = client.pipeline(transaction=False)
        return super()._remove_from_indices(delivery_tag, pipe)  # type: ignore[misc] # kombu's

    def restore_visible(self, *args: Any, **kwargs: Any) -> None:
        """Put back what nobody acknowledged in time; or later, once Redis takes writes."""
        with suppress(ResponseError):
            super().restore_visible(*args, **kwargs)


class _Guard:
    """What our channels do otherwise than kombu's."""

    def _get_client(self) -> Any:
        found = super()._get_client()  # type: ignore[misc] # a channel's
        return _Client if found is Redis else found  # one with a key prefix is kombu's own

    def maybe_refresh_binding_expiry(self) -> None:
        """Keep the bindings of the workers' own queues; kombu would log a traceback each second."""
        with suppress(ResponseError):
            super().maybe_refresh_binding_expiry()  # type: ignore[misc] # a channel's


class Channel(_Guard, redis.Channel):
    """A channel to one Redis."""

    QoS = QoS


class SentinelChannel(_Guard, redis.SentinelChannel):
    """A channel to the master that the sentinels name."""

    QoS = QoS


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
