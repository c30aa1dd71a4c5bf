"""Accepted events become one delivery per destination that is to be told."""

from __future__ import annotations

import datetime as dt
import logging
from typing import TYPE_CHECKING

import pytest
import time_machine
from cryptography.fernet import Fernet
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from notifier.delivering import dispatching
from notifier.delivering.dispatching import MAX_TRIES, dispatch
from notifier.intake.notifying import notify
from notifier.matching.rules import facts_of
from notifier.models import Delivery, DestinationConfig, Event, TimeRecurrence, Timeslot
from tests.conftest import add_phone, add_profile
from tests.plugins import SECRET, Counting
from tests.recording import RecordingQueue

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from pytest_django.fixtures import Settings


def told() -> set[tuple[str, str]]:
    """Return who is to be told, and how."""
    return set(Delivery.objects.values_list("user__username", "medium"))


def test_an_addressed_event_is_for_its_recipients_alone(
    anna: User, django_user_model: type[User], queue: RecordingQueue
) -> None:
    ben = django_user_model.objects.create_user("ben", email="ben@example.org")
    add_profile(ben, {"max_level": 5})
    notify("for anna", recipients=["anna"])
    assert dispatch() == {"events": 1, "deliveries": 1}
    assert told() == {("anna", "email")}


def test_a_destination_is_told_once_however_many_profiles_lead_to_it(
    anna: User, queue: RecordingQueue
) -> None:
    phone = add_phone(anna)
    mail = anna.destinations.get(managed=True)
    one = add_profile(anna, {"max_level": 5}, mail, phone, name="one")
    two = add_profile(anna, {"tags": ["host=db1"]}, mail, name="two")
    notify("db1 is down", tags=["host=db1"])
    dispatch()
    assert told() == {("anna", "email"), ("anna", "sms")}
    assert Delivery.objects.get(medium="email").profiles == [one.pk, two.pk]
    assert Delivery.objects.get(medium="sms").profiles == [one.pk]


def test_a_delivery_carries_what_a_claim_asks_for(anna: User, queue: RecordingQueue) -> None:
    expires = timezone.now() + dt.timedelta(hours=1)
    event = notify(
        "outage", type="STA", incident_key="x", level=2, expires=expires, recipients=["anna"]
    )
    dispatch()
    row = Delivery.objects.get()
    assert row.incident is not None
    assert (row.event_id, row.urgency, row.sequence, row.state) == (event, 2, 1, "pending")
    assert row.expires_at == expires
    assert row.destination_label == "Email"


def test_a_delivery_tells_two_webhooks_of_one_user_apart(
    anna: User, queue: RecordingQueue, settings: Settings
) -> None:
    settings.MEDIA_PLUGINS = [*settings.MEDIA_PLUGINS, "slack"]
    one, two, three = (
        DestinationConfig.objects.create(
            user=anna,
            media_id="slack",
            label=label,
            settings={"url": f"https://hooks.slack.com/services/T1/{webhook}/S3CR3T"},
        )
        for label, webhook in (("", "B1"), ("", "B2"), ("on call", "B3"))
    )
    add_profile(anna, {"max_level": 5}, one, two, three)
    notify("once")
    dispatch()
    labels = Delivery.objects.values_list("destination_label", flat=True)
    assert sorted(labels) == ["Slack T1/B1", "Slack T1/B2", "on call"]
    assert [str(each) for each in (one, two, three)] == [
        "Slack T1/B1 of anna",
        "Slack T1/B2 of anna",
        "on call",
    ]


def test_a_label_that_can_not_be_made_stops_no_delivery(
    anna: User,
    queue: RecordingQueue,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    settings: Settings,
) -> None:
    settings.MEDIA_PLUGINS = [*settings.MEDIA_PLUGINS, "tests.plugins.Counting"]

    def fail(_destination: object) -> str:
        raise RuntimeError(SECRET)

    monkeypatch.setattr(Counting, "get_label", staticmethod(fail))
    to = DestinationConfig.objects.create(
        user=anna, media_id="counting", settings={"address": "ok-1"}
    )
    add_profile(anna, {"max_level": 5}, to)
    notify("once")
    assert dispatch() == {"events": 1, "deliveries": 1}
    assert Delivery.objects.get().destination_label == "Counting"
    assert f"destination {to.pk} has no label: RuntimeError" in caplog.text
    assert SECRET not in caplog.text


