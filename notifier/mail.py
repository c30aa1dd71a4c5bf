"""Sending mail: what media that end in a mail server send with.

Django's e-mail settings and any Django backend; one connection for many messages; what a mail
server says becomes a typed error.
"""

from __future__ import annotations

import contextlib
import re
import smtplib
import ssl
from email.utils import parseaddr
from typing import Any, Self

from django.conf import settings
from django.core import mail
from django.core.mail import EmailMessage, EmailMultiAlternatives
from django.core.mail.backends.smtp import EmailBackend

from notifier import conf
from notifier.errors import DeliveryError, PermanentError, Reason, TemporaryError
from notifier.smtp import DeadlineBackend, SMTPAnswerMissing
from notifier.texts import one_line

_AUTH_REQUIRED = 530
_AUTH_FAILED = 535
_GOODBYE = 421
"""The server closes the connection after it."""
_THROTTLED = 454
"""What Amazon SES answers to whoever sends too fast: the sender, not this recipient."""
_NO_SUCH_MAILBOX = {"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"}
"""RFC 3463: the address or its mailbox is no more. A bare 550 may be about the sender as well."""
_TOO_LARGE = 552
_PERMANENT = 500
_GOODBYE_S = 2
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
"""All but tabs and ends of lines."""


def build(
    *, to: str, subject: str, text: str, message_key: str, html: str = ""
) -> EmailMultiAlternatives:
    """Build a mail to one recipient, with the headers that every notification has.

    The Message-ID is the same in every try of a delivery, so that a receiver can drop a repeat;
    `Auto-Submitted` (RFC 3834) keeps vacation responders quiet.
    """
    subject, text, html = map(_sendable, (subject, text, html))
    domain = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "localhost"
    message = EmailMultiAlternatives(
        subject=one_line(subject),
        body=text,
        to=[to],
        headers={
            "Message-ID": f"<{message_key}@{domain}>",
            "Auto-Submitted": "auto-generated",
        },
    )
    if html:
        message.attach_alternative(html, "text/html")
    return message


def _sendable(text: str) -> str:
    """Return a text without what a mail can't carry: controls, halves of surrogate pairs."""
    return _CONTROLS.sub(" ", text).encode(errors="replace").decode()


class MailSession:
    """One connection to the mail server for a batch; opened at the first mail, reopened when lost.

    A mail takes at most `NOTIFIER_SEND_TIMEOUT_S`, from connecting to the last answer.
    """

    def __init__(self) -> None:
        self._connection: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._close()

    def send(self, message: EmailMessage) -> str:
        """Send one mail; return what is known of the answer, or raise `DeliveryError`."""
        try:
            self._allow(conf.SEND_TIMEOUT_S())
            accepted = self._connection.send_messages([message])
        except (smtplib.SMTPException, OSError) as error:
            # A refusal leaves the session usable, anything else may not: a new one is cheap.
            if not isinstance(error, smtplib.SMTPRecipientsRefused) or _is_goodbye(error):
                self._close()
            raise translate(error) from error
        if not accepted:
            raise TemporaryError(Reason.REJECTED, "the mail backend sent nothing")
        return "accepted by the mail server"

    def _allow(self, seconds: float) -> None:
        opened = self._connection is not None
        if not opened:
            self._connection = _connection()
        if isinstance(self._connection, DeadlineBackend):
            self._connection.allow(seconds)
        if not opened:
            self._connection.open()

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
    connection: Any = mailers.default if mailers else mail.get_connection()
    if type(connection) is EmailBackend:
        # Django's own, as its settings made it, but with a total deadline.
        connection.__class__ = DeadlineBackend
    return connection


def translate(error: smtplib.SMTPException | OSError) -> DeliveryError:
    """Return what a failure of SMTP means for the delivery (RFC 5321, section 4.2)."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, text = next(iter(error.recipients.values()))
        return by_code(code, text, of_recipient=True)
    if isinstance(error, smtplib.SMTPResponseException):
        return _of_the_site(error) or by_code(error.smtp_code, error.smtp_error)
    return TemporaryError(*_without_answer(error))


def _of_the_site(error: smtplib.SMTPResponseException) -> DeliveryError | None:
    """Return what a refusal means that is about our login, sender or connection: no recipient's fault."""
    answer = f"{error.smtp_code} {_enhanced(error.smtp_error)}".strip()
    match error:
        case smtplib.SMTPAuthenticationError():
            return TemporaryError(Reason.AUTH, answer)
        case smtplib.SMTPConnectError() | smtplib.SMTPHeloError():
            return TemporaryError(Reason.SERVER_ERROR, answer)
        case smtplib.SMTPSenderRefused(smtp_code=code) if code not in {_TOO_LARGE, _AUTH_REQUIRED}:
            reason = Reason.MISCONFIGURED if code >= _PERMANENT else Reason.SERVER_ERROR
            return TemporaryError(reason, answer)
    return None


def _without_answer(error: smtplib.SMTPException | OSError) -> tuple[Reason, str]:
    match error:
        case SMTPAnswerMissing():
            return Reason.UNCLEAR, "handed over, but no answer came"
        case smtplib.SMTPNotSupportedError():
            return Reason.MISCONFIGURED, "the mail server lacks what the site asks for"
        case ssl.SSLError():
            return Reason.TLS, type(error).__name__
    # smtplib hides what broke a connection behind one error for all
    if isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError):
        return Reason.TIMEOUT, "the mail server did not answer in time"
    return Reason.CONNECTION, f"no connection to the mail server ({type(error).__name__})"


def by_code(code: int, text: bytes | str, *, of_recipient: bool = False) -> DeliveryError:
    """Return what a reply code means: 4xx is worth another try, 5xx is not.

    `of_recipient`: the answer to `RCPT`. The server's text may quote the recipient's address, so
    only code and enhanced status code (RFC 3463) are kept.
    """
    enhanced = _enhanced(text)
    answer = f"{code} {enhanced}".strip()
    if code in {_AUTH_REQUIRED, _AUTH_FAILED}:
        return TemporaryError(Reason.AUTH, answer)
    if code == _THROTTLED:
        return TemporaryError(Reason.RATE_LIMITED, answer, whole_host=True)
    # RFC 3463: the address, or its mailbox
    of_recipient = enhanced[1:3] in {".1", ".2"} or (of_recipient and not enhanced)
    if code < _PERMANENT:
        of_recipient = of_recipient and code != _GOODBYE
        return TemporaryError(Reason.DEFERRED if of_recipient else Reason.SERVER_ERROR, answer)
    if enhanced in _NO_SUCH_MAILBOX:
        return PermanentError(Reason.GONE, answer)
    too_large = code == _TOO_LARGE and not enhanced.startswith("5.2.2")
    return PermanentError(Reason.TOO_LARGE if too_large else Reason.REJECTED, answer)


def _is_goodbye(error: smtplib.SMTPRecipientsRefused) -> bool:
    return any(code == _GOODBYE for code, _ in error.recipients.values())


def _enhanced(text: bytes | str) -> str:
    word = (text.decode("ascii", "replace") if isinstance(text, bytes) else text).split(" ", 1)[0]
    return word if word.replace(".", "").isdigit() and word.count(".") == 2 else ""  # noqa: PLR2004
