"""Plugins written for Argus, sending through the real path."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from django.core.checks import run_checks
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext

from notifier.delivering.sending import deliver
from notifier.intake.notifying import notify
from notifier.media import registry
from notifier.models import Attempt, Delivery, DestinationConfig, Event, Gate
from notifier.testing.scripted_smtp import point_mail_at
from servers.inbox import Inbox
from tests import argus_plugins
from tests.recording import RecordingQueue

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from pytest_django.fixtures import Settings

PLUGINS = [f"tests.argus_plugins.{name}" for name in ("Oldest", "Middle", "Newest")]
EMAIL = "notifier.media.email.EmailNotification"

Tell = Callable[..., Delivery]


@pytest.fixture(autouse=True)
def plugins(settings: Settings) -> Iterator[None]:
    """Enable the plugins; the room is empty."""
    registry._load.cache_clear()
    settings.MEDIA_PLUGINS = [EMAIL, *PLUGINS]
    settings.NOTIFICATION_SUBJECT_PREFIX = "[Argus] "
    argus_plugins.posted.clear()
    yield
    registry._load.cache_clear()


@pytest.fixture
def tell(anna: User, source: Any, queue: RecordingQueue) -> Tell:
    """Post an event and make Anna's delivery of it: `tell("room", "https://…", type="STA", …)`."""

    def add(slug: str, address: str, description: str = "disk is full", **event: Any) -> Delivery:
        key = registry.get_medium(slug).MEDIA_SETTINGS_KEY
        theirs = anna.destinations.filter(media_id=slug)
        known = [each for each in theirs if each.settings == {key: address}]
        destination = (known or [DestinationConfig(user=anna, media_id=slug)])[0]
        destination.settings = {key: address}
        destination.save()
        found = Event.objects.get(pk=notify(description, source="shop", **event))
        return Delivery.objects.create(
            event=found,
            destination=destination,
            user=anna,
            medium=slug,
            urgency=found.level,
            incident=found.incident,
            sequence=found.sequence,
        )

    return add


def test_the_checks_find_nothing_wrong_with_them() -> None:
    assert run_checks(tags=["notifier"]) == []


def test_a_stateful_event_has_all_that_an_old_plugin_reads(tell: Tell) -> None:
    row = tell(
        "room",
        "https://chat.example/x",
        type="STA",
        incident_key="db1",
        level=2,
        tags=["host=db1"],
        details_url="https://nms.example/7",
    )
    assert deliver("room", worker="me") == {"sent": 1, "deferred": 0, "failed": 0}
    assert row.event.incident
    assert argus_plugins.posted == [
        {
            "to": f"room {row.destination_id}",
            "title": "[Argus] Incident started: disk is full (shop)",
            "actor": "shop",
            "since": row.event.incident.start_time.isoformat(),
            "source": "shop",
            "expires": None,
            "link": "https://nms.example/7",
            "tags": {"host": "db1"},
            "facts": {
                "description": "disk is full",
                "details_url": "https://nms.example/7",
                "level": 2,
                "metadata": {},
                "source_incident_id": "db1",
                "ticket_url": "",
            },
        }
    ]
    assert Attempt.objects.get().answer == "send() returned True"


def test_a_stateless_event_and_an_acknowledgement_are_told_too(tell: Tell) -> None:
    tell("room", "https://chat.example/x")
    tell("room", "https://chat.example/x", type="STA", incident_key="db1")
    tell("room", "https://chat.example/x", type="ACK", incident_key="db1")
    for _ in range(2):
        deliver("room", worker="me")
    assert sorted((each["title"], each["expires"]) for each in argus_plugins.posted) == [
        ("[Argus] Incident acknowledged: disk is full (shop)", ""),
        ("[Argus] Incident started: disk is full (shop)", None),
        ("[Argus] disk is full (shop)", None),
    ]


def test_each_destination_is_told_alone(tell: Tell) -> None:
    rows = {name: tell("room", f"https://{name}.example") for name in ("ok", "broken", "raises")}
    rows["silent"] = tell("room", "https://silent.example")
    assert deliver("room", worker="me") == {"sent": 1, "deferred": 2, "failed": 1}
    for row in rows.values():
        row.refresh_from_db()
    assert {name: (row.state, row.reason) for name, row in rows.items()} == {
        "ok": ("sent", ""),
        "broken": ("pending", "deferred"),
        "raises": ("pending", "bug"),
        "silent": ("failed", "unclear"),
    }
    assert {each.delivery_id: each.answer for each in Attempt.objects.all()} == {
        rows["ok"].pk: "send() returned True",
        rows["broken"].pk: "send() returned False",
        rows["raises"].pk: "RuntimeError",
        rows["silent"].pk: "send() returned NoneType, neither True nor False",
    }