def test_each_medium_is_nudged_once_with_its_rows(anna: User, queue: RecordingQueue) -> None:
    add_profile(anna, {"max_level": 5}, anna.destinations.get(managed=True), add_phone(anna))
    notify("one")
    notify("two")
    dispatch()
    by_mail = list(Delivery.objects.filter(medium="email").values_list("pk", flat=True))
    by_sms = list(Delivery.objects.filter(medium="sms").values_list("pk", flat=True))
    assert sorted(queue.delivered) == [("email", by_mail), ("sms", by_sms)]


def test_an_event_is_dispatched_once(anna: User, queue: RecordingQueue) -> None:
    notify("once", recipients=["anna"])
    dispatch()
    assert dispatch() == {"events": 0, "deliveries": 0}
    assert Event.objects.get().state == "dispatched"
    assert Delivery.objects.count() == 1


def test_events_of_an_incident_are_dispatched_in_order(anna: User, queue: RecordingQueue) -> None:
    for kind in ("STA", "CHI", "END"):
        notify(kind, type=kind, incident_key="x", recipients=["anna"], level=1 + (kind == "STA"))
    for kind in ("STA", "CHI", "END"):
        assert dispatch()["events"] == 1
        assert Delivery.objects.latest("pk").event.type == kind
    assert len(queue.dispatched) == 2  # each round but the last asked for the next


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-11-23T08:30:00+01:00", {("anna", "sms")}),  # a Monday, office hours in Oslo
        ("2026-11-23T07:30:00+01:00", set()),
        ("2026-11-22T08:30:00+01:00", set()),  # a Sunday
    ],
)
def test_the_timeslot_is_on_the_owners_own_clock(
    anna: User, queue: RecordingQueue, now: str, expected: set[tuple[str, str]]
) -> None:
    anna.notifier_preferences.time_zone = "Europe/Oslo"
    anna.notifier_preferences.save()
    office = Timeslot.objects.create(user=anna, name="office hours")
    TimeRecurrence.objects.create(
        timeslot=office, days=0b0011111, start=dt.time(8), end=dt.time(16)
    )
    profile = add_profile(anna, {"max_level": 5}, add_phone(anna))
    profile.timeslot = office
    profile.save()
    with time_machine.travel(now, tick=False):
        notify("now")
        dispatch()
    assert told() == expected


@pytest.mark.parametrize(
    "change",
    [
        {"active": False},
        {"paused_until": timezone.now() + dt.timedelta(days=1)},
    ],
)
def test_a_profile_that_is_off_or_paused_tells_nobody(
    anna: User, queue: RecordingQueue, change: dict[str, object]
) -> None:
    anna.notification_profiles.update(**change)
    notify("quiet", recipients=["anna"])
    assert dispatch() == {"events": 1, "deliveries": 0}


def test_a_user_who_left_is_told_nothing(anna: User, queue: RecordingQueue) -> None:
    anna.is_active = False
    anna.save()
    notify("left", recipients=["anna"])
    assert dispatch() == {"events": 1, "deliveries": 0}


def test_a_filter_that_cannot_be_read_matches_nothing(anna: User, queue: RecordingQueue) -> None:
    profile = add_profile(anna, {"max_level": 5})
    profile.filters.update(conditions={"max_level": "everything"})
    notify("x")
    assert dispatch() == {"events": 1, "deliveries": 0}


def test_notifications_off_are_recorded_as_cancelled(
    anna: User, queue: RecordingQueue, settings: Settings
) -> None:
    settings.SEND_NOTIFICATIONS = False
    notify("off", recipients=["anna"])
    dispatch()
    row = Delivery.objects.get()
    assert (row.state, row.reason) == ("cancelled", "notifications_off")
    assert queue.delivered == []


