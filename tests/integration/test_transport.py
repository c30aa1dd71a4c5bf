"""The worker's Redis transport while Redis hangs, on a real one."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kombu import Connection, Consumer, Queue
from redis.exceptions import RedisError

from servers.redis import RedisServer
from worker.transport import Transport

Answer = Callable[[Any], None]


def requeue(message: Any) -> None:
    message.reject(requeue=True)


@pytest.mark.parametrize("answer", [lambda message: message.ack(), requeue])
def test_a_message_that_cannot_be_answered_for_leaves_room_for_the_next(
    tmp_path: Path, answer: Answer
) -> None:
    taken: list[Any] = []
    with (
        RedisServer(tmp_path) as server,
        Connection(
            server.url, transport=Transport, transport_options={"socket_timeout": 0.3}
        ) as connection,
        connection.channel() as channel,
        Consumer(channel, [Queue("q", routing_key="q")], prefetch_count=1) as consumer,
    ):
        consumer.register_callback(lambda _body, message: taken.append(message))
        for body in ("one", "two"):
            connection.Producer().publish(body, routing_key="q")
        connection.drain_events(timeout=5)
        assert len(taken) == 1

        server.process.signal(signal.SIGSTOP)
        with pytest.raises((RedisError, OSError)):
            answer(taken[0])
        server.process.signal(signal.SIGCONT)

        connection.drain_events(timeout=5)
        assert [message.payload for message in taken] == ["one", "two"]
