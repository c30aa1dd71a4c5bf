"""Recording outcomes: grouped updates, guarded by the claim's token."""

from __future__ import annotations

import datetime as dt
import logging
import random
import uuid
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from notifier.delivering.claiming import FREED
from notifier.delivering.gating import hear
from notifier.errors import Breaker, Reason
from notifier.media.base import NotificationMedium, Outcome, Status
from notifier.models import Attempt, Delivery
from notifier.retrying import next_delay

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ending:
    """What becomes of a row: rows with equal endings are written by one update."""

    state: Delivery.State
    reason: Reason | None = None
    delay_s: float = 0.0
    counts: bool = True


def ending_of(
    outcome: Outcome,
    attempts: int,
    schedule: Sequence[float],
    *,
    chance: float,
    parked: bool = False,
) -> Ending:
    """Decide what an outcome means for its row: sent, failed, or pending until later.

    `attempts` were made before; `parked`: the breaker of its host is open. Then the row waits for
    the gate, and the try does not count: the host is to blame. One that may have been sent counts.
    """
    if outcome.status is Status.SENT:
        return Ending(Delivery.State.SENT)
    reason = outcome.reason or Reason.BUG
    if outcome.status is Status.PERMANENT:
        return Ending(Delivery.State.FAILED, reason)
    if parked and reason.breaker is not Breaker.SILENT and reason is not Reason.UNCLEAR:
        return Ending(Delivery.State.PENDING, reason, counts=False)
    delay = next_delay(
        reason, attempts + 1, schedule, retry_after_s=outcome.retry_after_s, chance=chance
    )
    if delay is None:
        return Ending(Delivery.State.FAILED, reason)
    return Ending(Delivery.State.PENDING, reason, round(delay, 3), counts=reason.counts)


@transaction.atomic
def record(
    medium: NotificationMedium,
    token: uuid.UUID,
    outcomes: Sequence[tuple[Delivery, Outcome]],
    worker: str,
) -> Counter[str]:
    """Write outcomes and one `Attempt` each; return how many rows went into each state.

    A row whose lease has passed to another worker is that one's: the attempt is recorded, the
    row is left alone.
    """
    parked = hear(medium, outcomes)
    chance = random.random()  # noqa: S311 - jitter; one for the slice, so that equals share an update
    groups: dict[Ending, list[int]] = defaultdict(list)
    attempts = []
    for delivery, outcome in outcomes:
        ending = ending_of(
            outcome,
            delivery.attempts,
            medium.RETRY_DELAYS,
            chance=chance,
            parked=delivery.host in parked,
        )
        groups[ending].append(delivery.pk)
        attempts.append(_attempt(delivery, outcome, worker))
    counts: Counter[str] = Counter()
    for ending, ids in groups.items():
        counts[ending.state.value] += _finish(token, ids, ending)
    if lost := len(attempts) - counts.total():
        log.warning("%d deliveries were sent after their lease had ended, or are deleted", lost)
        attempts = _of_rows_that_exist(attempts)
    Attempt.objects.bulk_create(attempts)
    return counts


def _of_rows_that_exist(attempts: Sequence[Attempt]) -> list[Attempt]:
    """Leave out what was deleted with its user meanwhile; else the whole slice would fail."""
    rows = Delivery.objects.filter(pk__in=[each.delivery_id for each in attempts])
    there = set(rows.select_for_update(no_key=True).values_list("pk", flat=True))
    return [each for each in attempts if each.delivery_id in there]


def _finish(token: uuid.UUID, ids: Sequence[int], ending: Ending) -> int:
    held = Delivery.objects.filter(pk__in=ids, claim_token=token, state=Delivery.State.SENDING)
    final = ending.state is not Delivery.State.PENDING
    return held.update(
        state=ending.state,
        reason=ending.reason or "",
        attempts=F("attempts") + int(ending.counts),
        solo=False,
        finished_at=Now() if final else None,
        due_at=F("due_at") if final else Now() + dt.timedelta(seconds=ending.delay_s),
        **FREED,
    )


def cancel(token: uuid.UUID, ids: Sequence[int], reason: Reason) -> int:
    """End rows of a claim that need not be sent; return how many."""
    held = Delivery.objects.filter(pk__in=ids, claim_token=token, state=Delivery.State.SENDING)
    return held.update(state=Delivery.State.CANCELLED, reason=reason, finished_at=Now(), **FREED)


def _attempt(delivery: Delivery, outcome: Outcome, worker: str) -> Attempt:
    return Attempt(
        delivery_id=delivery.pk,
        number=delivery.attempts + 1,
        started_at=outcome.started_at,
        duration_ms=round(outcome.duration_s * 1000),
        worker=worker,
        outcome=outcome.status.value,
        reason=outcome.reason or "",
        answer=outcome.answer.replace("\0", ""),  # which no database takes
    )
