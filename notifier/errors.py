"""What can go wrong, in one tree.

::

    NotifierError
    ├── InvalidEvent          what was posted breaks a rule; names each field
    ├── ConflictingEvent      an event id seen before, with another body
    ├── TooLarge              a body of more bytes than the site or its source takes
    ├── NotNow                post it again, after `retry_after_s`; nothing was stored
    │   ├── TooFast           a source posts more often than its limit says
    │   └── Overloaded        too much waits already, and this is not critical
    ├── TooManyTests          a user asks for test messages faster than the site allows
    ├── QueueUnavailable      Redis or the server can't be reached: nothing is known to be posted
    │   ├── SpoolUnusable     and the client's spool on disk can't be read or written either
    │   └── SpoolFull         and the client's spool on disk holds as much as it may
    ├── SettingsUnreadable    a destination's secrets can't be decrypted
    └── DeliveryError         a send that did not succeed, with its `Reason`
        ├── TemporaryError    worth trying again
        └── PermanentError    never will

A `DeliveryError` holds no address, no token and no message text: it is shown in logs and pages.
"""

from __future__ import annotations

import enum
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID


class Breaker(enum.Enum):
    """What a failure says of the host that a message was sent through."""

    WELL = "it answered"
    COUNTS = "it may be broken: enough of these open its breaker"
    OPENS = "nothing can get through: its breaker opens at once"
    SILENT = "nothing"


class Reason(enum.StrEnum):
    """Why a delivery is not sent: a closed table, whose values are also the label of metrics.

    Each says whether such a try counts as an attempt, what the breaker hears, and whether the
    destination is to be disabled. Not counted is what the row is not to blame for: a site's wrong
    settings or a limit delay it, and must never use it up.
    """

    counts: bool
    breaker: Breaker
    disables: bool

    def __new__(
        cls,
        value: str,
        counts: bool = True,
        breaker: Breaker = Breaker.SILENT,
        disables: bool = False,
    ) -> Reason:
        """Make a member of a row of the table."""
        reason = str.__new__(cls, value)
        reason._value_ = value
        reason.counts, reason.breaker, reason.disables = counts, breaker, disables
        return reason

    # the other side, or the way to it
    AUTH = "auth", False, Breaker.OPENS
    BLOCKED_ADDRESS = "blocked_address"
    CONNECTION = "connection", True, Breaker.COUNTS
    DEFERRED = "deferred", True, Breaker.WELL
    GONE = "gone", True, Breaker.WELL, True
    RATE_LIMITED = "rate_limited", False, Breaker.WELL
    REJECTED = "rejected", True, Breaker.WELL
    SERVER_ERROR = "server_error", True, Breaker.COUNTS
    TIMEOUT = "timeout", True, Breaker.COUNTS
    TLS = "tls", True, Breaker.COUNTS
    TOO_LARGE = "too_large", True, Breaker.WELL
    UNCLEAR = "unclear", True, Breaker.COUNTS
    # this side
    BUG = "bug"
    CRASHED = "crashed"
    MISCONFIGURED = "misconfigured", False, Breaker.OPENS
    TEMPLATE = "template", False
    UNREADABLE = "unreadable", False
    # nobody's fault: why a delivery was cancelled
    DESTINATION_DELETED = "destination_deleted"
    DESTINATION_DISABLED = "destination_disabled"
    EXPIRED = "expired"
    NOTIFICATIONS_OFF = "notifications_off"
    OWNER_INACTIVE = "owner_inactive"
    START_NOT_SENT = "start_not_sent"


class NotifierError(Exception):
    """Anything that Notifier raises on purpose."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One broken rule: the field's path (`tags[3]`), the rule and the way out."""

    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


class InvalidEvent(NotifierError, ValueError):  # noqa: N818 - reads as what it is
    """What was posted is no event; `problems` says what to change, field by field."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(map(str, self.problems)))


class ConflictingEvent(NotifierError):  # noqa: N818
    """An event with this id was accepted before, with another body."""

    def __init__(self, event_id: UUID) -> None:
        self.event_id = event_id
        super().__init__(
            f"source_event_id: event {event_id} was accepted before with another body; "
            "send the same body again, or give a new event another source_event_id"
        )


class TooLarge(NotifierError):  # noqa: N818 - reads as what it is
    """A request's body has more than `most` bytes."""

    def __init__(self, most: int) -> None:
        super().__init__(f"The body is larger than {most:,} bytes; post fewer events at once.")


class NotNow(NotifierError):  # noqa: N818 - reads as what it is
    """Nothing was stored, and the same may be taken after `retry_after_s`."""

    def __init__(self, message: str, retry_after_s: float) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(message)


class TooFast(NotNow):
    """A source posts more often than its limit says."""

    def __init__(self, per_minute: int, retry_after_s: float) -> None:
        super().__init__(
            f"This source may post {per_minute:,} times a minute. Nothing of this was stored: post it "
            "again after Retry-After, or post several events at once.",
            retry_after_s,
        )


class Overloaded(NotNow):
    """Too much waits to be told."""

    def __init__(self, retry_after_s: float) -> None:
        super().__init__(
            "Too much waits to be told, so only critical events (level 1) are taken for now. Nothing "
            "of this was stored: post it again after Retry-After.",
            retry_after_s,
        )


class TooManyTests(NotifierError):  # noqa: N818
    """A user asked for as many test messages as the site allows; `retry_after_s` says when again."""

    def __init__(self, rate: str, retry_after_s: float) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(
            f"no more than {rate} test messages for each user; try again in {retry_after_s:.0f} s"
        )


class QueueUnavailable(NotifierError, ConnectionError):  # noqa: N818
    """Redis or the server can't be reached; `retry_after_s` is what it asked to wait, if it did."""

    def __init__(self, sentence: str, retry_after_s: float | None = None) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(sentence)


class SpoolUnusable(QueueUnavailable):
    """The spool on disk can't be read or written."""


class SpoolFull(QueueUnavailable):
    """The spool on disk holds as much as it may."""


class SettingsUnreadable(NotifierError):  # noqa: N818
    """A destination's secrets can't be decrypted: the key is gone, or they are another row's."""


class DeliveryError(NotifierError):
    """A send that did not succeed.

    `reason` is the class of failure, `answer` what the other side said (shown to people).
    """

    def __init__(self, reason: Reason, answer: str = "") -> None:
        self.reason = reason
        self.answer = answer
        super().__init__(f"{reason}: {answer}" if answer else str(reason))


class TemporaryError(DeliveryError):
    """Worth trying again, not before `retry_after` seconds where the other side said so.

    `whole_host`: it said so to all that goes through this host, not to this destination alone.
    """

    def __init__(
        self,
        reason: Reason,
        answer: str = "",
        *,
        retry_after: float | None = None,
        whole_host: bool = False,
    ) -> None:
        super().__init__(reason, answer)
        self.retry_after = retry_after
        self.whole_host = whole_host


class PermanentError(DeliveryError):
    """No later try can succeed."""


def frames(error: BaseException) -> str:
    """Return where an error was raised, without its own text, which may quote an address."""
    return "".join(traceback.format_tb(error.__traceback__))
