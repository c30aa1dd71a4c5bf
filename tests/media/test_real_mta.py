"""Mail through a real MTA, a Postfix that delivers to a Maildir: what arrives is what was meant."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Iterator
from email.message import EmailMessage
from typing import TYPE_CHECKING

import pytest

from notifier import mail
from notifier.errors import PermanentError, Reason
from notifier.testing.scripted_smtp import point_mail_at
from notifier.texts import plain
from servers.postfix import PostfixServer
from servers.process import wait_until

if TYPE_CHECKING:
    from pytest_django.fixtures import Settings

MANY = 200
TEXTS = {
    "dots": "one\n.\n..\n. \n.hidden\nlast\n.",
    "smuggling": "a\r\n.\r\nMAIL FROM:<evil@example.org>\n.\nb\r.\rc\n.\r\nd\r\n.\ne",
    "line ends": "unix\nwindows\r\nold mac\rnext\u2028\x85end",
    "long lines": "x" * 100_000 + "\n" + "ø" * 100_000 + "\n" + "🔥 " * 30_000,
    "8 bit": "Blåbærsyltetøy på Ærø — “quoted”",
    "emoji": "🔥 👩‍👩‍👧 🇳🇴 é",
    "right to left": "שלום \u202eevil\u202c مرحبا",
    "controls": "bell \x07 escape \x1b[2J delete \x7f tab\tend",
    "looks like headers": "Subject: other\n\nFrom: evil\nFrom line\n>From\n--==boundary==--",
    "spaces": "trailing   \n\n\n   leading\n-- \nsignature",
    "mime": "=20 =?utf-8?q?x?= =\n=3D",
}


@pytest.fixture(scope="module")
def postfix(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostfixServer]:
    with PostfixServer(tmp_path_factory.mktemp("postfix"), users=("anna", "ben")) as server:
        yield server


def delivered(postfix: PostfixServer, user: str, count: int) -> list[EmailMessage]:
    """Wait for so many mails; return them as a receiver reads them."""
    maildir = postfix.maildir(user)
    wait_until(lambda: len(maildir) >= count, timeout_s=30, what=f"{count} mails for {user}")
    raw = [maildir.get_bytes(key) for key in maildir.keys()]  # noqa: SIM118 - no dict
    return [email.message_from_bytes(each, policy=email.policy.default) for each in raw]


def read(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part
    return str(part.get_content())


def lines(text: str) -> str:
    """Return a text as a mail holds it."""
    return plain(text).rstrip("\n")


def test_hostile_texts_arrive_as_they_were_meant(
    postfix: PostfixServer, settings: Settings
) -> None:
    point_mail_at(postfix.port, settings)
    with mail.MailSession() as session:
        for name, text in TEXTS.items():
            built = mail.build(
                to="anna@example.org",
                subject=f"{name} {text[:100]}",
                text=text,
                html=f"<p>{text}",
                message_key=name.replace(" ", "-"),
                thread_key="incident.1",
            )
            assert session.send(built) == "accepted by the mail server"
    arrived = {
        each["Message-ID"].partition("@")[0].strip("<").replace("-", " "): each
        for each in delivered(postfix, "anna", len(TEXTS))
    }
    assert arrived.keys() == TEXTS.keys()
    for name, message in arrived.items():
        assert lines(read(message, "plain")) == lines(TEXTS[name]), name
        assert lines(read(message, "html")) == lines(f"<p>{TEXTS[name]}"), name
        assert not [part for part in message.walk() if part.defects], name
        assert message["Subject"].strip().startswith(name)
        assert message["References"] == "<incident.1@localhost>"
        assert message.get_all("To") == ["anna@example.org"]


def test_many_mails_of_one_connection_are_all_on_disk(
    postfix: PostfixServer, settings: Settings
) -> None:
    point_mail_at(postfix.port, settings)
    with mail.MailSession() as session:
        for number in range(MANY):
            session.send(
                mail.build(
                    to="ben@example.org", subject=f"{number}", text="t", message_key=f"e.{number}"
                )
            )
    arrived = delivered(postfix, "ben", MANY)
    assert sorted(int(each["Subject"]) for each in arrived) == list(range(MANY))


def test_a_user_that_it_does_not_know_is_gone(postfix: PostfixServer, settings: Settings) -> None:
    point_mail_at(postfix.port, settings)
    unknown = mail.build(to="nobody@example.org", subject="s", text="t", message_key="e.1")
    with pytest.raises(PermanentError) as refused, mail.MailSession() as session:
        session.send(unknown)
    assert refused.value.reason is Reason.GONE
    assert refused.value.answer == "550 5.1.1"