def test_a_plugin_that_never_says_how_it_ended_is_not_held_back(tell: Tell) -> None:
    for number in range(12):
        tell("room", "https://silent.example", f"event {number}")
    assert deliver("room", worker="me")["failed"] == 12
    assert not Gate.objects.exists()


def test_the_end_is_told_though_it_is_unclear_whether_the_start_was(tell: Tell) -> None:
    tell("room", "https://silent.example", type="STA", incident_key="db1")
    end = tell("room", "https://silent.example", type="END", incident_key="db1")
    for _ in range(2):
        deliver("room", worker="me")
    end.refresh_from_db()
    assert (end.state, end.reason) == ("failed", "unclear")
    assert len(argus_plugins.posted) == 2


def test_sending_asks_the_database_nothing(tell: Tell) -> None:
    tell("room", "https://chat.example/0")
    with CaptureQueriesContext(
        connection,
    ) as one:
        deliver("room", worker="me")
    for number in range(5):
        tell("room", f"https://chat.example/{number}", type="STA", incident_key=f"db{number}")
    with CaptureQueriesContext(connection) as five:
        deliver("room", worker="me")
    assert len(argus_plugins.posted) == 6
    # one for the next in an incident
    assert len(five) <= len(one) + 1


def test_the_newest_kind_sends_mail(tell: Tell, inbox: Inbox) -> None:
    tell("letter", "bob@example.org", "disk is\nfull", type="STA", incident_key="db1", level=1)
    assert deliver("letter", worker="me")["sent"] == 1
    [mail] = inbox.messages()
    assert mail["subject"] == "[Argus] Incident started: disk is full (shop)"
    assert "end_time: Still open" in mail["text"]


def test_mail_that_fails_is_recorded_with_what_the_server_said(
    tell: Tell, settings: Settings
) -> None:
    point_mail_at(9, settings)  # discard: nobody answers there
    row = tell("letter", "bob@example.org")
    deliver("letter", worker="me")
    row.refresh_from_db()
    assert (row.state, row.reason) == ("pending", "connection")


def test_a_middle_aged_one_pages(tell: Tell) -> None:
    tell("pager", "4711")
    assert deliver("pager", worker="me")["sent"] == 1
    assert argus_plugins.posted == [{"to": "4711", "title": "disk is full"}]


def clean(destination: DestinationConfig) -> dict[str, Any]:
    """Return a destination's settings as they are after validating."""
    destination.full_clean()
    return dict(destination.settings)


@pytest.mark.parametrize(
    ("slug", "written", "kept"),
    [
        (
            "room",
            {"webhook": " https://x.example "},
            {"webhook": "https://x.example", "synced": False},
        ),
        ("pager", {"number": " 4711 "}, {"number": "4711"}),
        ("letter", {"email_address": " bob@example.org "}, {"email_address": "bob@example.org"}),
    ],
)
def test_every_validate_that_argus_has_had_is_called_right(
    anna: User, slug: str, written: dict[str, str], kept: dict[str, object]
) -> None:
    destination = DestinationConfig(user=anna, media_id=slug, settings=written)
    assert clean(destination) == kept
    destination.save()
    assert clean(destination) == kept  # it is no duplicate of itself


@pytest.mark.parametrize(
    ("slug", "written", "said"),
    [
        ("room", {"webhook": ""}, "webhook: This field is required."),
        ("pager", {"number": "anna"}, "number: A name is no number."),
        ("letter", {"email_address": "bob"}, "email_address: Enter a valid email address."),
        (
            "letter",
            {"email_address": "b@x.org", "a": 1},
            "a: unknown; a Letter destination has email_address.",
        ),
    ],
)
def test_what_a_plugin_refuses_is_said_of_the_settings(
    anna: User, slug: str, written: dict[str, object], said: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        clean(DestinationConfig(user=anna, media_id=slug, settings=written))
    assert refused.value.message_dict == {"settings": [said]}


def test_the_oldest_validate_sees_which_destination_is_changed(anna: User) -> None:
    destination = DestinationConfig(user=anna, media_id="room", settings={"webhook": "https://x"})
    destination.label = "fixed"
    destination.save()
    with pytest.raises(ValidationError, match="This one can't be changed"):
        destination.full_clean()


def test_a_plugins_own_idea_of_a_duplicate_holds(
    anna: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    DestinationConfig.objects.create(user=anna, media_id="pager", settings={"number": "4711"})
    monkeypatch.setattr(argus_plugins.Middle, "canonical_address", lambda *_: "other")
    with pytest.raises(ValidationError, match="This user has a destination with that address"):
        clean(DestinationConfig(user=anna, media_id="pager", settings={"number": "4711"}))
