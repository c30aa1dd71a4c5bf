"""Sending mail: what media that end in a mail server send with.

Django's e-mail settings and any Django backend; one connection for many messages; what a mail
server says becomes a typed error.
"""

from __future__ import annotations

import contextlib
import smtplib
from collections.abc import Callable
from typing import Any, Protocol, Self

from django.core import mail
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.smtp import EmailBackend

from notifier import conf, replies
from notifier.copying import Copyist, can_be_copied
from notifier.errors import DeliveryError, Reason, TemporaryError
from notifier.letters import Letter, recipient
from notifier.smtp import DeadlineBackend

__all__ = ["Letter", "MailSession", "build"]

_GOODBYE_S = 2


def build(
    *,
    to: str,
    subject: str,
    text: str,
    message_key: str,
    html: str = "",
    thread_key: str = "",
    unsubscribe_url: str = "",
) -> EmailMultiAlternatives:
    """Build a mail to one recipient: `Letter(…).to(…)`, which says what the arguments mean."""
    return Letter(subject, text, html, thread_key, unsubscribe_url).to(to, message_key)


class MailSession:
    """One connection to the mail server for a batch; opened at the first mail, reopened when lost.

    A mail by SMTP takes at most `NOTIFIER_SEND_TIMEOUT_S`, from connecting to the last answer.
    """

    def __init__(self) -> None:
        self._connection: Any = None
        self._copyist = Copyist()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._close()

    def send(self, message: EmailMultiAlternatives) -> str:
        """Send one mail; return what is known of the answer, or raise `DeliveryError`."""
        connection = self._connect()
        return self._deliver(message, lambda: connection.send_messages([message]))

    def send_letter(self, letter: Letter, *, to: str, message_key: str) -> str:
        """Send a letter to one recipient, as `send(letter.to(to, message_key))` does.

        By SMTP it is written once for all of its recipients. Other backends get a message for each.
        """
        address, connection = recipient(to), self._connect()
        # no subclass: it may sign what it sends
        if type(connection) is DeadlineBackend and can_be_copied(address, message_key):
            copies = self._copyist.copies(letter, message_key, connection.written)
            if copies is not None:
                sender, copy = copies.sender, copies.to(address, message_key)
                return self._deliver(None, lambda: connection.hand_over(sender, address, copy))
        return self.send(letter.to(address, message_key))

    def _connect(self) -> Any:
        if self._connection is None:
            self._connection = _connection()
        return self._connection

    def _deliver(
        self, message: EmailMultiAlternatives | None, send: Callable[[], int | None]
    ) -> str:
        connection = self._connection
        answers = _answers_of(connection)
        try:
            if isinstance(connection, DeadlineBackend):
                connection.allow(conf.SEND_TIMEOUT_S())
            connection.open()
            accepted = send()
        except answers.ERRORS as error:
            if answers.spoils_connection(error):
                self._close()
            raise answers.translate(error, message) from error
        if not accepted:
            raise TemporaryError(Reason.REJECTED, "the mail backend sent nothing")
        return answers.read(message)

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if isinstance(connection, DeadlineBackend):
            connection.allow(_GOODBYE_S)
        with contextlib.suppress(smtplib.SMTPException, OSError):
            connection.close()


def _connection() -> Any:
    mailers = getattr(mail, "mailers", None)  # new in Django 6.1, where get_connection() goes
    try:
        connection: Any = mailers.default if mailers else mail.get_connection()
    except (ImproperlyConfigured, ImportError) as error:
        raise TemporaryError(Reason.MISCONFIGURED, "Django's e-mail settings") from error
    if type(connection) is EmailBackend:
        # Django's own, as its settings made it, but with a total deadline.
        connection.__class__ = DeadlineBackend
    return connection


class _Answers(Protocol):
    """A module that knows what a kind of backend answers."""

    ERRORS: tuple[type[Exception], ...]

    def read(self, message: Any, /) -> str: ...
    def translate(self, error: Exception, message: Any, /) -> DeliveryError: ...
    def spoils_connection(self, error: Exception, /) -> bool: ...


def _answers_of(connection: Any) -> _Answers:
    if any(each.__module__.startswith("anymail.") for each in type(connection).__mro__):
        from notifier import esp  # noqa: PLC0415 - django-anymail is an extra

        return esp
    return replies
