"""What a mail carries besides its text: threads, unsubscribing, and nothing that an event slipped in."""

from __future__ import annotations

import datetime as dt
import email
import email.policy
from email.message import EmailMessage
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from django.core import mail as outgoing
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from notifier import conf
from notifier.mail import build
from notifier.media.base import Destination, Medium
from notifier.media.email import EmailNotification
from notifier.models import Event, Incident, Source
from tests.conftest import send_mail_by

if TYPE_CHECKING:
    from pytest_django.fixtures import Settings

NOW = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
HEADERS = {
    *("Subject", "From", "To", "Date", "Message-ID", "Auto-Submitted", "X-Auto-Response-Suppress"),
    *("MIME-Version", "Content-Type", "References", "In-Reply-To"),
}
HOSTILE = (
    "x\r\nBcc: evil@example.org\nX-Evil: 1\r\rSubject: other\u2028\u2029\x85\x0b\x0c\x1b\x7f\0"
    "\u202egro.live<script>alert(1)</script>&amp;=?utf-8?q?=0d=0aX-Evil:_1?= \ud83d \U0001f525 \u05d0"
)


@pytest.fixture(autouse=True)
def _mail(settings: Settings) -> None:
    settings.DEFAULT_FROM_EMAIL = "Notifier <notifier@example.org>"
    send_mail_by("django.core.mail.backends.locmem.EmailBackend", settings)


def event(kind: str = "STA", text: str = "Disk of db1 is full", **fields: object) -> Event:
    """Return an event that no database knows, of the incident db1 unless stateless."""
    source = Source(name="shop")
    incident = Incident(
        pk=7, source=source, incident_key="db1", description="Disk of db1 is full", start_time=NOW
    )
    made = Event(
        id=uuid4(), source=source, type=kind, level=1, description=text, timestamp=NOW, open=True
    )
    made.incident = None if kind == "LES" else incident
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def sent(told: Event, *, to: str = "anna@example.org") -> EmailMessage:
    """Send a mail; return it as a receiver reads it."""
    medium, settings = EmailNotification(), {"email_address": to}
    destination = Destination(f"{told.pk}.1", 1, Medium("email", "Email"), settings, "", "anna")
    with medium.session() as session:
        [outcome] = medium.send(told, [destination], session=session)
    assert outcome.answer == "accepted by the mail server"
    raw = outgoing.outbox.pop().message().as_bytes()
    return email.message_from_bytes(raw, policy=email.policy.default)


def test_all_mails_of_an_incident_are_one_conversation() -> None:
    start, changed, end = (sent(event(kind)) for kind in ("STA", "CHI", "END"))
    root = start["References"]
    assert root == "<incident.7.20260301120000@example.org>"
    assert {
        each[name] for each in (start, changed, end) for name in ("References", "In-Reply-To")
    } == {root}
    assert len({each["Message-ID"] for each in (start, changed, end)}) == 3


def test_their_subjects_are_the_same_but_for_re() -> None:
    """So Gmail wants it, besides the same References."""
    start = sent(event("STA"))
    end = sent(event("END", "Disk of db1 is well again"))
    assert start["Subject"] == "[Notifier] Disk of db1 is full"
    assert end["Subject"] == f"Re: {start['Subject']}"
    body = end.get_body(("plain",))
    assert body
    assert body.get_content().startswith("End: Disk of db1 is well again\n")


def test_another_incident_and_a_stateless_event_are_no_part_of_it() -> None:
    again = event()
    assert again.incident
    again.incident.start_time += dt.timedelta(days=1)  # the same id in a new database
    assert sent(again)["References"] != sent(event())["References"]
    alone = sent(event("LES"))
    assert alone["References"] is alone["In-Reply-To"] is None
    assert alone["Subject"] == "[Notifier] Disk of db1 is full"


def test_no_machine_answers_it() -> None:
    mail = sent(event())
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["X-Auto-Response-Suppress"] == "DR, RN, NRN, OOF, AutoReply"


