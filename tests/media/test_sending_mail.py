"""E-mail and SMS against a real SMTP server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from notifier.errors import Reason
from notifier.intake.notifying import notify
from notifier.media.base import Destination, Medium, Status
from notifier.media.email import EmailNotification
from notifier.media.sms_as_email import SMSNotification
from notifier.models import Event
from notifier.testing.scripted_smtp import point_mail_at
from servers.inbox import Inbox
from servers.process import free_port

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from pytest_django.fixtures import Settings


def to(address: str, key: str = "event.1") -> Destination:
    """Return an e-mail destination."""
    medium = Medium("email", "Email")
    return Destination(key, 1, medium, {"email_address": address}, "", "anna")


@pytest.fixture
def event(anna: User) -> Event:
    """An event with everything that a text can show."""
    event_id = notify(
        "<b>Disk</b> of db1 is & stays full",
        level=1,
        type="STA",
        incident_key="db1:disk",
        tags=["host=db1"],
        details_url="https://example.org/db1?a=1&b=2",
        recipients=["anna"],
    )
    return Event.objects.select_related("source", "incident").get(pk=event_id)


def test_a_mail_has_text_and_html_and_says_what_happened(event: Event, inbox: Inbox) -> None:
    medium = EmailNotification()
    with medium.session() as session:
        [outcome] = medium.send(event, [to("anna@example.org")], session=session)
    assert outcome.status is Status.SENT
    [mail] = inbox.messages()
    assert mail["subject"] == "[Notifier] <b>Disk</b> of db1 is & stays full"
    assert mail["text"].startswith("Start: <b>Disk</b> of db1 is & stays full")
    for part in ("level", "db1:disk", "host=db1"):
        assert part in mail["text"].lower()
        assert part in mail["html"].lower()
    assert "https://example.org/db1?a=1&b=2" in mail["text"]
    assert "<b>Disk</b> of db1 is & stays full" in mail["text"]
    assert "&lt;b&gt;Disk&lt;/b&gt; of db1 is &amp; stays full" in mail["html"]
    assert mail["headers"]["Auto-Submitted"] == "auto-generated"
    assert mail["headers"]["Message-ID"] == "<event.1@localhost>"


def test_one_refused_recipient_spoils_no_other_of_the_connection(
    event: Event, inbox: Inbox
) -> None:
    medium = EmailNotification()
    names = ["one", "refuse", "two", "busy", "three"]
    with medium.session() as session:
        destinations = [to(f"{name}@example.org", f"event.{name}") for name in names]
        outcomes = list(medium.send(event, destinations, session=session))
    assert [outcome.status for outcome in outcomes] == [
        Status.SENT,
        Status.PERMANENT,
        Status.SENT,
        Status.TEMPORARY,
        Status.SENT,
    ]
    assert outcomes[1].answer == "550 5.1.1"
    assert [mail["to"] for mail in inbox.messages()] == [
        ["one@example.org"],
        ["two@example.org"],
        ["three@example.org"],
    ]


def test_a_lost_connection_is_opened_again_for_the_next_mail(event: Event, inbox: Inbox) -> None:
    medium = EmailNotification()
    with medium.session() as session:
        list(medium.send(event, [to("one@example.org", "event.1")], session=session))
        inbox.restart()
        lost, found = medium.send(
            event,
            [to("two@example.org", "event.2"), to("three@example.org", "event.3")],
            session=session,
        )
    assert (lost.status, lost.reason) == (Status.TEMPORARY, Reason.CONNECTION)
    assert found.status is Status.SENT


def test_a_refused_connection_is_worth_another_try(event: Event, settings: Settings) -> None:
    point_mail_at(free_port(), settings)
    medium = EmailNotification()
    with medium.session() as session:
        [outcome] = medium.send(event, [to("anna@example.org")], session=session)
    assert (outcome.status, outcome.reason) == (Status.TEMPORARY, Reason.CONNECTION)


def test_a_site_overrides_the_templates(
    event: Event, inbox: Inbox, settings: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "notifier" / "email"
    folder.mkdir(parents=True)
    (folder / "subject.txt").write_text("ours: {{ event.level }}")
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
    settings.NOTIFICATION_SUBJECT_PREFIX = ""
    medium = EmailNotification()
    with medium.session() as session:
        list(medium.send(event, [to("anna@example.org")], session=session))
    assert [mail["subject"] for mail in inbox.messages()] == ["ours: 1"]


def test_an_sms_goes_to_the_number_at_the_gateway(event: Event, inbox: Inbox) -> None:
    medium = SMSNotification()
    number = Destination(
        "event.1", 1, Medium("sms", "SMS"), {"phone_number": "+4790909090"}, "", "anna"
    )
    with medium.session() as session:
        [outcome] = medium.send(event, [number], session=session)
    assert outcome.status is Status.SENT
    [mail] = inbox.messages()
    assert mail["to"] == ["sms+4790909090@gateway.example"]
    assert mail["subject"] == ""
    assert mail["text"].strip() == (
        "START <b>Disk</b> of db1 is & stays full [local, level 1] https://example.org/db1?a=1&b=2"
    )
