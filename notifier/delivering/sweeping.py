"""The sweep: finds whatever was forgotten. Any number of them may run at once."""

from __future__ import annotations

import logging
from typing import Any

from django.db.models import Case, F, QuerySet, When
from django.db.models.functions import Now
from django.utils import timezone

from notifier.delivering.claiming import FREED, look, waiting_events
from notifier.errors import Reason
from notifier.media.registry import all_media
from notifier.models import Delivery, Heartbeat
from notifier.queueing import EVENTS_QUEUE, get_queue, media_queue

log = logging.getLogger(__name__)

MAX_CRASHES = 3
MAX_ROWS = 1000
"""A sweep takes so many of each kind: it must end long before the next one begins."""
HEARTBEAT = "sweep"


def sweep() -> dict[str, int]:
    """Return forgotten work to its queues; return counts.

    Leases that ran out, deliveries whose time came or went, events that wait. Only a queue in
    which nothing waits is nudged: never a whole backlog is published.
    """
    recovered, crashed = _recover_leases()
    counts = {"recovered": recovered, "crashed": crashed, **_cancel_moot()}
    counts["nudged"] = _nudge()
    Heartbeat.objects.update_or_create(name=HEARTBEAT, defaults={"at": timezone.now()})
    return counts


def _recover_leases() -> tuple[int, int]:
    """Return rows whose worker died to `pending`, to be claimed alone from now on.

    Only a death while sending a row alone counts against it: then the row is to blame.
    """
    lost = _some(Delivery.objects.filter(state=Delivery.State.SENDING, lease_until__lt=Now()))
    crashed = lost.filter(solo=True, crashes__gte=MAX_CRASHES - 1).update(
        state=Delivery.State.FAILED,
        reason=Reason.CRASHED,
        crashes=F("crashes") + 1,
        finished_at=Now(),
        **FREED,
    )
    recovered = lost.update(
        state=Delivery.State.PENDING,
        crashes=F("crashes") + Case(When(solo=True, then=1), default=0),
        solo=True,
        **FREED,
    )
    if crashed or recovered:
        log.warning(
            "%d deliveries returned from workers that died; %d failed as they killed %d in turn",
            recovered,
            crashed,
            MAX_CRASHES,
        )
    return recovered, crashed


def _cancel_moot() -> dict[str, int]:
    """Cancel what need not be sent any more: what has expired, or lost its destination."""
    pending = Delivery.objects.filter(state=Delivery.State.PENDING)
    return {
        "expired": _cancel(pending.filter(expires_at__lte=Now()), Reason.EXPIRED),
        "orphaned": _cancel(pending.filter(destination=None), Reason.DESTINATION_DELETED),
    }


def _cancel(rows: QuerySet[Delivery], reason: Reason) -> int:
    return _some(rows).update(
        state=Delivery.State.CANCELLED, reason=reason, finished_at=Now(), **FREED
    )


def _some(rows: QuerySet[Delivery]) -> QuerySet[Delivery]:
    """Return a bounded number of these rows: the next sweep takes the next ones."""
    return rows.filter(pk__in=list(rows.values_list("pk", flat=True)[:MAX_ROWS]))


def _nudge() -> int:
    queue = get_queue()
    try:
        lengths = queue.lengths()
    except ConnectionError:
        return 0  # nothing can be published either; the next sweep comes soon
    nudged = 0
    if not lengths.get(EVENTS_QUEUE) and (events := _first(waiting_events())):
        queue.dispatch(events)
        nudged += 1
    for slug in all_media():
        if not lengths.get(media_queue(slug)) and (found := look(slug)).full:
            queue.deliver(slug, found.ids)
            nudged += 1
    return nudged


def _first(rows: QuerySet[Any]) -> list[Any]:
    return list(rows.values_list("pk", flat=True)[:1])