@pytest.mark.parametrize("site", ["https://n.example.org", "https://n.example.org/"])
def test_a_mail_leads_to_the_page_where_it_can_be_stopped(site: str, settings: Settings) -> None:
    settings.NOTIFIER_SITE_URL = site
    mail = sent(event())
    assert mail["List-Unsubscribe"] == "<https://n.example.org/destinations/>"
    assert "List-Unsubscribe-Post" not in mail
    for kind in ("plain", "html"):
        body = mail.get_body((kind,))
        assert body
        assert "https://n.example.org/destinations/" in body.get_content()


def test_a_site_without_url_names_no_page() -> None:
    mail = sent(event())
    assert "List-Unsubscribe" not in mail
    assert "/destinations/" not in mail.as_string()


@pytest.mark.parametrize(
    ("url", "well"),
    [
        ("", True),
        ("https://n.example.org", True),
        ("http://127.0.0.1:8000/notifier/", True),
        ("n.example.org", False),
        ("https://n.example.org/>\r\nBcc: x", False),
        ("javascript:alert(1)", False),
        (None, False),
    ],
)
def test_a_site_has_a_url_or_is_told_so(url: object, well: bool) -> None:
    assert conf.SITE_URL.valid(url) is well  # type: ignore[arg-type]


def test_an_address_of_another_script_goes_out_in_a_labels() -> None:
    assert sent(event(), to="anna@bücher.example")["To"] == "anna@xn--bcher-kva.example"


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, _attributes: object) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def read_html(mail: EmailMessage) -> _Tags:
    body = mail.get_body(("html",))
    assert body
    page = _Tags()
    page.feed(body.get_content())
    return page


FIELDS = ("description", "tags", "details_url", "source", "incident_key", "incident_description")


def with_field(name: str, value: str) -> Event:
    made = event(tags=["host=db1"], details_url="https://example.org/db1")
    assert made.incident
    if name == "tags":
        made.tags = [f"host={value}"]
    elif name == "source":
        made.source.name = value
    elif name.startswith("incident_"):
        setattr(made.incident, name if name == "incident_key" else "description", value)
    else:
        setattr(made, name, value)
    return made


@pytest.mark.parametrize("field", FIELDS)
def test_no_field_of_an_event_adds_a_header_or_a_tag(field: str) -> None:
    mail = sent(with_field(field, HOSTILE))
    assert set(mail.keys()) == HEADERS
    assert len(mail.keys()) == len(HEADERS)
    assert not [each for each in [mail, *mail.iter_parts()] if each.defects]
    assert len(mail["Subject"]) <= 205
    page = read_html(mail)
    assert page.tags == read_html(sent(event(tags=["host=db1"], details_url="https://x"))).tags
    if not field.endswith("description") or field == "description":
        assert "<script>alert(1)</script>&amp;" in page.text


@hypothesis_settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(FIELDS), st.text(st.characters(exclude_categories=[])))
def test_whatever_a_field_holds_the_mail_has_no_defect(field: str, value: str) -> None:
    mail = sent(with_field(field, value))
    assert set(mail.keys()) == HEADERS
    assert not [each for each in [mail, *mail.iter_parts()] if each.defects]


def test_a_subject_has_one_line_without_controls_and_at_most_200_characters() -> None:
    said = build(
        to="a@example.org", subject="a\u202eb\r\n\x1b" + "c" * 1000, text="", message_key="k"
    )
    assert said.subject == "ab " + "c" * 196 + "…"


def test_a_body_keeps_its_lines_and_has_no_controls() -> None:
    said = build(
        to="a@example.org",
        subject="",
        text="a\u202e\r\nb\x1b",
        html="<p>\u200ea\r\nb\0",
        message_key="k",
    )
    assert (said.body, said.alternatives[0][0]) == ("a\nb", "<p>a\nb")
