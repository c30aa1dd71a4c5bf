"""Templates: which is taken, what a site may override, and what becomes of a broken one."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.errors import Reason, TemporaryError
from notifier.media.email import EmailNotification
from notifier.media.gsm import parts
from notifier.media.sms_as_email import SMSNotification
from notifier.messages import RETRY_BROKEN_S, candidates, render, watch
from notifier.models import Event, Source
from notifier.previewing import sample

if TYPE_CHECKING:
    from pytest_django.fixtures import Settings

Write = Callable[[str, str], Path]


@pytest.fixture
def write(settings: Settings, tmp_path: Path) -> Write:
    """Write a template of the site's, such as `email/body.txt`."""

    def add(name: str, text: str) -> Path:
        file = tmp_path / "notifier" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        # set anew, as what was looked for before is remembered
        settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
        return file

    return add


def of(source: str) -> Event:
    """Return a start of a source's."""
    event = sample("STA")
    event.source = Source(name=source)
    return event


def test_the_most_special_template_is_taken(write: Write) -> None:
    event = of("Shop.eu/north")
    assert "db1" not in render("email", "body.txt", event)
    for name in ("body", "body.level-2", "body.type-STA", "body.source-shop-eu-north"):
        file = write(f"email/{name}.txt", f"{name} says {{{{ event.description }}}}")
        with watch() as used:
            assert render("email", "body.txt", event) == f"{name} says {event.description}"
        assert used == [str(file)]


def test_a_special_template_is_nobody_elses(write: Write) -> None:
    for mark in ("level-1", "type-END", "source-other"):
        write(f"email/body.{mark}.txt", "not ours")
    assert "not ours" not in render("email", "body.txt", of("shop"))


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("../../etc/passwd", "body.source-etc-passwd.txt"),
        ("..", None),
        ("/", None),
        ("a\x00b\n", "body.source-ab.txt"),
        ("日本", None),
        ("Ålesund 2", "body.source-alesund-2.txt"),
        ("ops@site_b", "body.source-ops-site_b.txt"),
        ("x" * 300, f"body.source-{'x' * 100}.txt"),
    ],
)
def test_a_source_names_no_other_file(source: str, name: str | None) -> None:
    wanted = [f"notifier/email/{name}"] if name else []
    assert candidates("email", "body.txt", of(source)) == [
        *wanted,
        "notifier/email/body.type-STA.txt",
        "notifier/email/body.level-2.txt",
        "notifier/email/body.txt",
    ]


@given(source=st.text(), kind=st.text(max_size=3))
def test_no_name_from_data_leaves_the_mediums_directory(source: str, kind: str) -> None:
    event = of(source)
    event.type = kind
    for name in candidates("email", "body.txt", event):
        assert name.isascii()
        assert name.count("/") == 2
        assert name.startswith("notifier/email/body.")
        assert ".." not in name


def test_a_template_sees_what_a_medium_adds(write: Write) -> None:
    write("email/note.txt", "{{ event.level }} {{ incident.incident_key }} {{ link }}")
    assert render("email", "note.txt", of("shop"), {"link": "x"}) == "2 core-1:ge-0/0/1 x"


def test_only_the_description_is_cut_to_a_mediums_length() -> None:
    event = of("shop")
    event.description = "æ" * 16_000
    assert event.incident
    event.incident.description = ""
    message = EmailNotification().render(event)
    assert message.subject.startswith("[Notifier] ææ")
    assert len(message.subject) == len("[Notifier] ") + EmailNotification.SUBJECT_LENGTH
    assert event.description in message.text
    assert event.description in message.html
    text = SMSNotification().render(event)
    assert text.endswith(f"æ... [shop, level 2] {event.details_url}")
    assert parts(text) == 2
    assert event.description == "æ" * 16_000


def test_a_length_holds_for_a_sites_template_too(write: Write) -> None:
    write("sms/body.txt", "{{ event.description }} {{ event.details_url }}")
    event = of("shop")
    event.description = "long " * 200
    text = SMSNotification().render(event)
    assert text.endswith(f"... {event.details_url}")
    assert 300 < len(text) <= 306


def test_a_one_line_text_has_no_controls() -> None:
    event = of("shop")
    event.description = "disk\r\nBcc: x@example.org\x1b[2J\x00\u202e"
    assert event.incident
    event.incident.description = event.description
    assert EmailNotification().render(event).subject == "[Notifier] disk Bcc: x@example.org[2J"
    event.details_url = ""
    assert SMSNotification().render(event) == "START disk Bcc: x@example.org[2J [shop, level 2]"


BROKEN = {
    "1\n{% if %}{% endif %}": "Unexpected end of expression in if tag.",
    "1\n{% nosuch %}": "Invalid block tag on line 2: 'nosuch'",
    "1\n{{ event.level|divisibleby:0 }}": "ZeroDivisionError",
    '1\n{% include "notifier/email/nosuch.txt" %}': (
        "TemplateDoesNotExist: notifier/email/nosuch.txt"
    ),
    "{# 1 #}\n{% extends 'notifier/nosuch.txt' %}": "TemplateDoesNotExist: notifier/nosuch.txt",
    "1\n{{ event.level|nosuch }}": "Invalid filter: 'nosuch'",
}


@pytest.mark.parametrize("text", BROKEN)
def test_a_broken_template_is_named_with_its_line(
    text: str, write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    file = write("email/body.type-STA.txt", text)
    with pytest.raises(TemporaryError) as failed:
        render("email", "body.txt", of("shop"))
    error = failed.value
    assert (error.reason, error.retry_after) == (Reason.TEMPLATE, RETRY_BROKEN_S)
    assert error.answer.startswith("template notifier/email/body.type-STA.txt, line 2: ")
    [record] = caplog.records
    assert record.levelno == logging.ERROR
    assert record.getMessage().startswith(f"template {file}, line 2: ")
    assert BROKEN[text] in error.answer
    assert BROKEN[text] in record.getMessage()


@pytest.mark.parametrize(
    "text",
    [
        "{% include event.description %}",
        "{% url event.description %}",
        "{% extends event.description %}",
    ],
)
def test_what_a_broken_template_was_about_stays_out_of_the_log(
    text: str, write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    write("email/body.txt", text)
    event = of("shop")
    event.description = "S3CR3T"
    with pytest.raises(TemporaryError) as failed:
        render("email", "body.txt", event)
    assert "S3CR3T" not in failed.value.answer + caplog.text


def test_a_broken_inner_template_is_the_one_that_is_named(write: Write) -> None:
    write("email/inner.txt", "1\n2\n{{ event.level|divisibleby:0 }}")
    write("email/body.txt", '1\n{% include "notifier/email/inner.txt" %}')
    with pytest.raises(TemporaryError, match=r"notifier/email/inner\.txt, line 3: ZeroDivision"):
        render("email", "body.txt", of("shop"))


def test_a_file_that_can_not_be_read_is_a_broken_template(write: Write) -> None:
    write("email/body.txt", "").write_bytes(b"\xff\xfe")
    with pytest.raises(TemporaryError, match=r"template notifier/email/body\.txt: UnicodeDecode"):
        render("email", "body.txt", of("shop"))
