"""What is old goes, what waits stays, and the sums stay right."""

from __future__ import annotations

import uuid
from collections import Counter
from typing import Any

import pytest

from notifier.delivering.replaying import replay
from notifier.intake import incidents
from notifier.intake.ingesting import ingest
from notifier.intake.notifying import notify
from notifier.models import (
    Attempt,
    Delivery,
    Event,
    Incident,
    IngestTry,
    QuarantinedEvent,
    Source,
)
from notifier.retention import purging
from notifier.retention.choosing import Keep, purgeable_events
from notifier.retention.purging import purge, purge_for_a_while
from tests.integration.conftest import AddOld, add_event, ago, sums

KEEP = Keep(days=90, failed_days=365)


def purge_all(keep: Keep = KEEP, batch: int = 500) -> Counter[str]:
    return sum(purge(keep, batch), Counter())


def left() -> set[str]:
    return set(Event.objects.values_list("description", flat=True))


def test_an_old_event_goes_with_all_that_belongs_to_it(add_old: AddOld) -> None:
    add_old(91)
    young = add_old(89)
    assert purge_all() == {"event": 1, "delivery": 1, "attempt": 1}
    assert [each.delivery for each in Attempt.objects.all()] == [young]
    assert list(Delivery.objects.all()) == [young]
    assert list(Event.objects.all()) == [young.event]


def test_an_event_that_led_to_nobody_goes_too(source: Source) -> None:
    event = add_event(source, 1)
    Event.objects.filter(pk=event.pk).update(received=ago(91), state="late")
    assert purge_all() == {"event": 1}


@pytest.mark.parametrize(
    ("event_state", "delivery"),
    [
        ("dispatched", {"state": "pending"}),
        ("dispatched", {"state": "sending"}),
        ("dispatched", {"state": "sent", "ended": 1}),
        ("dispatched", {"state": "failed", "ended": 364}),
        ("accepted", {}),
        ("quarantined", {"days": 364, "ended": 364}),
    ],
)
def test_what_is_not_over_is_kept_whatever_its_age(
    add_old: AddOld, event_state: str, delivery: dict[str, Any]
) -> None:
    given = {"days": 3000, **delivery}
    add_old(**given)
    add_old(given["days"], event=Event.objects.get(), ended=3000)
    Event.objects.update(state=event_state)
    assert not purgeable_events(KEEP).exists()
    assert purge_all() == {}
    assert (Event.objects.count(), Delivery.objects.count()) == (1, 2)


@pytest.mark.parametrize("state", ["dispatched", "quarantined"])
def test_what_failed_goes_after_its_own_time(add_old: AddOld, state: str) -> None:
    row = add_old(366, "failed")
    Event.objects.filter(pk=row.event_id).update(state=state)
    assert purge_all()["event"] == 1


def test_what_failed_is_never_kept_for_less_time_than_the_rest(add_old: AddOld) -> None:
    add_old(80, "failed")
    ingest({"source": "shop"}, "a message")
    QuarantinedEvent.objects.update(resolved_at=ago(80))
    assert purge_all(Keep(days=90, failed_days=1)) == {}
    assert purge_all(Keep(days=70, failed_days=1)) == {
        "event": 1,
        "delivery": 1,
        "attempt": 1,
        "quarantined": 1,
    }


def test_refused_events_go_once_they_are_dealt_with(source: Source) -> None:
    for number in range(3):
        ingest({"source": "shop"}, f"message {number}")
    first, second, third = QuarantinedEvent.objects.order_by("pk")
    QuarantinedEvent.objects.filter(pk=first.pk).update(resolved_at=ago(366))
    QuarantinedEvent.objects.filter(pk=second.pk).update(resolved_at=ago(364))
    before = sums()
    assert purge_all() == {"quarantined": 1}
    assert set(QuarantinedEvent.objects.all()) == {second, third}
    assert sums() == before


def test_counts_of_tries_that_led_nowhere_go(db: None) -> None:
    for days in (366, 364):
        IngestTry.objects.create(event_id=uuid.uuid4(), returns=1, at=ago(days))
    purge_all()
    assert IngestTry.objects.count() == 1


# incidents


def add_round(add_old: AddOld, incident: Incident, *days: float, **columns: Any) -> None:
    """Add a start, changes and an end, so many days ago."""
    for day in days:
        row = add_old(day, incident=incident, **columns)
        Event.objects.filter(pk=row.event_id).update(type="CHI", open=True)
    Event.objects.filter(pk=row.event_id).update(type="END", open=False)
    Incident.objects.filter(pk=incident.pk).update(open=False)


