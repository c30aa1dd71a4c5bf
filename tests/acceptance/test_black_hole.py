"""A network that swallows packets for a while, and leaves connections to Redis half-open."""

from __future__ import annotations

import time

import psutil

from notifier.client import Notifier
from notifier.models import Delivery, Heartbeat
from tests.acceptance.half_open import half_open_proxy
from tests.acceptance.stack import Stack, eventually, post
from worker.posted import OVERDUE_S
from worker.watchdog import EXIT_DEAF

HOLE_S = 30
"""Longer than the 5 s after which a worker's own sockets give up, six times over."""


def test_a_black_hole_loses_nothing_and_stalls_nothing(
    stack: Stack, token: str, people: list[str]
) -> None:
    with half_open_proxy(stack.redis.port) as proxy:
        stack.env["REDIS_URL"] = f"redis://127.0.0.1:{proxy.port}/0"
        # as in production, longer than Redis may hold the main process up, which would not hear
        # meanwhile that a task has ended
        stack.env |= {"NOTIFIER_HARD_TIME_LIMIT_S": "60", "NOTIFIER_LEASE_S": "61"}
        url = stack.standard()
        client = Notifier(stack.redis.url, source="shop")
        posted = 0
        until = time.monotonic() + HOLE_S
        proxy.swallow()
        while time.monotonic() < until:
            post(url, token, {"description": f"event {posted}", "recipients": people[:2]})
            posted += 1
            time.sleep(0.2)
        proxy.recover()
        start = time.monotonic()
        for number in range(6):  # while workers reconnect, and may lose what they take
            client.send(f"through Redis {number}", recipients=people[:2])

        total = 2 * (posted + 6)
        stack.wait_for_mails(total, timeout_s=150)
        eventually(lambda: Delivery.objects.filter(state="sent").count() == total, "the end of all")
        assert time.monotonic() - start < 30 + OVERDUE_S
        assert len({mail["headers"]["Message-ID"] for mail in stack.inbox.messages()}) == total
        assert len(stack.inbox.messages()) == total
        assert all(worker.container.status == "running" for worker in stack.workers)
        stack.stop()


def test_a_worker_that_became_deaf_ends_itself(stack: Stack, token: str, people: list[str]) -> None:
    with half_open_proxy(stack.redis.port) as proxy:
        stack.env |= {"NOTIFIER_CANARY_INTERVAL_S": "0.5", "NOTIFIER_DEAF_AFTER_S": "4"}
        stack.worker("events", "events", "maintenance")
        stack.beat()
        stack.env |= {
            "REDIS_URL": f"redis://127.0.0.1:{proxy.port}/0",
            "DJANGO_SETTINGS_MODULE": "tests.acceptance.deaf",
        }
        media = stack.worker("media", "media.email", "media.sms")
        stack.setup()
        eventually(lambda: Heartbeat.objects.filter(name="queue media.email"), "the first canary")
        children = psutil.Process(media.container.process.pid).children(recursive=True)

        proxy.swallow()
        time.sleep(1)
        proxy.recover()

        process = media.container.process
        assert process.wait(60) == EXIT_DEAF
        assert "messages wait in media.email, media.sms, and this worker has received" in (
            process.log()
        )
        eventually(lambda: not any(child.is_running() for child in children), "its children's end")
        media.container.process.restart()
        Notifier(stack.redis.url, source="shop").send("all is well", recipients=people[:2])
        stack.wait_for_mails(2)
        stack.stop()
