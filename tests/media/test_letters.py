"""A letter is written once, and each recipient gets what Django would have written for them alone."""

from __future__ import annotations

import datetime as dt
import email
import re
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import pytest
import time_machine
from django.core import mail as outgoing
from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.smtp import EmailBackend
from django.test import override_settings
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from notifier import mail
from notifier.copying import MOST_KEPT
from notifier.mail import Letter
from notifier.media.email import EmailNotification
from notifier.previewing import sample
from notifier.testing.scripted_smtp import PIPELINING, Mail, point_mail_at, scripted_smtp
from tests.conftest import send_mail_by

if TYPE_CHECKING:
    from pytest_django.fixtures import Settings

NOW = "2026-03-01T12:00:00Z"
LETTER = Letter("Disk full", "t\u00f8\n.\n", "<p>t\u00f8")
OTHER = Letter("Disk full", "another", "<p>t\u00f8")
_BOUNDARY = re.compile(rb"={15}[0-9]+==")

_words = st.text(st.characters(exclude_categories=[]), max_size=200)
_texts = st.one_of(
    _words,
    st.text("a.\r\n \u00f8\U0001f525=", max_size=60),
    st.integers(1, 3000).map(lambda length: "x" * length + "\n.\n\u00f8"),
)
_letters = st.builds(
    Letter,
    subject=st.one_of(_words, st.just("\r\nTo: eve@example.org\r\nMessage-ID: <a@b>")),
    text=st.one_of(_texts, st.just("To: eve@example.org\r\nMessage-ID: <event.1@example.org>\r\n")),
    html=st.one_of(st.just(""), _texts),
    thread_key=st.sampled_from(["", "incident.7.20260301120000", "i" * 80]),
    unsubscribe_url=st.sampled_from(
        ["", "https://n.example.org/destinations/", "https://x/" + "y" * 90]
    ),
)
_atom = st.text("abcXYZ019!#$%&'*+/=?^_`{|}~-", min_size=1, max_size=30)
_label = st.one_of(
    st.text("abcXYZ019", min_size=1, max_size=63), st.sampled_from(["b\u00fccher", "xn--bcher-kva"])
)
_addresses = st.one_of(
    st.builds("{}@{}".format, st.lists(_atom, min_size=1, max_size=4).map(".".join), _label),
    st.builds("{}@{}.{}.org".format, _atom, _label, _label),
    st.sampled_from(
        [
            "anna@example.org",
            "a" * 51 + "@sixty-three.example.org",
            "a" * 64 + "@seventy-something.example.org",
            '"anna b"@example.org',
            '"a\\"@b"@example.org',
            "Anna <anna@example.org>",
            "anna@[192.0.2.1]",
            "anna@" + "x" * 64 + ".org",
            "anna@example..org",
            "anna",
        ]
    ),
)
_keys = st.one_of(
    st.builds("{}.{}".format, st.uuids(), st.integers(1, 10**9)),
    st.text("abcdef0123456789.-", min_size=1, max_size=40),
    st.text("a.-", min_size=60, max_size=100),
    st.sampled_from(["a b", "a@b", "<a>", "\u00f8"]),
)


def _keys_of_length(length: int) -> st.SearchStrategy[list[str]]:
    key = st.text("abcdef0123456789.-", min_size=length, max_size=length)
    return st.lists(key, min_size=2, max_size=4)


_recipients = st.tuples(_addresses, _keys)
_senders = st.sampled_from(
    [
        "webmaster@localhost",
        "Notifier <notifier@example.org>",
        "Bl\u00e5b\u00e6r <notifier@b\u00fccher.example>",
        "notifier@" + "long." * 15 + "example.org",
    ]
)


@pytest.fixture(params=[{}, PIPELINING], ids=["one by one", "pipelining"])
def arrived(request: pytest.FixtureRequest, settings: Settings) -> Iterator[list[Mail]]:
    """What arrives at the mail server that Django's mail goes to."""
    mails: list[Mail] = []
    with scripted_smtp(request.param, mails) as port:
        point_mail_at(port, settings)
        yield mails


