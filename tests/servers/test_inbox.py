"""The inbox catches mail, shows it safely, and says no on request."""

import http.client
import smtplib
from collections.abc import Iterator
from datetime import datetime
from email.message import EmailMessage
from pathlib import Path

import psutil
import pytest

from servers.inbox import Inbox

RECIPIENT = "ada@example.org"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inbox]:
    with Inbox(tmp_path_factory.mktemp("inbox")) as inbox:
        yield inbox


@pytest.fixture
def inbox(running: Inbox) -> Inbox:
    running.clear()
    return running


def send(inbox: Inbox, subject: str = "Water rising", to: tuple[str, ...] = (RECIPIENT,)) -> None:
    mail = EmailMessage()
    mail["From"] = "Notifier <notifier@example.org>"
    mail["To"] = "somebody@example.org"
    mail["Subject"] = subject
    mail.set_content("Bring boots — grüße.\n")
    mail.add_alternative("<p>Bring <b>boots</b></p><script>alert(1)</script>", subtype="html")
    with smtplib.SMTP("127.0.0.1", inbox.smtp_port, timeout=10) as smtp:
        smtp.send_message(mail, from_addr="bounces@example.org", to_addrs=[*to])


def request(inbox: Inbox, method: str, path: str) -> tuple[http.client.HTTPResponse, str]:
    connection = http.client.HTTPConnection("127.0.0.1", inbox.http_port, timeout=10)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        return response, response.read().decode()
    finally:
        connection.close()


def test_a_mail_is_caught_with_both_bodies(inbox: Inbox) -> None:
    send(inbox, subject="Wasser über alles 🌊", to=(RECIPIENT, "bob@example.org"))
    [message] = inbox.messages()
    assert message["to"] == [RECIPIENT, "bob@example.org"]
    assert message["from"] == "bounces@example.org"
    assert message["subject"] == "Wasser über alles 🌊"
    assert message["text"].strip() == "Bring boots — grüße."
    assert "<b>boots</b>" in message["html"]
    assert message["headers"]["To"] == "somebody@example.org"
    assert datetime.fromisoformat(message["received"]).tzinfo


def test_messages_are_oldest_first_until_cleared(inbox: Inbox) -> None:
    send(inbox, subject="first")
    send(inbox, subject="second")
    assert [each["subject"] for each in inbox.messages()] == ["first", "second"]
    inbox.clear()
    assert inbox.messages() == []


def test_the_page_escapes_what_a_mail_says(inbox: Inbox) -> None:
    send(inbox, subject="<script>alert('x')</script>")
    response, page = request(inbox, "GET", "/")
    assert response.status == 200
    assert "<script" not in page
    assert "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;" in page
    assert 'srcdoc="&lt;p&gt;Bring' in page
    assert "<iframe sandbox " in page
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]


def test_the_page_lists_the_newest_first(inbox: Inbox) -> None:
    send(inbox, subject="older")
    send(inbox, subject="newer")
    _, page = request(inbox, "GET", "/")
    assert page.index("newer") < page.index("older")


def test_the_empty_page_says_where_to_send_mail(inbox: Inbox) -> None:
    _, page = request(inbox, "GET", "/")
    assert f"port {inbox.smtp_port}" in page


@pytest.mark.parametrize(
    ("address", "code", "reason"),
    [
        ("refuse@example.org", 550, b"5.1.1 no such mailbox"),
        ("busy@example.org", 451, b"4.7.1 try again later"),
    ],
)
def test_it_refuses_on_request(inbox: Inbox, address: str, code: int, reason: bytes) -> None:
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        send(inbox, to=(address,))
    assert refused.value.recipients == {address: (code, reason)}
    assert inbox.messages() == []


def test_a_refused_recipient_does_not_spoil_the_next(inbox: Inbox) -> None:
    send(inbox, to=("refuse@example.org", RECIPIENT))
    assert [each["to"] for each in inbox.messages()] == [[RECIPIENT]]


def test_a_charset_nobody_knows_is_no_obstacle(inbox: Inbox) -> None:
    mail = b"Subject: odd\r\nContent-Type: text/plain; charset=klingon\r\n\r\nQapla'\r\n"
    with smtplib.SMTP("127.0.0.1", inbox.smtp_port, timeout=10) as smtp:
        smtp.sendmail("a@example.org", [RECIPIENT], mail)
    assert [each["text"].strip() for each in inbox.messages()] == ["Qapla'"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/elsewhere", 404), ("POST", "/messages", 405), ("DELETE", "/messages", 204)],
)
def test_other_requests_are_answered_too(inbox: Inbox, method: str, path: str, status: int) -> None:
    response, _ = request(inbox, method, path)
    assert response.status == status


def test_it_ends_in_order_and_leaves_no_process(tmp_path: Path) -> None:
    with Inbox(tmp_path) as inbox:
        pid = inbox.process.pid
    assert inbox.process.returncode == 0
    assert inbox.process.log() == ""
    assert not psutil.pid_exists(pid)


@pytest.mark.parametrize("taken", ["smtp_port", "http_port"])
def test_a_taken_port_is_refused(inbox: Inbox, tmp_path: Path, taken: str) -> None:
    with pytest.raises(OSError, match="in use"):
        Inbox(tmp_path, **{taken: getattr(inbox, taken)})


def test_a_folded_subject_is_read_without_its_fold(inbox: Inbox) -> None:
    folded = b"Subject:\r\n =?utf-8?q?Vann_p=C3=A5_vei?=\r\n\r\nhello\r\n"
    with smtplib.SMTP("127.0.0.1", inbox.smtp_port, timeout=10) as connection:
        connection.sendmail("a@example.org", ["b@example.org"], folded)
    [caught] = inbox.messages()
    assert caught["subject"] == caught["headers"]["Subject"] == "Vann på vei"