def sequences() -> list[int | None]:
    return list(Event.objects.order_by("sequence").values_list("sequence", flat=True))


def test_a_closed_incident_goes_with_its_last_event(add_old: AddOld, incident: Incident) -> None:
    add_round(add_old, incident, 100, 99, 98)
    assert purge_all(batch=2)["event"] == 3
    assert not Incident.objects.exists()


def test_a_stateless_incident_goes_with_its_last_event(add_old: AddOld, incident: Incident) -> None:
    for day in (100, 80):
        add_old(day, incident=incident)
    Event.objects.update(open=None)
    Incident.objects.update(open=False)
    assert purge_all() == {}
    assert purge_all(Keep(days=70, failed_days=70))["event"] == 2
    assert not Incident.objects.exists()


def test_an_open_incidents_events_stay(add_old: AddOld, incident: Incident) -> None:
    add_round(add_old, incident, 100, 99)
    Incident.objects.update(open=True)
    assert not purgeable_events(KEEP).exists()
    assert purge_all() == {}


def test_a_round_goes_as_a_whole_and_in_its_turn(add_old: AddOld, incident: Incident) -> None:
    add_round(add_old, incident, 400, 399)
    add_round(add_old, incident, 300, 299, 80)
    assert purge_all()["event"] == 2
    assert sequences() == [3, 4, 5]
    Event.objects.filter(sequence=5).update(received=ago(91))
    Delivery.objects.filter(sequence=5).update(finished_at=ago(91))
    Delivery.objects.filter(sequence=3).update(state="failed", reason="gone")
    assert purge_all() == {}
    add_round(add_old, incident, 95, 94)
    assert purge_all() == {}  # the round before waits
    assert sequences() == [3, 4, 5, 6, 7]


def test_an_incident_that_opens_again_meanwhile_is_kept(
    add_old: AddOld, incident: Incident, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_round(add_old, incident, 100, 99)
    whole = purging._purge_batch

    def late(*args: Any) -> Any:
        notify("again", source="shop", incident_key="db1", type="STA")
        return whole(*args)

    monkeypatch.setattr(purging, "_purge_batch", late)
    assert purge_all() == {}
    assert sequences() == [1, 2, 3]


def test_an_incident_that_is_purged_before_it_could_be_locked_is_made_anew(
    add_old: AddOld, incident: Incident, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_round(add_old, incident, 100, 99)
    whole = incidents._make_and_lock

    def purged_between(*args: Any) -> dict[str, Incident]:
        monkeypatch.setattr(incidents, "_make_and_lock", whole)
        assert purge_all()["event"] == 2
        return {}  # what the look-up finds: nothing

    monkeypatch.setattr(incidents, "_make_and_lock", purged_between)
    notify("again", source="shop", incident_key="db1", type="STA")
    fresh = Incident.objects.get()
    assert (fresh.open, fresh.last_sequence) == (True, 1)
    assert fresh.pk != incident.pk


# steps


def test_an_event_of_many_deliveries_goes_in_several_transactions(
    add_old: AddOld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purging, "MAX_DELIVERIES", 2)
    event = add_old(100, address="ok").event
    for number in range(4):
        add_old(100, event=event, address=f"ok-{number}")
    before = sums()
    steps = list(purge(KEEP))
    assert [step["delivery"] for step in steps] == [2, 2, 1]
    assert [step["event"] for step in steps] == [0, 0, 1]
    assert sums() == before


def test_what_is_kept_does_not_hold_up_what_is_not(add_old: AddOld) -> None:
    for number in range(6):
        add_old(200 - number, "pending" if number % 2 else "sent")
    assert purge_all(batch=1)["event"] == 3


def test_the_task_stops_after_its_time_and_goes_on_the_next_time(
    add_old: AddOld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purging, "BUDGET_S", 0)
    monkeypatch.setattr(purging.purge, "__defaults__", (2,))
    for _ in range(3):
        add_old(100)
    assert purge_for_a_while() == {"events": 2, "deliveries": 2, "attempts": 2}
    assert purge_for_a_while() == {"events": 1, "deliveries": 1, "attempts": 1}
    assert purge_for_a_while() == {"events": 0, "deliveries": 0, "attempts": 0}


def test_what_is_replayed_in_the_last_moment_is_kept(
    add_old: AddOld, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = add_old(400, "failed")
    add_old(400)
    whole = purging._delete_deliveries

    def late(events: Any) -> Any:
        assert sum(replay(Delivery.objects.all())) == 1
        return whole(events)

    monkeypatch.setattr(purging, "_delete_deliveries", late)
    assert purge_all()["event"] == 1
    assert list(Delivery.objects.filter(state="pending")) == [row]
