"""Replay: deliveries that failed, sent again; events that could not be matched, matched again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Generator

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Coalesce, Now

from notifier import conf
from notifier.errors import Reason
from notifier.models import Delivery, Event

DEFAULT_RATE = 50

_EVENT_EXPIRES = Subquery(Event.objects.filter(pk=OuterRef("event")).values("expires"))


def replayable(rows: QuerySet[Delivery]) -> QuerySet[Delivery]:
    """Return those of some deliveries that failed, can still reach somebody and are not too old."""
    return rows.filter(
        Q(event__expires=None) | Q(event__expires__gt=Now()),
        state=Delivery.State.FAILED,
        destination__isnull=False,
        destination__disabled_at=None,
    ).order_by("pk")


def replay(
    rows: QuerySet[Delivery], *, rate: int = DEFAULT_RATE, most: int | None = None
) -> Generator[int]:
    """Make failed deliveries due again, `rate` of them a second; yield how many each step took.

    No more than the first `most`, where that is given. A row starts over with all its attempts, and keeps its history and its Message-ID. Each step is
    committed by itself, and a row is replayed only while it has failed: broken off, the same call
    goes on; made twice, it does nothing more.
    """
    ids = list(replayable(rows).values_list("pk", flat=True)[:most])
    for second, start in enumerate(range(0, len(ids), rate)):
        chosen = Delivery.objects.filter(
            pk__in=ids[start : start + rate], state=Delivery.State.FAILED
        )
        due_at = Now() + dt.timedelta(seconds=second)
        with transaction.atomic():
            _revive(_ends_of(chosen), due_at)
            replayed = _revive(chosen, due_at)
        yield replayed


def match_again(events: QuerySet[Event]) -> int:
    """Let events that could not be matched wait for dispatch again; return how many.

    The sweep nudges the queue.
    """
    return events.filter(state=Event.State.QUARANTINED).update(
        state=Event.State.ACCEPTED, dispatch_tries=0
    )


def _ends_of(rows: QuerySet[Delivery]) -> QuerySet[Delivery]:
    """Return what was cancelled because these starts were not sent: it is worth telling again."""
    start = rows.filter(
        destination=OuterRef("destination"),
        incident=OuterRef("incident"),
        sequence__lt=OuterRef("sequence"),
        event__type__in=Event.OPENING,
    )
    cancelled = Delivery.objects.filter(
        Exists(start), state=Delivery.State.CANCELLED, reason=Reason.START_NOT_SENT
    )
    # by id: a database may not look into the table that it updates
    return Delivery.objects.filter(pk__in=list(cancelled.values_list("pk", flat=True)))


def _revive(rows: QuerySet[Delivery], due_at: CombinedExpression) -> int:
    return rows.update(
        state=Delivery.State.PENDING,
        reason="",
        attempts=0,
        crashes=0,
        solo=False,
        finished_at=None,
        due_at=due_at,
        # told anew, it has its time anew, unless its event says when that ends
        expires_at=Coalesce(_EVENT_EXPIRES, Now() + dt.timedelta(seconds=conf.MAX_AGE_S())),
    )
