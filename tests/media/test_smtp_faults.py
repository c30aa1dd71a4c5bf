"""Whatever a mail server does, a send ends in time, with the right meaning."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from notifier import mail
from notifier.errors import DeliveryError, PermanentError, Reason, TemporaryError
from notifier.testing.scripted_smtp import CLOSE, DRIP, HANG, RESET, point_mail_at, scripted_smtp

if TYPE_CHECKING:
    from pytest_django.fixtures import Settings

LIMIT_S = 0.5
STAGES_BEFORE_THE_MAIL = ("connect", "EHLO", "MAIL", "RCPT", "DATA")


@pytest.fixture(autouse=True)
def _limits(settings: Settings) -> None:
    settings.NOTIFIER_SEND_TIMEOUT_S = LIMIT_S


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
    stage: str, fault: bytes, reason: Reason, settings: Settings
) -> None:
    with scripted_smtp({stage: fault}) as port:
        error, took_s = fail(port, settings)
    assert type(error) is TemporaryError
    assert error.reason is reason
    assert took_s < LIMIT_S + mail._GOODBYE_S + 1


@pytest.mark.parametrize("fault", [HANG, DRIP, CLOSE, RESET])
def test_a_mail_that_was_handed_over_without_an_answer_is_unclear(
    fault: bytes, settings: Settings
) -> None:
    with scripted_smtp({"mail": fault}) as port:
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
    reply: bytes, kind: type[DeliveryError], reason: Reason, settings: Settings
) -> None:
    with scripted_smtp({"mail": reply}) as port:
        error, _ = fail(port, settings)
    assert type(error) is kind
    assert error.reason is reason


@pytest.mark.parametrize("fault", [HANG, CLOSE, RESET])
def test_a_mail_is_sent_once_its_answer_came_whatever_follows(
    fault: bytes, settings: Settings
) -> None:
    with scripted_smtp({"QUIT": fault}) as port:
        point_mail_at(port, settings)
        with mail.MailSession() as session:
            assert send(session) == "accepted by the mail server"


def test_a_connection_serves_mail_after_mail_longer_than_one_may_take(settings: Settings) -> None:
    with scripted_smtp({}) as port:
        point_mail_at(port, settings)
        with mail.MailSession() as session:
            for _ in range(3):
                send(session)
                time.sleep(LIMIT_S * 0.8)


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
