"""What the tables refuse, whoever writes to them."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db import IntegrityError, models, transaction
from django.db.models import ProtectedError, RestrictedError
from django.utils import timezone

from notifier.fingerprint import fingerprint
from notifier.models import (
    Attempt,
    DailyCount,
    Delivery,
    DestinationConfig,
    Event,
    Filter,
    Gate,
    Incident,
    NotificationProfile,
    Preferences,
    Source,
    SourceToken,
    TimeRecurrence,
    Timeslot,
)
from tests.conftest import add_phone

if TYPE_CHECKING:
    from django.contrib.auth.models import User

NOW = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)


@pytest.fixture(autouse=True)
def rows(anna: User, source: Source) -> None:
    """One row of each kind: Anna's, the shop's incident with its event, a delivery, a count."""
    DailyCount.objects.create(day=NOW.date(), subject="event", state="dispatched", count=1)
    incident = Incident.objects.create(
        source=source, incident_key="db1", level=2, start_time=NOW, last_sequence=1
    )
    event = Event.objects.create(
        **of_event(type="STA", incident=incident, sequence=1, open=True, acked=False)
    )
    Delivery.objects.create(
        event=event, destination=anna.destinations.get(), user=anna, medium="email", urgency=2
    )
    SourceToken.issue(source)
    Gate.objects.create(medium="email")


def of_event(**fields: Any) -> dict[str, Any]:
    """Return the columns of a stateless event of the shop's, but for these."""
    return {
        "id": uuid.uuid4(),
        "source": Source.objects.get(),
        "type": "LES",
        "level": 3,
        "description": "x",
        "timestamp": NOW,
        **fields,
    }


def anna() -> User:
    user: User = Preferences.objects.get(user__username="anna").user
    return user


def again(model: type[models.Model], **changes: Any) -> None:
    """Insert a copy of a table's only row, changed so, by a bare INSERT."""
    row = model._default_manager.get()
    row.pk = changes.pop("pk", None)
    for name, value in changes.items():
        setattr(row, name, value)
    model._default_manager.bulk_create([row])


def change(model: type[models.Model], **changes: Any) -> None:
    """Change a table's only row by a bare UPDATE."""
    assert model._default_manager.update(**changes) == 1


VIOLATIONS: dict[str, list[Callable[[], None]]] = {
    "incident_key_unique": [lambda: again(Incident)],
    "incident_level": [lambda: change(Incident, level=0), lambda: change(Incident, level=6)],
    "event_sequence_unique": [lambda: again(Event, pk=uuid.uuid4())],
    "event_level": [lambda: change(Event, level=0), lambda: change(Event, level=6)],
    "event_incident_and_state": [
        lambda: change(Event, type="LES"),
        lambda: change(Event, incident=None),
        lambda: change(Event, sequence=None),
        lambda: change(Event, acked=None),
        lambda: change(Event, incident=None, sequence=None, open=None, acked=None),
        lambda: change(Event, incident=None, sequence=None, type="LES"),
    ],
    "event_state_known": [lambda: change(Event, state="lost"), lambda: change(Event, state="")],
    "source_default_level": [
        lambda: change(Source, default_level=0),
        lambda: change(Source, default_level=6),
    ],
    "source_name_given": [
        lambda: change(Source, name=""),
        lambda: change(Source, name="a:b"),
        lambda: again(Source, name=":"),
    ],
    "filter_name_unique": [lambda: again(Filter)],
    "profile_name_unique": [lambda: again(NotificationProfile, managed=False)],
    "profile_one_managed": [lambda: again(NotificationProfile, name="another")],
    "timeslot_name_unique": [lambda: again(Timeslot)],
    "recurrence_has_days": [
        lambda: change(TimeRecurrence, days=0),
        lambda: change(TimeRecurrence, days=128),
    ],
    "destination_unique": [lambda: again(DestinationConfig, managed=False, media_id="sms")],
    "destination_one_managed": [lambda: again(DestinationConfig, fingerprint="f" * 64)],
    "destination_fingerprint_given": [
        lambda: change(DestinationConfig, fingerprint=""),
        lambda: change(DestinationConfig, media_id=""),
    ],
    "gate_of_host_unique": [lambda: again(Gate)],
    "daily_count_unique": [lambda: again(DailyCount)],
    "delivery_once": [lambda: again(Delivery)],
    "delivery_state_known": [lambda: change(Delivery, state="lost")],
    "delivery_claimed_while_sending": [
        lambda: change(Delivery, state="sending"),
        lambda: change(Delivery, state="sending", claim_token=uuid.uuid4()),
        lambda: change(Delivery, state="sending", lease_until=NOW),
        lambda: change(Delivery, claim_token=uuid.uuid4(), lease_until=NOW),
        lambda: change(Delivery, state="sent", finished_at=NOW, claim_token=uuid.uuid4()),
        lambda: change(Delivery, state="sent", finished_at=NOW, lease_until=NOW),
    ],
    "delivery_end_has_time": [
        lambda: change(Delivery, state="sent"),
        lambda: change(Delivery, state="failed", reason="gone"),
        lambda: change(Delivery, state="cancelled", reason="expired"),
        lambda: change(Delivery, finished_at=NOW),
    ],
    "delivery_no_silent_end": [
        lambda: change(Delivery, state="failed", finished_at=NOW),
        lambda: change(Delivery, state="cancelled", finished_at=NOW),
    ],
}

