"""What every user has from the first day, and the destination that follows their address."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.models.signals import post_save
from django.test.utils import CaptureQueriesContext

from notifier import notify
from notifier.delivering.dispatching import dispatch
from notifier.enrolling import PROFILE_NAME, TIMESLOT_NAME, enrol
from notifier.models import (
    Delivery,
    DestinationConfig,
    Filter,
    NotificationProfile,
    Preferences,
    TimeRecurrence,
    Timeslot,
)
from tests.conftest import add_phone, add_profile

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def synced(user: User) -> DestinationConfig:
    return user.destinations.get(managed=True)


def addressed_to(user: User) -> NotificationProfile:
    return user.notification_profiles.get(managed=True)


def change_address(user: User, address: str) -> None:
    user.email = address
    user.save()


def add_email(user: User, address: str) -> DestinationConfig:
    return DestinationConfig.objects.create(
        user=user, media_id="email", settings={"email_address": address}
    )


def leads_to(profile: NotificationProfile) -> set[int]:
    return set(profile.destinations.values_list("pk", flat=True))


def test_a_new_user_has_everything_of_the_first_day(anna: User, settings: Any) -> None:
    assert anna.notifier_preferences.time_zone == settings.TIME_ZONE
    assert anna.timeslots.get().name == TIMESLOT_NAME
    recurrence = anna.timeslots.get().recurrences.get()
    assert recurrence.holds(dt.datetime(2026, 3, 1, 23, 59, 59, 999_999, tzinfo=dt.UTC))
    profile = addressed_to(anna)
    assert (profile.name, profile.active, profile.timeslot) == (
        PROFILE_NAME,
        True,
        anna.timeslots.get(),
    )
    assert profile.filters.get().conditions == {"addressed": True}
    destination = profile.destinations.get()
    assert destination == synced(anna)
    assert destination.synced
    assert destination.settings == {"email_address": "anna@example.org"}


def test_so_an_addressed_event_reaches_them(anna: User, django_user_model: type[User]) -> None:
    django_user_model.objects.create_user("bob", email="bob@example.org")
    notify("x", recipients=["anna"])
    assert dispatch() == {"events": 1, "deliveries": 1}
    assert Delivery.objects.get().destination == synced(anna)


def test_a_user_without_an_address_has_all_but_the_destination(
    django_user_model: type[User], db: None
) -> None:
    bob = django_user_model.objects.create_user("bob")
    assert not bob.destinations.exists()
    assert not addressed_to(bob).destinations.exists()
    change_address(bob, "bob@example.org")
    assert leads_to(addressed_to(bob)) == {synced(bob).pk}


def test_a_changed_address_is_followed_by_every_profile(anna: User) -> None:
    own = add_profile(anna, {"max_level": 1})
    before = synced(anna)
    change_address(anna, "anna@example.net")
    after = synced(anna)
    assert after.pk == before.pk
    assert after.fingerprint != before.fingerprint
    assert after.settings == {"email_address": "anna@example.net"}
    assert leads_to(own) == leads_to(addressed_to(anna)) == {after.pk}


def test_a_removed_address_takes_its_destination_along(anna: User) -> None:
    phone = add_phone(anna)
    addressed_to(anna).destinations.add(phone)
    change_address(anna, "")
    assert anna.destinations.get() == phone
    assert leads_to(addressed_to(anna)) == {phone.pk}


def test_an_address_that_is_a_destination_already_is_adopted_with_the_profiles(anna: User) -> None:
    other = add_email(anna, "anna@example.net")
    to_other = add_profile(anna, {"max_level": 1}, other, name="to other")
    to_synced = add_profile(anna, {"max_level": 2}, name="to synced")
    change_address(anna, "Anna@Example.NET")
    assert anna.destinations.get() == other
    assert synced(anna) == other
    for profile in (to_other, to_synced, addressed_to(anna)):
        assert leads_to(profile) == {other.pk}


def test_a_first_address_that_is_a_destination_already_is_adopted(
    django_user_model: type[User], db: None
) -> None:
    bob = django_user_model.objects.create_user("bob")
    own = add_email(bob, "bob@example.org")
    change_address(bob, "bob@example.org")
    assert synced(bob) == own
    assert leads_to(addressed_to(bob)) == {own.pk}


def test_a_changed_case_changes_the_spelling_only(anna: User) -> None:
    before = synced(anna)
    change_address(anna, "Anna@Example.org")
    after = synced(anna)
    assert after.pk == before.pk
    assert after.fingerprint == before.fingerprint
    assert after.settings == {"email_address": "Anna@Example.org"}


def test_an_address_that_is_none_stops_no_user_from_being_saved(
    anna: User, caplog: pytest.LogCaptureFixture
) -> None:
    change_address(anna, "not an address")
    anna.refresh_from_db()
    assert anna.email == "not an address"
    assert not anna.destinations.exists()
    assert f"user {anna.pk} has an e-mail address that is none" in caplog.text
    assert "not an address" not in caplog.text


def test_an_address_that_was_taken_once_is_kept_until_it_changes(anna: User) -> None:
    settings = {"email_address": "root@localhost"}  # which is refused by now
    synced = anna.destinations.get(managed=True)
    synced.settings = settings
    synced.save()
    type(anna).objects.filter(pk=anna.pk).update(email="root@localhost")
    anna.refresh_from_db()
    anna.save()
    assert anna.destinations.get(managed=True).settings == settings
    change_address(anna, "root@localhost.localdomain")
    assert not anna.destinations.filter(managed=True).exists()


def test_two_users_may_share_an_address(anna: User, django_user_model: type[User]) -> None:
    bob = django_user_model.objects.create_user("bob", email=anna.email)
    assert synced(bob).pk != synced(anna).pk
    assert synced(bob).fingerprint == synced(anna).fingerprint


def test_a_site_without_the_medium_has_no_synced_destinations(
    django_user_model: type[User], db: None, settings: Any
) -> None:
    settings.MEDIA_PLUGINS = ["notifier.media.sms_as_email.SMSNotification"]
    bob = django_user_model.objects.create_user("bob", email="bob@example.org")
    assert not bob.destinations.exists()
    assert addressed_to(bob).filters.exists()


def test_saving_without_the_address_costs_no_query(anna: User) -> None:
    with CaptureQueriesContext(connection) as alone:
        handlers, post_save.receivers = post_save.receivers, []
        post_save.sender_receivers_cache.clear()
        try:
            anna.save(update_fields=["last_login"])
        finally:
            post_save.receivers = handlers
            post_save.sender_receivers_cache.clear()
    with CaptureQueriesContext(connection) as ours:
        anna.save(update_fields=["last_login"])
    assert len(ours) == len(alone)


def test_saving_the_address_alone_is_followed(anna: User) -> None:
    anna.email = "anna@example.net"
    anna.save(update_fields=["email"])
    assert synced(anna).settings == {"email_address": "anna@example.net"}


def test_what_the_user_took_away_does_not_come_back(anna: User) -> None:
    addressed_to(anna).delete()
    anna.notifier_filters.all().delete()
    anna.timeslots.all().delete()
    anna.save()
    call_command("migrate", verbosity=0)
    assert not anna.notification_profiles.exists()
    assert not anna.notifier_filters.exists()
    assert not anna.timeslots.exists()
    assert synced(anna).settings == {"email_address": "anna@example.org"}


def test_what_the_user_renamed_keeps_its_name(anna: User) -> None:
    addressed_to(anna).filters.update(name="mine")
    anna.notification_profiles.update(name="my profile")
    change_address(anna, "anna@example.net")
    assert addressed_to(anna).name == "my profile"
    assert anna.notifier_filters.get().name == "mine"
    assert leads_to(addressed_to(anna)) == {synced(anna).pk}


def test_fixtures_bring_their_own_rows(db: None, tmp_path: Path) -> None:
    fixture = tmp_path / "users.json"
    fields = {"username": "carl", "email": "carl@example.org", "password": "!"}
    fixture.write_text(json.dumps([{"model": "auth.user", "pk": 700, "fields": fields}]))
    call_command("loaddata", str(fixture), verbosity=0)
    assert not Preferences.objects.filter(user=700).exists()
    assert not DestinationConfig.objects.filter(user=700).exists()


def test_who_was_there_before_is_enrolled_by_migrate(
    django_user_model: type[User], db: None
) -> None:
    django_user_model.objects.bulk_create(
        [django_user_model(username=name, email=f"{name}@example.org") for name in ("bob", "eve")]
    )
    call_command("migrate", verbosity=0)
    for user in django_user_model.objects.all():
        assert leads_to(addressed_to(user)) == {synced(user).pk}
    counts = [each.objects.count() for each in (Preferences, Timeslot, Filter, TimeRecurrence)]
    call_command("migrate", verbosity=0)
    assert counts == [
        each.objects.count() for each in (Preferences, Timeslot, Filter, TimeRecurrence)
    ]


def test_who_came_by_bulk_create_is_enrolled_when_named(
    django_user_model: type[User], db: None
) -> None:
    django_user_model.objects.bulk_create(
        [django_user_model(username="bob", email="bob@example.org")]
    )
    notify("x", recipients=["bob"])
    assert dispatch()["deliveries"] == 1
    assert Delivery.objects.get().user.username == "bob"


def test_enrolling_twice_changes_nothing(anna: User) -> None:
    with CaptureQueriesContext(connection) as queries:
        enrol(anna)
    assert not [
        each["sql"]
        for each in queries.captured_queries
        if each["sql"].startswith(("INSERT", "UPDATE", "DELETE"))
    ]


def test_what_a_host_had_made_before_is_used(django_user_model: type[User], db: None) -> None:
    django_user_model.objects.bulk_create([django_user_model(username="bob")])
    bob = django_user_model.objects.get()
    timeslot = Timeslot.objects.create(user=bob, name=TIMESLOT_NAME)
    recurrence = TimeRecurrence.objects.create(timeslot=timeslot, start=dt.time(8), end=dt.time(16))
    enrol(bob)
    assert addressed_to(bob).timeslot == timeslot
    assert timeslot.recurrences.get() == recurrence
