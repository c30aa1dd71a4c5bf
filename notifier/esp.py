"""What an e-mail service provider answers through django-anymail, and what it means for a delivery.

Anymail's own exceptions quote the provider's answer, and with it addresses: only numbers, statuses
and the provider's message id are kept.
"""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus

from anymail.exceptions import (
    AnymailAPIError,
    AnymailError,
    AnymailInvalidAddress,
    AnymailRecipientsRefused,
)
from django.core.mail import EmailMessage
from requests.exceptions import ConnectionError as RequestsConnectionError
from requests.exceptions import ConnectTimeout, SSLError

from notifier.answers import error_of
from notifier.errors import DeliveryError, PermanentError, Reason, TemporaryError

ERRORS: tuple[type[Exception], ...] = (AnymailError,)
_REFUSED_SITE: dict[int, Reason] = {
    HTTPStatus.UNAUTHORIZED: Reason.AUTH,
    HTTPStatus.PAYMENT_REQUIRED: Reason.MISCONFIGURED,
    HTTPStatus.FORBIDDEN: Reason.AUTH,
    HTTPStatus.NOT_FOUND: Reason.MISCONFIGURED,
}
"""A wrong key, an account that is stopped, a wrong URL: no recipient's fault."""


def read(message: EmailMessage) -> str:
    """Return the provider's id of a mail that it took; raise where its recipient's status is no good."""
    status, message_id = _status_of(message)
    # `unknown` with an id: it was taken, and Anymail has no word for what the provider said
    if status not in {"sent", "queued"} and not (status == "unknown" and message_id):
        raise _of_recipient(status)
    return f"{status}: {message_id}"


def translate(error: Exception, message: EmailMessage) -> DeliveryError:
    """Return what an exception of Anymail's means for the delivery."""
    match error:
        case AnymailRecipientsRefused():
            return _of_recipient(_status_of(message)[0])
        case AnymailInvalidAddress():
            return PermanentError(Reason.REJECTED, "the provider can't write this address")
        case AnymailAPIError(status_code=int(status)):
            return _of_status(status, error)
        case AnymailAPIError():
            return TemporaryError(*_without_answer(error.__cause__))
    # such as a feature that this provider lacks, or a setting of Anymail's
    return TemporaryError(Reason.MISCONFIGURED, type(error).__name__)


def spoils_connection(error: Exception) -> bool:
    """Whether the connection can't be used any more: not when an answer came."""
    return isinstance(error, AnymailAPIError) and error.status_code is None


def _status_of(message: EmailMessage) -> tuple[str | None, str]:
    """Return the status and the provider's id of the one recipient."""
    for recipient in message.anymail_status.recipients.values():  # type: ignore[attr-defined] # Anymail's
        return recipient.status, recipient.message_id or ""
    return None, ""


def _of_recipient(status: str | None) -> DeliveryError:
    """Return what a status means; `rejected` is by the provider's own list, or its rules."""
    match status:
        case "invalid":
            return PermanentError(Reason.GONE, "invalid, says the provider")
        case "rejected":
            return PermanentError(Reason.REJECTED, "rejected by the provider")
        case "failed":
            return TemporaryError(Reason.SERVER_ERROR, "failed at the provider")
    return TemporaryError(Reason.UNCLEAR, "the provider does not say what became of it")


def _of_status(status: int, error: AnymailAPIError) -> DeliveryError:
    if reason := _REFUSED_SITE.get(status):
        return TemporaryError(reason, f"HTTP {status}")
    headers = getattr(error.response, "headers", {})
    meant = error_of(status, headers.get("Retry-After", ""), datetime.now(UTC))
    if meant is None:  # taken, it seems, but the answer can't be read
        return TemporaryError(Reason.UNCLEAR, f"HTTP {status}")
    if isinstance(meant, TemporaryError):
        meant.whole_host = meant.reason is Reason.RATE_LIMITED
    return meant


def _without_answer(cause: BaseException | None) -> tuple[Reason, str]:
    match cause:
        case ConnectTimeout():
            return Reason.TIMEOUT, "the provider did not answer in time"
        case SSLError():
            return Reason.TLS, "no TLS with the provider"
        # urllib3 gives its reason where it had no connection yet
        case RequestsConnectionError(args=(failure, *_)) if hasattr(failure, "reason"):
            return Reason.CONNECTION, "no connection to the provider"
    return Reason.UNCLEAR, "handed over, but no answer came"
