"""The outbox of an application through real HTTP, while the server is down for a while."""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path

import pytest

from notifier.models import Event, Incident
from servers.process import Process, free_port
from tests.acceptance.stack import Stack, eventually, get

EVENTS = 150
SETTINGS = {"DJANGO_SETTINGS_MODULE": "tests.acceptance.outbox_host"}
TELLS = """
import django, sys
django.setup()
from django.db import transaction
from notifier.outbox import notify, notify_many
first, last = map(int, sys.argv[1:])
for number in range(first, last):
    with transaction.atomic():
        key = f"k{number % 5}"
        notify(f"event {number}", type="CHI", incident_key=key, metadata={"number": number})
with transaction.atomic():
    notify("rolled back")
    transaction.set_rollback(True)
notify("refused", recipients=["nobody"], source_event_id=f"refused-{first}")
server = {"celery", "pydantic", "notifier.models", "notifier.intake", "notifier.conf"}
assert not server & sys.modules.keys(), server & sys.modules.keys()
"""


class Host:
    """The application's processes, and the server that they post to."""

    def __init__(self, stack: Stack, token: str) -> None:
        self.stack = stack
        self.port = free_port()
        self.database = stack.directory / "host.sqlite3"
        self.env = SETTINGS | {
            "HOST_DATABASE": str(self.database),
            "POST_TO": f"http://127.0.0.1:{self.port}/",
            "POST_TOKEN": token,
        }

    def run(self, name: str, *argv: str) -> Process:
        """Start a process of the application."""
        return self.stack.run(name, Path(sys.executable).name, *argv, env=self.env)

    def done(self, name: str, *argv: str) -> str:
        """Run a process to its end; return what it printed."""
        process = self.run(name, *argv)
        eventually(lambda: process.returncode is not None, f"the end of {name}", 60)
        assert process.returncode == 0, process.log()
        return process.log()

    def serve(self) -> Process:
        """Start the server."""
        argv = ("gunicorn", "--no-control-socket", "-b", f"127.0.0.1:{self.port}", "config.wsgi")
        web = self.stack.run("web", *argv)
        web.wait_until_ready(lambda: get(f"http://127.0.0.1:{self.port}/livez"))
        return web

    def count(self, where: str) -> int:
        """Count rows of the outbox."""
        with sqlite3.connect(self.database) as database:
            query = f"SELECT count(*) FROM notifier_outbox_outboxevent WHERE {where}"
            return int(database.execute(query).fetchone()[0])


@pytest.fixture
def host(stack: Stack, token: str) -> Host:
    """The application, with its tables."""
    found = Host(stack, token)
    found.done("migrate", "-m", "django", "migrate")
    found.done("check", "-m", "django", "check")
    return found


def test_what_is_told_while_the_server_is_down_arrives_once_and_in_order(host: Host) -> None:
    relays = [host.run(f"relay-{number}", "-m", "django", "relayoutbox") for number in range(2)]
    host.done("tells", "-c", TELLS, "0", str(EVENTS))
    eventually(lambda: host.count("tries > 0"), "a try")
    web = host.serve()
    eventually(lambda: Event.objects.count() >= EVENTS // 2, "some events", 60)
    web.stop()
    host.done("tells-more", "-c", TELLS, str(EVENTS), str(2 * EVENTS))
    host.serve()

    eventually(lambda: Event.objects.count() == 2 * EVENTS, "the rest", 90)
    waits = "sent_at IS NULL AND refused_at IS NULL"
    eventually(lambda: host.count(waits) == 0, "the marks", 30)

    assert host.count("sent_at IS NOT NULL") == 2 * EVENTS
    assert host.count("reason LIKE 'recipients%'") == 2
    assert Incident.objects.count() == 5
    for incident in Incident.objects.all():
        told = incident.events.order_by("sequence").values_list("metadata__number", flat=True)
        numbers = list(told)
        assert len(numbers) == 2 * EVENTS // 5
        assert numbers == sorted(numbers)
    for each in relays:
        assert each.running, each.log()
        each.signal(15)
    eventually(lambda: [each.returncode for each in relays] == [0, 0], "the relays' end", 15)