IMPLIED = {"delivery_state_known": "delivery_end_has_time"}


@pytest.mark.parametrize(
    ("name", "violate"),
    [(name, violate) for name, violations in VIOLATIONS.items() for violate in violations],
)
def test_the_database_itself_refuses(name: str, violate: Callable[[], None]) -> None:
    with pytest.raises(IntegrityError) as refused, transaction.atomic():
        violate()
    # SQLite names a unique constraint by its columns; PostgreSQL names the first that says no
    names = (name, IMPLIED.get(name, name), "UNIQUE constraint failed")
    assert any(each in str(refused.value) for each in names)


def test_every_constraint_has_a_violation_above() -> None:
    declared = {
        constraint.name
        for model in apps.get_app_config("notifier").get_models()
        for constraint in model._meta.constraints
    }
    assert declared == set(VIOLATIONS)


@pytest.mark.parametrize(
    "change_it",
    [
        lambda: change(
            Delivery, state="sending", claim_token=uuid.uuid4(), lease_until=timezone.now()
        ),
        lambda: change(Delivery, state="sent", finished_at=NOW),
        lambda: change(Delivery, state="failed", reason="gone", finished_at=NOW),
        lambda: change(Delivery, reason="timeout", attempts=1),
        lambda: again(Delivery, occasion="test"),
        lambda: again(NotificationProfile, name="another", managed=False),
        lambda: again(DestinationConfig, fingerprint="f" * 64, managed=False),
        lambda: change(Event, incident=None, sequence=None, type="LES", open=None, acked=None),
        lambda: change(Event, state="quarantined"),
        lambda: change(TimeRecurrence, days=127),
    ],
)
def test_what_is_right_is_taken(change_it: Callable[[], None]) -> None:
    change_it()


@pytest.mark.parametrize("again_it", [lambda: again(Source), lambda: again(SourceToken)])
def test_names_of_sources_and_tokens_are_unique(again_it: Callable[[], None]) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        again_it()


def test_a_source_with_events_stays() -> None:
    with pytest.raises(ProtectedError):
        Source.objects.get().delete()


def test_a_timeslot_in_use_stays() -> None:
    with pytest.raises(RestrictedError):
        anna().timeslots.get().delete()


def test_a_user_goes_with_everything_of_theirs() -> None:
    anna().delete()
    for model in (Preferences, Timeslot, Filter, NotificationProfile, DestinationConfig, Delivery):
        assert not model._default_manager.exists()
    assert Event.objects.exists()


def test_a_delivery_outlives_its_destination() -> None:
    anna().destinations.all().delete()
    assert Delivery.objects.get().destination is None


# destinations


def phone(number: object, user: User | None = None) -> DestinationConfig:
    return DestinationConfig(user=user or anna(), media_id="sms", settings={"phone_number": number})


@pytest.mark.parametrize(
    "spelling",
    ["+4790909090", "+47 909 09 090", "+47-90-90-90-90", " +47 (90) 909090", "tel:+47-909-09090"],
)
def test_a_number_is_kept_as_e164_however_it_was_spelt(spelling: str) -> None:
    destination = phone(spelling)
    destination.full_clean()
    destination.save()
    assert DestinationConfig.objects.get(media_id="sms").settings == {"phone_number": "+4790909090"}


def test_the_same_number_in_another_spelling_is_the_same_destination() -> None:
    add_phone(anna(), "+4790909090")
    with pytest.raises(ValidationError) as refused:
        phone("+47 909 09 090").full_clean()
    assert refused.value.messages == ["This user has a destination with that address already."]
    second = phone("+4790909090")
    with pytest.raises(IntegrityError), transaction.atomic():
        second.save()


def test_an_address_in_another_case_is_the_same_destination() -> None:
    other = DestinationConfig(
        user=anna(), media_id="email", settings={"email_address": "ANNA@Example.org"}
    )
    with pytest.raises(ValidationError, match="This user has a destination with that address"):
        other.full_clean()


def test_two_users_may_have_the_same_number(django_user_model: type[User]) -> None:
    add_phone(anna())
    assert add_phone(django_user_model.objects.create_user("bob")).pk


def test_a_destination_is_no_duplicate_of_itself() -> None:
    add_phone(anna()).full_clean()


