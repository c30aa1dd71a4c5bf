"""Sending mail: what media that end in a mail server send with.

Django's e-mail settings and any Django backend; one connection for many messages; what a mail
server says becomes a typed error.
"""

from __future__ import annotations

import contextlib
import smtplib
from email.utils import parseaddr
from typing import Any, Protocol, Self

from django.conf import settings
from django.core import mail
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.smtp import EmailBackend

from notifier import conf, mailbox, replies
from notifier.errors import DeliveryError, PermanentError, Reason, TemporaryError
from notifier.smtp import DeadlineBackend
from notifier.texts import cut, one_line, plain

_AUTOMATIC = {
    "Auto-Submitted": "auto-generated",  # RFC 3834: no vacation responder answers it
    # Exchange is asked this way; not for bounces (NDR), which somebody wants
    "X-Auto-Response-Suppress": "DR, RN, NRN, OOF, AutoReply",
}
MOST_SUBJECT = 200
"""Characters; a list of mails shows fewer."""
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
    """Build a mail to one recipient, with the headers that every notification has.

    The Message-ID is the same in every try of a delivery, so that a receiver can drop a repeat.
    Mails with the same `thread_key` refer to the same message, which nobody ever sends: so they
    are one conversation, whichever of them a recipient gets. Raises `PermanentError` where the
    address can't be one.
    """
    try:
        recipient = mailbox.to_ascii(to)
    except ValidationError as error:
        raise PermanentError(Reason.REJECTED, str(error.message)) from None
    sender = parseaddr(settings.DEFAULT_FROM_EMAIL)[1]
    domain = mailbox.to_ascii(sender).rpartition("@")[2] or "localhost"
    headers = {"Message-ID": f"<{message_key}@{domain}>", **_AUTOMATIC}
    if thread_key:
        headers["References"] = headers["In-Reply-To"] = f"<{thread_key}@{domain}>"
    if unsubscribe_url:
        headers["List-Unsubscribe"] = f"<{unsubscribe_url}>"
    message = EmailMultiAlternatives(
        subject=cut(one_line(subject), MOST_SUBJECT),
        body=plain(text),
        to=[recipient],
        headers=headers,
    )
    if html:
        message.attach_alternative(plain(html), "text/html")
    return message


class MailSession:
    """One connection to the mail server for a batch; opened at the first mail, reopened when lost.

    A mail by SMTP takes at most `NOTIFIER_SEND_TIMEOUT_S`, from connecting to the last answer.
    """

    def __init__(self) -> None:
        self._connection: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._close()

    def send(self, message: EmailMultiAlternatives) -> str:
        """Send one mail; return what is known of the answer, or raise `DeliveryError`."""
        connection = self._connection or _connection()
        answers = _answers_of(connection)
        try:
            self._prepare(connection, conf.SEND_TIMEOUT_S())
            accepted = connection.send_messages([message])
        except answers.ERRORS as error:
            if answers.spoils_connection(error):
                self._close()
            raise answers.translate(error, message) from error
        if not accepted:
            raise TemporaryError(Reason.REJECTED, "the mail backend sent nothing")
        return answers.read(message)

    def _prepare(self, connection: Any, seconds: float) -> None:
        if isinstance(connection, DeadlineBackend):
            connection.allow(seconds)
        if self._connection is None:
            self._connection = connection
            connection.open()

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

    def read(self, message: EmailMultiAlternatives, /) -> str: ...
    def translate(self, error: Exception, message: EmailMultiAlternatives, /) -> DeliveryError: ...
    def spoils_connection(self, error: Exception, /) -> bool: ...


def _answers_of(connection: Any) -> _Answers:
    if any(each.__module__.startswith("anymail.") for each in type(connection).__mro__):
        from notifier import esp  # noqa: PLC0415 - django-anymail is an extra

        return esp
    return replies
