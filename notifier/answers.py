"""What an HTTP answer means for a delivery: one table."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from notifier.errors import DeliveryError, PermanentError, Reason, TemporaryError

LONGEST_RETRY_AFTER_S = 86_400.0
"""Whatever the other side asks for; keeps a number of a thousand digits from being one of them."""

_REASONS = {
    HTTPStatus.GONE: Reason.GONE,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: Reason.TOO_LARGE,
    HTTPStatus.TOO_MANY_REQUESTS: Reason.RATE_LIMITED,
}
_TEMPORARY = {
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_EARLY,
    HTTPStatus.TOO_MANY_REQUESTS,
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said: the header names in lower case, the beginning of the body as text."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    text: str = field(repr=False)

    def __str__(self) -> str:
        return f"HTTP {self.status}"

    def raise_for_status(self, said: str = "", *, gone: bool = False) -> None:
        """Raise what the status means for the delivery; nothing for 2xx.

        A medium that knows its provider adds what was `said`, a word of that provider's own and
        never free text, and whether it means that the destination is `gone`.
        """
        retry_after = self.headers.get("retry-after", "")
        if error := error_of(self.status, retry_after, datetime.now(UTC), said):
            final = gone and isinstance(error, PermanentError)
            raise PermanentError(Reason.GONE, error.answer) if final else error


def error_of(status: int, retry_after: str, now: datetime, said: str = "") -> DeliveryError | None:
    """Return what a status means, None for success; `retry_after` is the header or empty.

    The server's own words may quote the URL or a token, so only the number is kept, and what the
    medium knows to be harmless.
    """
    answer = f"HTTP {status} {said}".rstrip()
    match status // 100:
        case 2:
            return None
        case 1:  # an answer that announces another one, and none came
            return TemporaryError(Reason.UNCLEAR, answer)
        case 3:
            return PermanentError(Reason.REJECTED, f"{answer}: the URL has moved; update it")
        case 4 if status not in _TEMPORARY:
            return PermanentError(_reason(status, Reason.REJECTED), answer)
    reason = _reason(status, Reason.SERVER_ERROR)
    return TemporaryError(reason, answer, retry_after=retry_after_s(retry_after, now))


def _reason(status: int, default: Reason) -> Reason:
    return next((reason for known, reason in _REASONS.items() if known == status), default)


def retry_after_s(value: str, now: datetime) -> float | None:
    """Return the seconds that a Retry-After header asks for, at most a day; None for nonsense.

    It is a number of seconds or a date (RFC 9110, section 10.2.3); a date gone by is no wait.
    """
    value = value.strip()
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", value):
        return min(float(value), LONGEST_RETRY_AFTER_S)
    try:
        date = parsedate_to_datetime(value)
        wait = (date if date.tzinfo else date.replace(tzinfo=UTC)) - now
    except (ValueError, OverflowError):
        return None
    return min(max(wait.total_seconds(), 0.0), LONGEST_RETRY_AFTER_S)
