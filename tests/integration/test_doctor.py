"""`notifier doctor` names what is stuck."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from io import StringIO
from typing import TYPE_CHECKING

import pytest
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone

from notifier.conf import canary_name
from notifier.delivering.sweeping import sweep
from notifier.diagnosing import diagnose
from notifier.ids import new_event_id
from notifier.intake.ingesting import ingest
from notifier.models import Event, Heartbeat, Source
from tests.integration.conftest import AddDelivery, add_event
from tests.recording import RecordingQueue

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.test import Client

QUEUES = {"events": 0, "media.email": 0, "media.counting": 0, "maintenance": 0}


def long_ago() -> dt.datetime:
    return timezone.now() - dt.timedelta(hours=1)


@pytest.fixture
def healthy(db: None, queue: RecordingQueue, counting: list[str]) -> RecordingQueue:
    """A system in which all is well."""
    queue.waiting = dict(QUEUES)
    sweep()
    return queue


def unwell() -> dict[str, str]:
    """Return what is not well."""
    return {each.subject: each.sentence for each in diagnose() if not each.well}


def test_all_is_well(healthy: RecordingQueue) -> None:
    assert unwell() == {}
    out = StringIO()
    call_command("doctor", stdout=out)
    assert "sweep: last ran" in out.getvalue()


def test_a_sweep_that_never_ran_is_named(db: None, queue: RecordingQueue) -> None:
    assert "start beat" in unwell()["sweep"]


def test_overdue_rows_are_named(healthy: RecordingQueue, add_delivery: AddDelivery) -> None:
    add_delivery(due_at=long_ago())
    add_delivery()
    assert "2 due, the oldest for 36" in unwell().pop("deliveries by counting")


def test_stuck_claims_are_named(healthy: RecordingQueue, add_delivery: AddDelivery) -> None:
    add_delivery(state="sending", claim_token=uuid.uuid4(), lease_until=long_ago())
    assert unwell() == {"claims": "1 outlived their lease; does the sweep run?"}


def test_events_that_nobody_dispatches_are_named(healthy: RecordingQueue, source: Source) -> None:
    event = add_event(source, 1)
    Event.objects.filter(pk=event.pk).update(state="accepted", received=long_ago())
    assert "1 waiting to be dispatched, the oldest for 36" in unwell().pop("events")


def test_deliveries_of_a_medium_that_is_gone_are_named(
    healthy: RecordingQueue, add_delivery: AddDelivery
) -> None:
    row = add_delivery()
    type(row).objects.update(medium="pager")
    assert unwell() == {"deliveries by pager": "1 wait for a medium that MEDIA_PLUGINS lacks"}


def test_a_queue_without_a_consumer_is_named(
    healthy: RecordingQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(healthy, "consumers", lambda: {**dict.fromkeys(QUEUES, 1), "events": 0})
    assert unwell() == {
        "queue events": "0 messages, 0 workers; start one: celery -A worker.app worker -Q events"
    }


def test_a_queue_whose_messages_nobody_takes_is_named(healthy: RecordingQueue) -> None:
    for name in QUEUES:
        Heartbeat.beat(canary_name(name))
    assert unwell() == {}
    Heartbeat.objects.filter(name=canary_name("events")).update(at=long_ago())
    found = unwell()
    assert found.keys() == {"queue events"}
    assert found["queue events"].startswith("0 messages, 1 workers, one taken 36")


def test_refused_events_are_named(healthy: RecordingQueue) -> None:
    ingest({"description": "from nowhere"}, str(new_event_id()))
    assert "1 refused" in unwell()["quarantine"]


def test_redis_away_is_named(healthy: RecordingQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> dict[str, int]:
        raise ConnectionError("Redis can't be reached")

    monkeypatch.setattr(healthy, "lengths", away)
    assert unwell() == {"redis": "Redis can't be reached; see REDIS_URL"}


def test_it_exits_1_and_speaks_json(db: None, queue: RecordingQueue) -> None:
    out = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("doctor", "--json", stdout=out)
    assert ended.value.code == 1
    findings = json.loads(out.getvalue())
    assert {"subject": "quarantine", "well": True, "sentence": "empty"} in findings


def test_events_that_could_not_be_matched_are_named(
    healthy: RecordingQueue, source: Source
) -> None:
    event = add_event(source, 1)
    Event.objects.filter(pk=event.pk).update(state="quarantined")
    assert "1 accepted events could not be matched" in unwell()["unmatched events"]


def test_in_the_admin_they_are_matched_again(
    healthy: RecordingQueue, source: Source, admin_client: Client
) -> None:
    event, other = add_event(source, 1), add_event(source, 2)
    Event.objects.filter(pk=event.pk).update(state="quarantined", dispatch_tries=3)
    admin_client.post(
        reverse("admin:notifier_event_changelist"),
        {"action": "match_again", "_selected_action": [event.pk, other.pk]},
    )
    event.refresh_from_db()
    other.refresh_from_db()
    assert (event.state, event.dispatch_tries, other.state) == ("accepted", 0, "dispatched")


def test_the_owner_of_a_row_is_for_good(anna: User, admin_client: Client) -> None:
    page = admin_client.get(
        reverse("admin:notifier_filter_change", args=[anna.notifier_filters.get().pk])
    )
    assert 'name="user"' not in page.content.decode()