def wire(arrived: list[Mail], send: Callable[[], object]) -> list[Mail] | type[Exception]:
    """Send; return what arrived, without the boundary, which is random, or how it failed."""
    arrived.clear()
    try:
        send()
    except Exception as error:  # noqa: BLE001 - both ways must end alike
        return type(error)
    return [Mail(each.recipients, _BOUNDARY.sub(b"boundary", each.data)) for each in arrived]


def by_django(message: EmailMultiAlternatives) -> None:
    """Send by Django's own backend, as it is."""
    backend = mail._connection()
    backend.__class__ = EmailBackend
    backend.send_messages([message])


@hypothesis_settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(letter=_letters, sender=_senders, recipients=st.lists(_recipients, min_size=1, max_size=4))
def test_each_recipient_gets_what_django_would_have_written(
    letter: Letter, sender: str, recipients: list[tuple[str, str]], arrived: list[Mail]
) -> None:
    with time_machine.travel(NOW, tick=False), override_settings(DEFAULT_FROM_EMAIL=sender):
        sent = [
            wire(arrived, lambda to=to: by_django(letter.to(*to)))  # type: ignore[misc]
            for to in recipients
        ]
        with mail.MailSession() as session:
            for (address, key), theirs in zip(recipients, sent, strict=True):
                ours = wire(
                    arrived,
                    lambda: session.send_letter(letter, to=address, message_key=key),  # noqa: B023
                )
                assert ours == theirs


@hypothesis_settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(keys=st.integers(60, 100).flatmap(_keys_of_length), sender=_senders)
def test_a_message_id_is_folded_by_its_length_alone(
    keys: list[str], sender: str, arrived: list[Mail]
) -> None:
    test_each_recipient_gets_what_django_would_have_written.hypothesis.inner_test(  # type: ignore[attr-defined]
        LETTER, sender, [("anna@example.org", key) for key in keys], arrived
    )


def key(number: int) -> str:
    return f"0198c1f2-0000-7000-8000-000000000000.{number}"