@pytest.mark.parametrize(
    ("medium", "settings", "field", "sentence"),
    [
        (
            "sms",
            {"phone_number": "+474747"},
            "settings",
            "phone_number: No such phone number can exist; check its digits and country.",
        ),
        (
            "sms",
            {"phone_number": "90909090"},
            "settings",
            "phone_number: Write the number with its country, such as +47 909 09 090.",
        ),
        ("sms", {"phone_number": ""}, "settings", "phone_number: This field is required."),
        ("sms", {}, "settings", "This field cannot be blank."),
        (
            "sms",
            {"phone_number": "+4790909090", "name": "x"},
            "settings",
            "name: unknown; a SMS destination has phone_number.",
        ),
        (
            "sms",
            ["+4790909090"],
            "settings",
            'Settings must be an object like {"phone_number": …}.',
        ),
        (
            "email",
            {"email_address": "not an address"},
            "settings",
            "email_address: Enter a valid email address.",
        ),
        (
            "email",
            {"email_address": "anna@example.org\0"},
            "settings",
            "email_address: Null characters are not allowed.",
        ),
        (
            "pigeon",
            {"loft": "x"},
            "media_id",
            "There is no medium 'pigeon' here; see MEDIA_PLUGINS.",
        ),
    ],
)
def test_bad_settings_are_refused_with_a_sentence(
    medium: str, settings: Any, field: str, sentence: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        DestinationConfig(user=anna(), media_id=medium, settings=settings).full_clean()
    assert sentence in refused.value.message_dict[field]


def test_saving_under_an_unknown_medium_is_refused() -> None:
    with pytest.raises(ImproperlyConfigured, match="no plugin has the slug 'pigeon'"):
        DestinationConfig.objects.create(user=anna(), media_id="pigeon")


def test_the_fingerprint_follows_the_settings_also_when_these_alone_are_saved() -> None:
    destination = add_phone(anna())
    destination.settings = {"phone_number": "+4791919191"}
    destination.save(update_fields=["settings"])
    destination.refresh_from_db()
    assert destination.fingerprint == fingerprint("sms", "+4791919191")


# what a form is told


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("shop", True),
        ("Ålesund 2 / core-1.example@x_y", True),
        ("a:b", False),
        (" shop", False),
        ("", False),
        ("shop\n", False),
        ("-shop", False),
        ("x" * 101, False),
    ],
)
def test_a_sources_name_has_no_colon(name: str, good: bool) -> None:
    source = Source(name=name if name != "shop" else "shop2")
    if good:
        source.full_clean()
        return
    with pytest.raises(ValidationError) as refused:
        source.full_clean()
    assert "name" in refused.value.message_dict


def test_a_time_zone_must_exist() -> None:
    preferences = anna().notifier_preferences
    preferences.time_zone = "Europe/Oslo"
    preferences.full_clean()
    preferences.time_zone = "Oslo"
    with pytest.raises(ValidationError, match="Oslo is not a time zone; use a name like Europe"):
        preferences.full_clean()


def test_a_filter_that_can_not_be_judged_is_refused() -> None:
    with pytest.raises(ValidationError) as refused:
        Filter(user=anna(), name="x", conditions={"max_level": 9}).full_clean()
    assert refused.value.message_dict["conditions"] == [
        "max_level: Input should be less than or equal to 5"
    ]
    Filter(user=anna(), name="x", conditions={"max_level": 5}).full_clean()


def test_a_profile_has_its_owners_timeslot(django_user_model: type[User]) -> None:
    bob = django_user_model.objects.create_user("bob")
    profile = NotificationProfile(user=bob, name="x", timeslot=anna().timeslots.get())
    with pytest.raises(ValidationError) as refused:
        profile.full_clean()
    assert refused.value.message_dict == {
        "timeslot": ["Choose one of the profile owner's timeslots."]
    }


@pytest.mark.parametrize("days", [0, 128])
def test_a_recurrence_has_days(days: int) -> None:
    recurrence = TimeRecurrence(timeslot=anna().timeslots.get(), days=days)
    with pytest.raises(ValidationError, match="Choose at least one day"):
        recurrence.full_clean()


def test_a_token_is_kept_as_its_hash_only() -> None:
    token = SourceToken.issue(Source.objects.get())
    row = SourceToken.objects.get(sha256=SourceToken.digest(token))
    assert token not in {str(value) for value in vars(row).values()}
    assert (row.prefix, str(row)) == (token[:8], f"{token[:8]}…")
    assert row.revoked_at is None
    assert len(token) > 40


def test_rows_say_what_they_are() -> None:
    delivery = Delivery.objects.get()
    attempt = Attempt(delivery=delivery, number=1, outcome="sent")
    recurrence = TimeRecurrence(days=0b0000011, start=dt.time(8), end=dt.time(16, 30))
    assert [str(each) for each in (Incident.objects.get(), Event.objects.get(), attempt)] == [
        "shop: db1",
        "start: x",
        "1: sent",
    ]
    assert str(delivery) == "email to anna: pending"
    assert str(recurrence) == "Mon Tue 08:00-16:30"
    assert str(anna().notifier_preferences) == "anna (UTC)"
    assert delivery.message_key == f"{delivery.event_id}.{delivery.pk}"