def test_an_event_that_cannot_be_matched_stops_no_other_and_ends_in_quarantine(
    anna: User,
    queue: RecordingQueue,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    poison = notify("poison S3CR3T", recipients=["anna"], level=1)
    notify("fine", recipients=["anna"])

    def explode(event: Event) -> object:
        if event.pk == poison:
            raise RuntimeError(event.description)
        return facts_of(event)

    monkeypatch.setattr(dispatching, "facts_of", explode)
    assert dispatch()["deliveries"] == 1
    for _ in range(MAX_TRIES - 1):
        assert Event.objects.get(pk=poison).state == "accepted"
        dispatch()
    assert Event.objects.get(pk=poison).state == "quarantined"
    errors = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert len(errors) == MAX_TRIES
    assert "S3CR3T" not in caplog.text


@pytest.mark.usefixtures("queue", "counting")
@pytest.mark.parametrize("host", ["raise", "x" * 300])
def test_a_destination_whose_host_a_plugin_cannot_tell_spoils_no_event(
    anna: User, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, host: str
) -> None:
    def get_host(_self: Counting, settings: dict[str, str]) -> str:
        if host == "raise":
            raise RuntimeError(settings["address"])
        return host

    monkeypatch.setattr(Counting, "get_host", get_host)
    there = DestinationConfig(user=anna, media_id="counting", settings={"address": "S3CR3T"})
    there.save()
    add_profile(anna, {"max_level": 5}, there, *anna.destinations.filter(managed=True))
    notify("to both")
    assert dispatch()["deliveries"] == 2
    assert "S3CR3T" not in caplog.text
    # one of its own: what fails there must hold back no other destination
    alone = f"destination-{there.pk}"
    found = Delivery.objects.get(destination=there).host
    assert found == alone if host == "raise" else host.startswith(found)


@pytest.mark.usefixtures("queue")
def test_a_destination_that_can_not_be_read_has_a_host_of_its_own(
    anna: User, counting: list[str], settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    there = DestinationConfig(user=anna, media_id="counting", settings={"address": "ok"})
    there.save()
    add_profile(anna, {"max_level": 5}, there)
    settings.NOTIFIER_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    notify("to one")
    assert dispatch()["deliveries"] == 1
    assert Delivery.objects.get(destination=there).host == f"destination-{there.pk}"
    assert not caplog.records


@pytest.mark.usefixtures("queue")
@pytest.mark.parametrize(("events", "people"), [(1, 1), (1, 40), (100, 1), (100, 40)])
def test_a_batch_makes_as_many_queries_whatever_its_size(
    anna: User,
    django_user_model: type[User],
    settings: Settings,
    events: int,
    people: int,
) -> None:
    settings.NOTIFIER_DISPATCH_BATCH_SIZE = events
    for number in range(people):
        user = django_user_model.objects.create_user(f"u{number}", email=f"u{number}@example.org")
        add_profile(user, {"max_level": 5})
    dispatch()  # loads the profiles
    for number in range(events + 1):
        notify(f"event {number}")
    with CaptureQueriesContext(connection) as captured:
        assert dispatch() == {"events": events, "deliveries": events * people}
    spoken = [query["sql"].split()[0] for query in captured if "SAVEPOINT" not in query["sql"]]
    # claim, look for changes, destinations not known yet, and what is to be nudged next
    assert spoken.count("SELECT") == 4
    assert spoken.count("UPDATE") == 1
    if connection.vendor == "postgresql":  # SQLite inserts in portions
        assert len(spoken) == 6  # and two to begin and to commit, where no test does
    with CaptureQueriesContext(connection) as captured:
        dispatch()
    selected = [query["sql"] for query in captured if query["sql"].startswith("SELECT")]
    assert not any("destinationconfig" in sql for sql in selected)  # known by now


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite has no such way")
def test_deliveries_are_inserted_in_django_s_fast_way(
    anna: User, django_user_model: type[User], queue: RecordingQueue
) -> None:
    django_user_model.objects.create_user("ben", email="ben@example.org")
    notify("to both", recipients=["anna", "ben"])
    with CaptureQueriesContext(connection) as captured:
        dispatch()
    [insert] = [query["sql"] for query in captured if query["sql"].startswith("INSERT")]
    assert "UNNEST" in insert


def test_one_unknown_time_zone_stops_nobody(
    anna: User, django_user_model: type[User], queue: RecordingQueue
) -> None:
    ben = django_user_model.objects.create_user("ben", email="ben@example.org")
    ben.notifier_preferences.time_zone = "Europe/Olso"
    ben.notifier_preferences.save()
    notify("to both", recipients=["anna", "ben"])
    dispatch()
    assert told() == {("anna", "email"), ("ben", "email")}


def test_a_destination_that_was_moved_to_another_user_is_not_told(
    anna: User, django_user_model: type[User], queue: RecordingQueue
) -> None:
    ben = django_user_model.objects.create_user("ben")
    phone = add_phone(anna)
    add_profile(anna, {"max_level": 5}, phone)
    type(phone).objects.filter(pk=phone.pk).update(user=ben)
    notify("anna's business")
    assert dispatch()["deliveries"] == 0


def test_a_batch_that_grows_too_large_leaves_the_rest_for_the_next(
    anna: User, queue: RecordingQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatching, "MAX_DELIVERIES", 2)
    for number in range(5):
        notify(f"event {number}", recipients=["anna"])
    assert dispatch()["deliveries"] == 2
    assert len(queue.dispatched) == 1
    assert dispatch()["deliveries"] == 2
    assert dispatch()["deliveries"] == 1
    assert not Event.objects.filter(state="accepted").exists()
