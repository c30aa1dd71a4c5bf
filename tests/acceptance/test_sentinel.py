"""Redis behind sentinels: its master dies, and a replica takes over."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from notifier.client import Notifier
from notifier.models import Delivery
from servers.process import wait_until
from servers.sentinel import MASTER, SentinelCluster
from tests.acceptance.stack import Stack, eventually, post


def test_a_failover_loses_nothing_that_was_accepted(
    stack: Stack, token: str, people: list[str], tmp_path: Path
) -> None:
    with SentinelCluster(tmp_path) as cluster:
        stack.env |= {"REDIS_URL": cluster.url, "REDIS_MASTER": MASTER}
        stack.worker("events", "events", "maintenance")
        stack.worker("media", "media.email", "media.sms")
        stack.beat()
        url = stack.web()
        client = Notifier(cluster.url, source="shop", master=MASTER)
        client.send("before", recipients=people[:2])
        stack.wait_for_mails(2)

        cluster.master.kill()
        start, posted = time.monotonic(), 0
        while cluster.master_port() != cluster.replica.port:
            post(url, token, {"description": f"event {posted}", "recipients": people[:2]})
            posted += 1
            time.sleep(0.2)
            assert time.monotonic() - start < 30
        failed_over_s = time.monotonic() - start

        total = 2 * (posted + 2)
        wait_until(lambda: _sent(client, people), timeout_s=20, what="a message to the new master")
        stack.wait_for_mails(total, timeout_s=60)
        assert time.monotonic() - start - failed_over_s < 30
        eventually(lambda: Delivery.objects.filter(state="sent").count() == total, "the end of all")
        assert len({mail["headers"]["Message-ID"] for mail in stack.inbox.messages()}) == total
        assert len(stack.inbox.messages()) == total
        assert all(worker.container.status == "running" for worker in stack.workers)
        stack.stop()


def _sent(client: Notifier, people: list[str]) -> bool:
    try:
        client.send("after", recipients=people[:2], source_event_id="after")
    except ConnectionError:
        return False
    return True


def test_the_client_wants_the_masters_name() -> None:
    with pytest.raises(ValueError, match="sentinel:// needs master"):
        Notifier("sentinel://127.0.0.1:26379/0", source="shop")
