"""How a send to one destination ended."""

from __future__ import annotations

import enum
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from notifier.errors import Breaker, PermanentError, Reason, TemporaryError, frames
from notifier.media.destinations import Destination

log = logging.getLogger(__name__)


class Status(enum.StrEnum):
    """How one send ended."""

    SENT = "sent"
    TEMPORARY = "temporary"
    PERMANENT = "permanent"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the send to one destination ended; times in seconds."""

    destination: Destination
    status: Status
    answer: str
    started_at: datetime
    duration_s: float
    reason: Reason | None = None
    retry_after_s: float | None = None
    whole_host: bool = False
    """Whether “too fast” was said to the whole host, not to this destination alone."""

    @property
    def breaker(self) -> Breaker:
        """What it says of the host.

        Nothing, where a plugin of the old kind did not say how it ended: some never do.
        """
        if self.reason is Reason.UNCLEAR and self.status is Status.PERMANENT:
            return Breaker.SILENT
        return self.reason.breaker if self.reason else Breaker.WELL

    def sane(self) -> Outcome:
        """Return the same in values that can be recorded, whatever a plugin put in."""
        known = self.status in {*Status}
        status = Status(self.status) if known else Status.TEMPORARY
        reason = self.reason if known and isinstance(self.reason, Reason) else Reason.BUG
        began, answer = self.started_at, self.answer
        return replace(
            self,
            status=status,
            answer=answer.encode(errors="replace").decode() if isinstance(answer, str) else "",
            started_at=began if isinstance(began, datetime) and began.tzinfo else datetime.now(UTC),
            duration_s=_finite(self.duration_s) or 0.0,
            reason=None if status is Status.SENT else reason,
            retry_after_s=_finite(self.retry_after_s),
        )

    @classmethod
    def unanswered(cls, destination: Destination) -> Outcome:
        """Return the outcome for a destination of which a medium said nothing: its bug."""
        return cls.unsent(destination, Reason.BUG, "the medium gave no answer")

    @classmethod
    def unsent(cls, destination: Destination, reason: Reason, answer: str) -> Outcome:
        """Return the temporary failure of what no medium tried."""
        return cls(
            destination=destination,
            status=Status.TEMPORARY,
            answer=answer,
            started_at=datetime.now(UTC),
            duration_s=0.0,
            reason=reason,
        )


def _finite(number: object) -> float | None:
    return float(number) if isinstance(number, int | float) and math.isfinite(number) else None


def attempt(slug: str, send: Callable[[Destination], str], destination: Destination) -> Outcome:
    """Send to one destination; return how that ended, whatever it raised.

    The one edge that isolates a destination. `send` returns the provider's answer.
    """
    started_at, start = datetime.now(UTC), time.monotonic()
    reason: Reason | None = None
    retry_after_s: float | None = None
    whole_host = False
    status = Status.TEMPORARY
    try:
        answer, status = send(destination), Status.SENT
    except PermanentError as error:
        status, reason, answer = Status.PERMANENT, error.reason, error.answer
    except TemporaryError as error:
        reason, answer, retry_after_s = error.reason, error.answer, error.retry_after
        whole_host = error.whole_host
    except Exception as error:  # noqa: BLE001 - the edge
        # Frames only: the exception's own text may quote an address or a secret.
        log.error(  # noqa: TRY400
            "medium %s: %s while sending %s\n%s",
            slug,
            type(error).__name__,
            destination.message_key,
            frames(error),
        )
        reason, answer = Reason.BUG, type(error).__name__
    return Outcome(
        destination=destination,
        status=status,
        answer=answer,
        started_at=started_at,
        duration_s=time.monotonic() - start,
        reason=reason,
        retry_after_s=retry_after_s,
        whole_host=whole_host,
    )
