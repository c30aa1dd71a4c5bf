"""Redis away, hung or full, under the running system: accepted all the same, told once afterwards."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable

import pytest
import redis
from django.utils import timezone

from notifier.client import Notifier
from notifier.models import Delivery, Heartbeat
from tests.acceptance.stack import Stack, eventually, post

RECOVERED_S = 15
"""From the end of the fault until everybody is told."""


def everybody_is_told_once(stack: Stack, count: int) -> None:
    """Wait for the end of every delivery, and hold the mails against the rows."""
    stack.wait_for_mails(count, timeout_s=60)
    eventually(lambda: Delivery.objects.filter(state="sent").count() == count, "the end of all", 60)
    mails = stack.inbox.messages()
    assert len(mails) == count == len({mail["headers"]["Message-ID"] for mail in mails})
    assert all(worker.container.status == "running" for worker in stack.workers)


def stop_and_go(stack: Stack) -> None:
    """Stop Redis in an orderly way for ten seconds."""
    stack.redis.stop()
    time.sleep(10)
    stack.redis.restart()


def kill_and_empty(stack: Stack) -> None:
    """Kill Redis with all it holds; it comes back empty."""
    stack.redis.kill()
    time.sleep(1)
    stack.redis.restart()


def hang(stack: Stack) -> None:
    """Let Redis hang for twenty seconds."""
    stack.redis.process.signal(signal.SIGSTOP)
    time.sleep(20)
    stack.redis.process.signal(signal.SIGCONT)


def full(stack: Stack) -> None:
    """Let Redis have no memory left for ten seconds."""
    with redis.Redis.from_url(stack.redis.url) as client:
        client.config_set("maxmemory", 1)
        time.sleep(10)
        client.config_set("maxmemory", 0)


@pytest.mark.parametrize("fault", [stop_and_go, kill_and_empty, hang, full])
def test_while_redis_fails_events_are_accepted_and_afterwards_told(
    stack: Stack, token: str, people: list[str], fault: Callable[[Stack], None]
) -> None:
    url = stack.standard()
    breaking = threading.Thread(target=fault, args=(stack,))
    posted, slowest = 0, 0.0
    breaking.start()
    while breaking.is_alive():
        start = time.monotonic()
        post(url, token, {"description": f"event {posted}", "recipients": people[:2]})
        slowest = max(slowest, time.monotonic() - start)
        posted += 1
        time.sleep(0.1)
    breaking.join()
    post(url, token, {"description": "afterwards", "recipients": people[:2]})

    start = time.monotonic()
    everybody_is_told_once(stack, 2 * (posted + 1))
    assert slowest < 5  # a hanging Redis costs one request 2-3 s, the next ones nothing
    assert time.monotonic() - start < RECOVERED_S
    for process in stack.processes:
        assert process.log().count("Redis fails (") <= 1  # a line for the cause, not for each event


def test_what_waits_while_redis_is_full_is_not_lost(
    stack: Stack, token: str, people: list[str]
) -> None:
    stack.standard()
    worker = stack.workers[0].container.process
    client = Notifier(stack.redis.url, source="shop")
    worker.signal(signal.SIGSTOP)
    for number in range(10):  # which live in Redis alone
        client.send(f"event {number}", recipients=people[:2])
    with redis.Redis.from_url(stack.redis.url) as admin:
        admin.config_set("maxmemory", 1)
        worker.signal(signal.SIGCONT)
        with pytest.raises(ConnectionError, match="Post it again"):
            client.send("one too many", recipients=people[:2])
        time.sleep(5)
        admin.config_set("maxmemory", 0)

    everybody_is_told_once(stack, 20)


def test_several_beats_do_no_harm_and_outlive_redis(
    stack: Stack, token: str, people: list[str]
) -> None:
    url = stack.standard()
    beats = [stack.beat(), stack.beat()]
    eventually(lambda: all("published notifier.sweep" in beat.log() for beat in beats), "the beats")
    stack.redis.kill()
    beats.append(stack.beat())  # and one that starts meanwhile
    time.sleep(4)
    stack.redis.restart()
    away = timezone.now()

    for number in range(10):
        post(url, token, {"description": f"event {number}", "recipients": people[:2]})
    everybody_is_told_once(stack, 20)
    eventually(lambda: Heartbeat.objects.filter(name="sweep", at__gt=away), "a sweep")
    assert all(beat.running for beat in beats)
    for beat in beats[:2]:
        assert beat.log().count("Redis fails (") == 1
        assert beat.log().count("Redis works again, after ") == 1
        assert "Traceback" not in beat.log()
