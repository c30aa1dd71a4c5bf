"""Whatever a mail server does, a send ends in time, with the right meaning."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from notifier import mail
from notifier.errors import DeliveryError, PermanentError, Reason, TemporaryError
from notifier.smtp import DeadlineSMTP
from notifier.testing.scripted_smtp import (
    CLOSE,
    DRIP,
    HANG,
    PIPELINING,
    RESET,
    Mail,
    point_mail_at,
    scripted_smtp,
)

if TYPE_CHECKING:
    from pytest_django.fixtures import Settings

LIMIT_S = 0.5
STAGES_BEFORE_THE_MAIL = ("connect", "EHLO", "MAIL", "RCPT", "DATA")


@pytest.fixture(autouse=True)
def _limits(settings: Settings) -> None:
    settings.NOTIFIER_SEND_TIMEOUT_S = LIMIT_S


@pytest.fixture(params=["one by one", "pipelining"])
def offer(request: pytest.FixtureRequest) -> dict[str, bytes]:
    """The script of a server that takes one command at a time, or several."""
    return PIPELINING if request.param == "pipelining" else {}


def send(session: mail.MailSession) -> str:
    """Send a mail."""
    return session.send(
        mail.build(to="a@example.org", subject="s", text="t" * 1000, message_key="event.1")
    )


def fail(port: int, settings: Settings) -> tuple[DeliveryError, float]:
    """Send a mail that can't be; return why, and how long that took."""
    point_mail_at(port, settings)
    start = time.monotonic()
    with pytest.raises(DeliveryError) as caught, mail.MailSession() as session:
        send(session)
    return caught.value, time.monotonic() - start


@pytest.mark.parametrize("stage", STAGES_BEFORE_THE_MAIL)
@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (HANG, Reason.TIMEOUT),
        (DRIP, Reason.TIMEOUT),
        (CLOSE, Reason.CONNECTION),
        (RESET, Reason.CONNECTION),
        (b"421 4.3.2 going down\r\n", Reason.SERVER_ERROR),
        (b"451 4.3.0 later\r\n", Reason.SERVER_ERROR),
    ],
)
def test_a_fault_before_the_mail_is_temporary_and_ends_in_time(
    stage: str, fault: bytes, reason: Reason, offer: dict[str, bytes], settings: Settings
) -> None:
    with scripted_smtp({**offer, stage: fault}) as port:
        error, took_s = fail(port, settings)
    assert type(error) is TemporaryError
    assert error.reason is reason
    assert took_s < LIMIT_S + mail._GOODBYE_S + 1


@pytest.mark.parametrize("fault", [HANG, DRIP, CLOSE, RESET])
def test_a_mail_that_was_handed_over_without_an_answer_is_unclear(
    fault: bytes, offer: dict[str, bytes], settings: Settings
) -> None:
    with scripted_smtp({**offer, "mail": fault}) as port:
        error, took_s = fail(port, settings)
    assert type(error) is TemporaryError
    assert error.reason is Reason.UNCLEAR
    assert took_s < LIMIT_S + mail._GOODBYE_S + 1


@pytest.mark.parametrize(
    ("reply", "kind", "reason"),
    [
        (b"451 4.3.0 later\r\n", TemporaryError, Reason.SERVER_ERROR),
        (b"452 4.3.1 full\r\n", TemporaryError, Reason.SERVER_ERROR),
        (b"552 5.3.4 too big\r\n", PermanentError, Reason.TOO_LARGE),
        (b"554 5.7.1 spam\r\n", PermanentError, Reason.REJECTED),
    ],
)
def test_an_answer_to_the_mail_is_clear(
    reply: bytes,
    kind: type[DeliveryError],
    reason: Reason,
    offer: dict[str, bytes],
    settings: Settings,
) -> None:
    with scripted_smtp({**offer, "mail": reply}) as port:
        error, _ = fail(port, settings)
    assert type(error) is kind
    assert error.reason is reason