def test_a_letter_is_written_once_for_all_who_get_it(
    arrived: list[Mail], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By SMTP; once for each text."""
    made = count(monkeypatch)
    with time_machine.travel(NOW, tick=False), mail.MailSession() as session:
        for number in range(10, 60):
            session.send_letter(LETTER, to=f"a{number}@example.org", message_key=key(number))
            session.send_letter(OTHER, to=f"a{number}@example.org", message_key=key(number))
    assert len(made) == 2
    assert [each.recipients for each in arrived[::2]] == [
        (f"a{number}@example.org",) for number in range(10, 60)
    ]
    assert len({each.data for each in arrived}) == 100


def test_letters_that_are_alike_need_no_writing_each(
    arrived: list[Mail], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One event after another: what Django writes as it stands is put into what it wrote before."""
    made = count(monkeypatch)
    letters = [Letter(f"Disk {n} full", f"t\n.{n}\n", f"<p>t\u00f8 {n}") for n in range(20)]
    with time_machine.travel(NOW, tick=False), mail.MailSession() as session:
        for number, letter in enumerate(letters, start=10):
            session.send_letter(letter, to="anna@example.org", message_key=key(number))
        assert len(made) == 1
        long = Letter("long " * 30, "t\n", "<p>\u00f8")
        session.send_letter(long, to="anna@example.org", message_key=key(10))
        assert len(made) == 2
    boundaries = [_BOUNDARY.search(each.data)[0] for each in arrived]  # type: ignore[index]
    assert len(set(boundaries)) == len(arrived) == 21


@pytest.mark.parametrize("html", ["", "<p>t"])
@pytest.mark.parametrize("boundary", ["=1==", "=====1==", "===============0123456789012345678=="])
def test_what_looks_like_a_boundary_is_left_alone(
    arrived: list[Mail], boundary: str, html: str
) -> None:
    said = f'boundary="{boundary}"'
    letter = Letter(
        f"{said} {'long ' * 12}", f"Content-Type: multipart/mixed; {said}\n{said}", html
    )
    with time_machine.travel(NOW, tick=False), mail.MailSession() as session:
        session.send_letter(letter, to="anna@example.org", message_key=key(10))
        by_django(letter.to("anna@example.org", key(10)))
    ours, theirs = (email.message_from_bytes(each.data) for each in arrived)
    assert said in ours["Subject"]
    assert ours["Subject"] == theirs["Subject"]
    assert [part.get_payload() for part in ours.walk() if not part.is_multipart()] == [
        part.get_payload() for part in theirs.walk() if not part.is_multipart()
    ]


@pytest.mark.parametrize("language", ["en", "nb"])
def test_our_own_html_has_lines_that_need_no_encoding(language: str) -> None:
    """Django 6 has them encoded beyond 78 bytes, which takes longer than all else."""
    html = EmailNotification().render_for(sample("LES"), language, "Europe/Oslo").html
    assert [line for line in html.split("\n") if len(line.encode()) > 78] == []


def test_a_mail_is_dated_when_it_is_sent(arrived: list[Mail]) -> None:
    with time_machine.travel(NOW, tick=False) as clock, mail.MailSession() as session:
        for _ in range(2):
            session.send_letter(LETTER, to="anna@example.org", message_key=key(1))
            clock.shift(60)
    first, second = (email.message_from_bytes(each.data)["Date"] for each in arrived)
    assert parsedate_to_datetime(second) - parsedate_to_datetime(first) == dt.timedelta(minutes=1)


def test_a_session_keeps_few_of_many_letters(arrived: list[Mail]) -> None:
    with mail.MailSession() as session:
        for number in range(2 * MOST_KEPT):
            letter = Letter(str(number), "t")
            session.send_letter(letter, to="anna@example.org", message_key=key(1))
            assert len(session._copyist._copies._values) <= MOST_KEPT


def test_any_other_backend_gets_a_message_for_each(settings: Settings) -> None:
    send_mail_by("django.core.mail.backends.locmem.EmailBackend", settings)
    with mail.MailSession() as session:
        for name in ("anna", "ben"):
            session.send_letter(LETTER, to=f"{name}@example.org", message_key=f"e.{name}")
    assert [type(each) for each in outgoing.outbox] == [EmailMultiAlternatives] * 2
    assert [each.to for each in outgoing.outbox] == [["anna@example.org"], ["ben@example.org"]]


class Signing(EmailBackend):
    """A backend of a site's that signs what it sends, recipient and all."""

    def send_messages(self, email_messages: Any) -> int:
        for message in email_messages:
            message.extra_headers["DKIM-Signature"] = f"of {message.to[0]}"
        return super().send_messages(email_messages)


def test_a_backend_that_signs_signs_each(arrived: list[Mail], settings: Settings) -> None:
    port = mail._connection().port
    send_mail_by(f"{__name__}.Signing", settings, host="127.0.0.1", port=port)
    with mail.MailSession() as session:
        for name in ("anna", "ben"):
            session.send_letter(LETTER, to=f"{name}@example.org", message_key=f"e.{name}")
    signed = [email.message_from_bytes(each.data)["DKIM-Signature"] for each in arrived]
    assert signed == ["of anna@example.org", "of ben@example.org"]


def count(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return a list that each message which Django builds is added to."""
    made: list[Any] = []
    real = EmailMultiAlternatives.message

    def message(self: EmailMultiAlternatives, **options: Any) -> Any:
        made.append(self)
        return real(self, **options)

    monkeypatch.setattr(EmailMultiAlternatives, "message", message)
    return made
