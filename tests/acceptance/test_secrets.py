"""A secret of a destination is in no table, no log, no message and no report of a running system."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from celery.events import EventReceiver
from django.db import connection

from notifier.client import Notifier
from notifier.models import Delivery, DestinationConfig
from servers.process import wait_until
from tests.acceptance.stack import Stack, eventually
from tests.conftest import add_profile

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from pytest_django.fixtures import Settings

SECRET = "S3CR3T-0123456789-abcd"
ENDS = {"ok": "sent", "busy": "pending", "bug": "pending", "later": "pending", "never": "failed"}


@pytest.fixture
def everybody(anna: User, settings: Settings, transactional_db: None) -> None:
    """Anna, with one destination for each way in which a send may end; the address is secret."""
    settings.MEDIA_PLUGINS = [*settings.MEDIA_PLUGINS, "tests.plugins.Counting"]
    there = [
        DestinationConfig.objects.create(
            user=anna, media_id="counting", label=end, settings={"address": f"{end}-{SECRET}"}
        )
        for end in ENDS
    ]
    add_profile(anna, {"sources": ["shop"]}, *there)


def dump() -> str:
    """Return every row of every table."""
    found = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            found += [table, *map(str, cursor.fetchall())]
    return "\n".join(found)


SHOWN = "'failed': 1"
"""In the message that says how the task of `counting` ended, which comes after its rows are written."""


def test_a_canary_is_found_nowhere(stack: Stack, token: str, everybody: None) -> None:
    stack.env |= {
        "MEDIA_PLUGINS": "notifier.media.email.EmailNotification,tests.plugins.Counting",
        "NOTIFIER_LOG_LEVEL": "DEBUG",
    }
    workers = [
        stack.worker("events", "events", "maintenance"),
        stack.worker("counting", "media.counting"),
    ]
    stack.beat()
    stack.setup()
    heard: list[dict[str, Any]] = []
    with stack.app.connection_for_read() as broker:
        receiver = EventReceiver(broker, handlers={"*": heard.append}, app=stack.app)
        listening = threading.Thread(target=receiver.capture, kwargs={"limit": None})
        listening.start()
        try:
            eventually(lambda: heard, "the workers' first heartbeat")
            Notifier(stack.redis.url, source="shop").send("down")
            eventually(lambda: states() == ENDS, "the end of every send")
            eventually(lambda: SHOWN in str(heard), "what the tasks came to")
        finally:
            receiver.should_stop = True
            listening.join()
    doctor = stack.run("doctor", "notifier", "doctor")
    wait_until(lambda: not doctor.running, timeout_s=30, what="the doctor's end")
    logs = "".join(worker.logs() for worker in workers)

    for name, text, shown in [
        ("the tables", dump(), "$sealed"),
        ("the logs", logs, "RuntimeError while sending"),
        ("the messages", str(heard), SHOWN),
        ("the doctor", doctor.log(), "deliveries by counting"),
    ]:
        assert shown in text, name
        assert "S3CR3T" not in text, name


def states() -> dict[str, str]:
    """Return the state of each delivery that was tried."""
    rows = Delivery.objects.exclude(tries=None).values_list("destination_label", "state")
    return dict(rows)