@pytest.mark.parametrize("fault", [HANG, CLOSE, RESET])
def test_a_mail_is_sent_once_its_answer_came_whatever_follows(
    fault: bytes, offer: dict[str, bytes], settings: Settings
) -> None:
    with scripted_smtp({**offer, "QUIT": fault}) as port:
        point_mail_at(port, settings)
        with mail.MailSession() as session:
            assert send(session) == "accepted by the mail server"


def test_a_connection_serves_mail_after_mail_longer_than_one_may_take(
    offer: dict[str, bytes], settings: Settings
) -> None:
    with scripted_smtp(offer) as port:
        point_mail_at(port, settings)
        with mail.MailSession() as session:
            for _ in range(3):
                send(session)
                time.sleep(LIMIT_S * 0.8)


@pytest.mark.parametrize(
    "to_data",
    [b"354 go\r\n", b"554 5.5.1 no valid recipients\r\n"],
    ids=["takes a mail for nobody", "refuses one"],
)
def test_a_refused_recipient_gets_nothing_and_leaves_the_connection_to_the_next(
    to_data: bytes, offer: dict[str, bytes], settings: Settings
) -> None:
    mails: list[Mail] = []
    script = {**offer, "RCPT TO:<no@example.org>": b"550 5.1.1 <no@example.org> unknown\r\n"}
    with scripted_smtp(script, mails) as port, mail.MailSession() as session:
        point_mail_at(port, settings)
        send_to(session, "one@example.org")
        connection = session._connection.connection
        script["DATA"] = to_data
        with pytest.raises(PermanentError) as refused:
            send_to(session, "no@example.org")
        del script["DATA"]
        send_to(session, "two@example.org")
        assert session._connection.connection is connection
    assert (refused.value.reason, refused.value.answer) == (Reason.GONE, "550 5.1.1")
    taken = [each.recipients for each in mails if each.data != b".\r\n"]
    assert taken == [("one@example.org",), ("two@example.org",)]


@pytest.mark.parametrize(("stage", "following"), [("MAIL", "RCPT"), ("RCPT", "DATA")])
def test_who_says_goodbye_is_asked_nothing_more(
    stage: str, following: str, offer: dict[str, bytes], settings: Settings
) -> None:
    script = {**offer, stage: b"421 4.3.2 bye\r\n", following: CLOSE}
    with scripted_smtp(script) as port:
        error, _ = fail(port, settings)
    assert (error.reason, error.answer) == (Reason.SERVER_ERROR, "421 4.3.2")


def test_a_mail_takes_two_round_trips_where_commands_may_go_together(
    offer: dict[str, bytes], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[bytes] = []
    real = DeadlineSMTP.send

    def counted(smtp: DeadlineSMTP, data: Any) -> None:
        sent.append(data)
        real(smtp, data)

    with scripted_smtp(offer) as port, mail.MailSession() as session:
        point_mail_at(port, settings)
        send_to(session, "one@example.org")
        monkeypatch.setattr(DeadlineSMTP, "send", counted)
        send_to(session, "two@example.org")
        assert len(sent) == (2 if offer else 4)


def send_to(session: mail.MailSession, address: str) -> str:
    letter = mail.Letter("s", ".\n..\nt")
    return session.send_letter(letter, to=address, message_key="event.1")


def test_a_host_with_many_silent_addresses_takes_no_longer_than_one(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.getaddrinfo
    times = iter([6])  # the name; then each address by itself

    def six(_host: str, port: int, *_family: int, **_options: Any) -> list[Any]:
        return real("127.0.0.1", port, type=socket.SOCK_STREAM)[:1] * next(times, 1)

    with ExitStack() as stack:
        silent = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        port = silent.getsockname()[1]
        for _ in range(4):  # fill its queue: further ones hang
            stack.enter_context(_knock(port))
        monkeypatch.setattr(socket, "getaddrinfo", six)
        error, took_s = fail(port, settings)
    assert error.reason is Reason.TIMEOUT
    assert took_s < 2 * LIMIT_S + 1


def _knock(port: int) -> socket.socket:
    client = socket.socket()
    client.setblocking(False)
    client.connect_ex(("127.0.0.1", port))
    return client
