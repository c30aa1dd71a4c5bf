"""`notifier explain`: why somebody was told, or was not."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from io import StringIO
from typing import TYPE_CHECKING

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from notifier.delivering.dispatching import dispatch
from notifier.delivering.sending import deliver
from notifier.explaining import Verdict, explain, verdicts
from notifier.intake.notifying import notify
from notifier.models import Event, NotificationProfile, TimeRecurrence, Timeslot
from servers.inbox import Inbox
from tests.conftest import add_phone, add_profile
from tests.recording import RecordingQueue

if TYPE_CHECKING:
    from django.contrib.auth.models import User

MONDAY = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)


@pytest.fixture(autouse=True)
def _queue(queue: RecordingQueue) -> None:
    """Nothing leaves for Redis."""


def post(**fields: object) -> Event:
    """Post an event about db1 and return it."""
    given = {"description": "disk full", "level": 2, "tags": ["host=db1"], "timestamp": MONDAY}
    return event(notify(**given | fields))  # type: ignore[arg-type]


def event(pk: uuid.UUID) -> Event:
    """Return an event as the database has it now."""
    return Event.objects.select_related("source").get(pk=pk)


def run(*args: object) -> str:
    """Return what the command prints."""
    out = StringIO()
    call_command("explain", *map(str, args), stdout=out, no_color=True)
    return out.getvalue()


def verdict(of: Event, profile: NotificationProfile, at: dt.datetime | None = None) -> Verdict:
    """Return what a profile says of an event."""
    [found] = [
        each
        for each in explain(of, users=[profile.user], at=at).verdicts
        if each.profile == profile.pk
    ]
    return found


@pytest.mark.parametrize(
    ("conditions", "condition", "sentence"),
    [
        ({"max_level": 1}, "filter.max_level", "max_level: asks for 1, the event has 2"),
        ({"tags": ["site=oslo"]}, "filter.tags", "tags: asks for site=oslo, the event has no site"),
        (
            {"tags": ["host=db1", "host=~web.*"]},
            "filter.tags",
            "tags: asks for host=~web.*, the event has host=db1",
        ),
        (
            {"sources": ["nav", "zabbix"]},
            "filter.sources",
            "sources: asks for nav or zabbix, the event has local",
        ),
        (
            {"event_types": ["STA"]},
            "filter.event_types",
            "event_types: asks for STA, the event has LES",
        ),
        ({"source_types": ["cron"]}, "filter.source_types", "asks for cron, the event has app"),
        ({"open": True}, "filter.open", "open: asks for yes, the event has neither"),
        ({"stateful": True}, "filter.stateful", "stateful: asks for yes, the event has no"),
        ({"addressed": True}, "filter.addressed", "addressed: asks for yes, the event has no"),
        ({}, "filter", "is empty"),
    ],
)
def test_the_key_of_a_filter_that_said_no_is_named(
    anna: User, conditions: dict[str, object], condition: str, sentence: str, settings: object
) -> None:
    profile = add_profile(anna, conditions)
    found = verdict(post(), profile)
    assert (found.matches, found.told, found.condition) == (False, False, condition)
    assert found.sentence.startswith("filter “a profile”")
    assert sentence in found.sentence


def test_a_closed_timeslot_says_when_it_opens_next(anna: User) -> None:
    anna.notifier_preferences.time_zone = "Europe/Oslo"
    anna.notifier_preferences.save()
    nights = Timeslot.objects.create(user=anna, name="Nights")
    profile = add_profile(anna, {"max_level": 5})
    profile.timeslot = nights
    profile.save()
    never = verdict(post(), profile)
    TimeRecurrence.objects.create(timeslot=nights, start=dt.time(22), end=dt.time(6))

    found = verdict(post(), profile)

    assert (never.condition, never.opens) == ("timeslot", None)
    assert never.sentence.endswith("and never opens")
    assert found.opens == dt.datetime(2026, 11, 23, 21, tzinfo=dt.UTC)
    assert found.sentence == (
        "timeslot “Nights” is closed at Mon 13:00 CET, opens next Mon 2026-11-23 22:00 CET"
    )
    assert verdict(post(), profile, at=found.opens).matches
    assert not verdict(post(), profile, at=found.opens - dt.timedelta(seconds=1)).matches


def test_a_pause_an_inactive_profile_and_a_missing_destination_are_named(anna: User) -> None:
    profile = add_profile(anna, {"max_level": 5})
    of = post()
    profile.destinations.clear()
    assert verdict(of, profile).condition == "destination"
    profile.paused_until = timezone.now() + dt.timedelta(hours=1)
    profile.save()
    assert verdict(of, profile).condition == "paused"
    later = profile.paused_until + dt.timedelta(minutes=1)
    assert verdict(of, profile, at=later).condition == "destination"
    profile.active = False
    profile.save()
    assert verdict(of, profile).condition == "inactive"


def test_recipients_keep_others_out(anna: User, django_user_model: type[User]) -> None:
    profile = add_profile(anna, {"max_level": 5})
    django_user_model.objects.create_user("carl", email="carl@example.org")
    assert verdict(post(recipients=["carl"]), profile).condition == "recipients"


@pytest.mark.django_db(transaction=True)
def test_what_led_to_a_delivery_says_so_and_its_history_is_told(anna: User, inbox: Inbox) -> None:
    profile, other = (
        add_profile(anna, {"max_level": level}, name=f"to {level}") for level in (3, 4)
    )
    of = post()
    assert verdict(of, profile).sentence == "it wants the event, which waits to be matched"
    assert explain(of).sentence == "waits to be matched"
    dispatch()
    deliver("email", worker="me")

    found = explain(event(of.pk))

    assert found.sentence.startswith("matched ")
    assert [each.sentence for each in found.verdicts] == [
        "it wants the event, and led to a delivery",
        "it wants the event, and led to a delivery",
    ]
    assert found.others == 1  # “Addressed to me”
    [delivery] = found.deliveries
    assert (delivery.state, delivery.user, delivery.medium) == ("sent", "anna", "email")
    assert set(delivery.profiles) == {profile.pk, other.pk}
    [attempt] = delivery.tries
    assert (attempt.outcome, attempt.worker) == ("sent", "me")
    assert "anna@example.org" not in json.dumps(found.as_dict(), default=str)


@pytest.mark.django_db(transaction=True)
def test_a_profile_that_changed_since_says_so(anna: User) -> None:
    profile = add_profile(anna, {"max_level": 3})
    missed = add_profile(anna, {"max_level": 1}, name="missed")
    of = post()
    dispatch()
    of = event(of.pk)
    assert verdict(of, profile).changed is None

    for each, level in ((profile, 1), (missed, 3)):
        [only] = each.filters.all()
        only.conditions = {"max_level": level}
        only.save()

    then_told, told_now = verdict(of, profile), verdict(of, missed)
    assert (then_told.matches, then_told.told) == (False, True)
    assert then_told.sentence.startswith("it led to a delivery, but would not now: filter")
    assert (told_now.matches, told_now.told) == (True, False)
    assert told_now.sentence == (
        "it wants the event as it is now, but led to no delivery when that was matched"
    )
    assert then_told.changed is not None
    assert then_told.changed > (of.dispatched_at or timezone.now())
    assert {each.profile for each in explain(of).verdicts} == {profile.pk, missed.pk}


@pytest.mark.django_db(transaction=True)
def test_everybody_else_is_counted_or_judged(
    anna: User, django_user_model: type[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("notifier.explaining._CHUNK", 3)
    for number in range(4):
        user = django_user_model.objects.create_user(f"u{number}", email=f"u{number}@example.org")
        add_profile(user, {"max_level": number + 1})
    of = post()
    dispatch()
    of = event(of.pk)

    assert [each.user for each in explain(of).verdicts] == ["u1", "u2", "u3"]
    assert explain(of).others == NotificationProfile.objects.count() - 3
    everyone = list(verdicts(of))
    assert len({each.profile for each in everyone}) == NotificationProfile.objects.count()
    assert [each.user for each in everyone if each.matches] == ["u1", "u2", "u3"]


@pytest.mark.django_db(transaction=True)
def test_a_pause_that_ends_before_the_moment_asked_for_is_over_in_general_too(anna: User) -> None:
    profile = add_profile(anna, {"max_level": 3})
    profile.paused_until = timezone.now() + dt.timedelta(hours=1)
    profile.save()
    of = post()
    assert not explain(of).verdicts
    [found] = explain(of, at=timezone.now() + dt.timedelta(hours=2)).verdicts
    assert found.profile == profile.pk


@pytest.mark.django_db(transaction=True)
def test_another_users_deliveries_are_not_told(
    anna: User, inbox: Inbox, django_user_model: type[User]
) -> None:
    carl = django_user_model.objects.create_user("carl", email="carl@example.org")
    for user in (anna, carl):
        add_profile(user, {"max_level": 3})
    of = post()
    dispatch()
    assert {each.user for each in explain(of).deliveries} == {"anna", "carl"}
    found = explain(of, users=[carl])
    assert {each.user for each in found.deliveries} == {"carl"}
    assert {each.user for each in found.verdicts} == {"carl"}
    assert found.others == 0


@pytest.mark.django_db(transaction=True)
def test_the_command_tells_it_line_by_line(anna: User, inbox: Inbox) -> None:
    add_profile(anna, {"max_level": 3}, name="urgent")
    add_profile(anna, {"max_level": 3}, name="again")
    add_profile(anna, {"max_level": 1}, add_phone(anna), name="on call")
    of = post(description="disk \x1b[31mfull")
    dispatch()
    deliver("email", worker="me")

    lines = run(of.pk, "--user", "anna").splitlines()

    assert lines[0] == r"stateless, level 2: disk \x1b[31mfull"
    assert lines[1].startswith("from local, accepted 20")
    assert "yes anna, “urgent”: it wants the event, and led to a delivery" in lines
    assert "no  anna, “on call”: filter “on call”, max_level: asks for 1, the event has 2" in lines
    at = next(place for place, line in enumerate(lines) if line.startswith("email to anna"))
    assert lines[at].endswith(": sent")
    assert lines[at + 1] == "    told once, for 2 profiles"
    assert lines[at + 2].startswith("    try 1, ")
    assert lines[at + 2].endswith(" ms: sent: accepted by the mail server")
    assert "2 other profiles say no; --everyone or --user shows what did" in run(of.pk)
    assert "“on call”" in run(of.pk, "--everyone")


def test_the_command_prints_json(anna: User) -> None:
    of = post()
    found = json.loads(run(of.pk, "--user", "anna", "--at", "2026-11-23T09:30", "--json"))
    assert found["event"] == str(of.pk)
    assert found["verdicts"][0]["condition"] == "filter.addressed"
    everyone = json.loads(run(of.pk, "--everyone", "--json"))
    assert len(everyone["verdicts"]) == NotificationProfile.objects.count()


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["nonsense"], "is no event's id"),
        ([uuid.UUID(int=1)], "There is no event"),
        (["EVENT", "--user", "nobody"], "--user: there is no 'nobody'"),
        (["EVENT", "--at", "soon"], "is no time"),
        (["EVENT", "--at", "2026-13-01T00:00"], "is no time"),
    ],
)
def test_what_cannot_be_explained_is_a_sentence(
    anna: User, args: list[object], sentence: str
) -> None:
    of = post()
    with pytest.raises(CommandError, match=sentence):
        run(*(of.pk if each == "EVENT" else each for each in args))
