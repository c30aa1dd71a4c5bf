"""The task that purges, in a worker."""

from __future__ import annotations

import os
import subprocess
import sys

from django.utils import timezone

from notifier.client import connect, publish
from notifier.ids import new_event_id
from notifier.models import DailyCount, Event, Source
from tests.acceptance.stack import ROOT, Stack, eventually

LONG_AGO = timezone.now().replace(year=2001)

SCHEDULED = """
from worker.app import app
entry = app.conf.beat_schedule["purge"]
assert entry["task"] in app.tasks
assert app.amqp.router.route({}, entry["task"])["queue"].name == "maintenance"
assert entry["options"] == {"queue": "maintenance"}
print(entry["schedule"])
"""


def test_it_deletes_what_is_old_whatever_arguments_it_is_given(
    stack: Stack, transactional_db: None
) -> None:
    source = Source.objects.create(name="shop")
    event = Event.objects.create(
        id=new_event_id(),
        source=source,
        type="LES",
        level=3,
        description="old",
        timestamp=LONG_AGO,
        received=LONG_AGO,
        state="dispatched",
    )
    stack.worker("events", "events", "maintenance")
    with connect(stack.redis.url) as queue:
        publish(queue, "notifier.purge", [["of a later version"], 1], "maintenance")

    eventually(lambda: not Event.objects.filter(pk=event.pk).exists(), "the purge")
    assert DailyCount.objects.get().count == 1


def test_beat_asks_for_it_each_minute() -> None:
    argv = [sys.executable, "-c", SCHEDULED]
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    ended = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (0, "60.0\n"), ended.stderr
