"""Everybody is told in their own language, time zone and words."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation

from notifier.delivering.dispatching import dispatch
from notifier.delivering.sending import deliver
from notifier.intake.notifying import notify
from notifier.models import Attempt, Delivery, DestinationConfig, Event, Gate, Preferences
from servers.inbox import Inbox
from tests.plugins import Counting

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from pytest_django.fixtures import Settings

pytestmark = pytest.mark.usefixtures("queue", "db")


@pytest.fixture
def people(django_user_model: type[User]) -> list[User]:
    """Four people: Norwegians in Oslo (two), one in New York, and one without preferences."""
    names = ("anna", "ben", "carla", "dora")
    users = [
        django_user_model.objects.create_user(name, email=f"{name}@example.org") for name in names
    ]
    oslo = Preferences.objects.filter(user__in=users[:2])
    oslo.update(language="nb", time_zone="Europe/Oslo")
    Preferences.objects.filter(user=users[2]).update(time_zone="America/New_York")
    Preferences.objects.filter(user=users[3]).delete()
    return users


def tell(*users: User, **fields: Any) -> None:
    """Post an event for these users, and send all mails."""
    names = [user.get_username() for user in users]
    at = dt.datetime(2026, 11, 23, 22, 30, tzinfo=dt.UTC)
    notify("Disk is full", level=1, recipients=names, timestamp=at, **fields)
    dispatch()
    deliver("email", worker="me")


def test_each_gets_a_mail_in_their_own_language_and_time_zone(
    people: list[User], inbox: Inbox
) -> None:
    tell(*people, type="STA", incident_key="db1")
    mails = {mail["to"][0].partition("@")[0]: mail for mail in inbox.messages()}
    assert "Nivå: 1 (kritisk)" in mails["anna"]["text"]
    assert "Tid: 23. november 2026 23:30:00 CET" in mails["anna"]["text"]
    assert "Hva: start, åpen siden 23. november 2026" in mails["anna"]["text"]
    assert '<html lang="nb">' in mails["anna"]["html"]
    assert "nivå 1, kritisk" in mails["anna"]["html"]
    assert mails["ben"]["text"] == mails["anna"]["text"]
    assert "Level: 1 (critical)" in mails["carla"]["text"]
    assert "Time: Nov. 23, 2026 17:30:00 EST" in mails["carla"]["text"]
    assert "Time: Nov. 23, 2026 22:30:00 UTC" in mails["dora"]["text"]


def test_who_has_chosen_nothing_gets_the_sites_language(
    people: list[User], inbox: Inbox, settings: Settings
) -> None:
    settings.LANGUAGE_CODE, settings.TIME_ZONE = "nb", "Asia/Tokyo"
    tell(people[3])
    assert "Tid: 24. november 2026 07:30:00 JST" in inbox.messages()[0]["text"]


def test_a_language_and_a_time_zone_that_are_gone_stop_nobody(
    people: list[User], inbox: Inbox
) -> None:
    Preferences.objects.filter(user=people[0]).update(language="tlh", time_zone="Mars/Olympus")
    tell(*people[:2])
    assert {
        mail["to"][0]: "Level: 1 (critical)" in mail["text"] and "22:30:00 UTC" in mail["text"]
        for mail in inbox.messages()
    } == {"anna@example.org": True, "ben@example.org": False}


def test_nothing_of_a_users_language_is_left_behind(people: list[User], inbox: Inbox) -> None:
    before = translation.get_language(), timezone.get_current_timezone_name()
    tell(people[0])
    assert (translation.get_language(), timezone.get_current_timezone_name()) == before


def test_the_same_message_is_rendered_once(
    people: list[User], counting: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered: list[tuple[str | None, str]] = []

    def render(_self: Counting, event: Event) -> str:
        rendered.append((translation.get_language(), timezone.get_current_timezone_name()))
        return event.description

    monkeypatch.setattr(Counting, "render", render)
    for number, user in enumerate([*people, people[0]]):
        address = {"address": f"ok-{number}"}
        DestinationConfig.objects.create(user=user, media_id="counting", settings=address)
    send_to_all()
    assert len(counting) == 5
    assert sorted(rendered) == [
        ("en", "America/New_York"),
        ("en", "UTC"),
        ("nb", "Europe/Oslo"),
    ]


def send_to_all() -> None:
    """Send one event to every destination of the medium `counting`."""
    notify("Disk is full")
    event = Event.objects.latest("received")
    Event.objects.update(state="dispatched")
    for each in DestinationConfig.objects.filter(media_id="counting"):
        Delivery.objects.create(
            event=event, destination=each, user=each.user, medium="counting", urgency=5
        )
    deliver("counting", worker="me")


def test_languages_cost_no_query_a_row(people: list[User], counting: list[str]) -> None:
    def queries(users: list[User]) -> int:
        DestinationConfig.objects.filter(media_id="counting").delete()
        for user in users:
            DestinationConfig.objects.create(
                user=user, media_id="counting", settings={"address": "ok"}
            )
        with CaptureQueriesContext(
            connection,
        ) as captured:
            send_to_all()
        return sum("notifier_preferences" in each["sql"] for each in captured)

    assert queries(people[:1]) == queries(people) == 1
    assert len(counting) == 5


def test_a_users_own_text_stands_where_the_description_stands(
    people: list[User], inbox: Inbox
) -> None:
    anna = people[0].destinations.get()
    anna.template = "{source}: {description} ({level_name}), {{ja}}"
    anna.save()
    tell(*people[:2])
    mails = {mail["to"][0]: mail for mail in inbox.messages()}
    assert mails["anna@example.org"]["subject"] == (
        "[Notifier] local: Disk is full (kritisk), {ja}"
    )
    assert mails["anna@example.org"]["text"].startswith("local: Disk is full (kritisk), {ja}\r\n")
    assert mails["ben@example.org"]["subject"] == "[Notifier] Disk is full"


def test_a_text_that_comes_out_empty_hides_nothing(people: list[User], inbox: Inbox) -> None:
    people[0].destinations.update(template=" {actor} ")
    tell(people[0])
    assert inbox.messages()[0]["subject"] == "[Notifier] Disk is full"


def test_a_text_of_an_older_time_is_sent_as_it_stands(people: list[User], inbox: Inbox) -> None:
    people[0].destinations.update(template="{gone} {description.__class__} {")
    tell(people[0])
    assert inbox.messages()[0]["subject"] == "[Notifier] {gone} {description.__class__} {"


def test_a_medium_for_programs_takes_no_text(
    people: list[User], counting: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Counting, "OWN_TEXT", False)
    address = {"address": "ok"}
    destination = DestinationConfig(
        user=people[0], media_id="counting", settings=address, template="{level}"
    )
    with pytest.raises(ValidationError) as refused:
        destination.clean()
    assert refused.value.message_dict == {
        "template": ["Counting takes no text of your own; leave it empty."]
    }
    destination.save()  # as a medium that took one once
    send_to_all()
    assert counting == ["Disk is full to ok"]


def test_a_language_that_is_none_is_refused_with_those_there_are(people: list[User]) -> None:
    preferences = people[0].notifier_preferences
    preferences.language = "tlh"
    with pytest.raises(ValidationError) as refused:
        preferences.full_clean()
    [sentence] = refused.value.message_dict["language"]
    assert sentence.startswith("tlh is none of the languages here; use one of af, ar,")


def test_a_broken_template_uses_no_attempt_up_and_stops_no_other(
    people: list[User],
    inbox: Inbox,
    settings: Settings,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    folder = tmp_path / "notifier" / "email"
    folder.mkdir(parents=True)
    (folder / "body.type-STA.txt").write_text("ours\n{% nosuch %}")
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
    tell(*people[:2], type="STA", incident_key="db1")
    tell(people[2])
    assert [mail["to"] for mail in inbox.messages()] == [["carla@example.org"]]
    waiting = Delivery.objects.filter(state="pending")
    assert {(row.reason, row.attempts) for row in waiting} == {("template", 0)}
    assert all(200 < (row.due_at - timezone.now()).total_seconds() < 310 for row in waiting)
    answer = "template notifier/email/body.type-STA.txt, line 2: Invalid block tag"
    for attempt in Attempt.objects.filter(outcome="temporary"):
        assert attempt.answer.startswith(answer)
    assert not Gate.objects.exists()
    assert caplog.text.count(f"{folder}/body.type-STA.txt, line 2: ") == 1

    (folder / "body.type-STA.txt").write_text("mended")
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]  # as a new process
    waiting.update(due_at=timezone.now())
    deliver("email", worker="me")
    assert {mail["text"].strip() for mail in inbox.messages()[1:]} == {"mended"}
