"""What a failure of SMTP means for a delivery (RFC 5321, RFC 3463)."""

from __future__ import annotations

import smtplib
import ssl

from django.core.mail import EmailMessage

from notifier.errors import DeliveryError, PermanentError, Reason, TemporaryError
from notifier.smtp import SMTPAnswerMissing

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


ERRORS: tuple[type[Exception], ...] = (smtplib.SMTPException, OSError)
"""What a backend raises that speaks SMTP, or writes somewhere."""


def read(_message: EmailMessage) -> str:
    """Return what is known of the answer to a mail that was taken: Django's backends keep nothing."""
    return "accepted by the mail server"


def translate(error: Exception, _message: EmailMessage | None = None) -> DeliveryError:
    """Return what a failure means for the delivery (RFC 5321, section 4.2)."""
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


def _without_answer(error: Exception) -> tuple[Reason, str]:
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


def spoils_connection(error: Exception) -> bool:
    """Whether the connection can't be used any more: only a refused recipient leaves it as it was."""
    if not isinstance(error, smtplib.SMTPRecipientsRefused):
        return True
    return any(code == _GOODBYE for code, _ in error.recipients.values())


def _enhanced(text: bytes | str) -> str:
    word = (text.decode("ascii", "replace") if isinstance(text, bytes) else text).split(" ", 1)[0]
    return word if word.replace(".", "").isdigit() and word.count(".") == 2 else ""  # noqa: PLR2004
