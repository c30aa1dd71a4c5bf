"""Replay: deliveries that failed, sent again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Generator

from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from notifier.models import Delivery

DEFAULT_RATE = 50


def replayable(rows: QuerySet[Delivery]) -> QuerySet[Delivery]:
    """Return those of some deliveries that failed, can still reach somebody and are not too old."""
    return rows.filter(
        Q(expires_at=None) | Q(expires_at__gt=Now()),
        state=Delivery.State.FAILED,
        destination__isnull=False,
    ).order_by("pk")


def replay(rows: QuerySet[Delivery], *, rate: int = DEFAULT_RATE) -> Generator[int]:
    """Make failed deliveries due again, `rate` of them a second; yield how many each step took.

    A row starts over with all its attempts, and keeps its history and its Message-ID. Each step is
    committed by itself, and a row is replayed only while it has failed: broken off, the same call
    goes on; made twice, it does nothing more.
    """
    ids = list(replayable(rows).values_list("pk", flat=True))
    for second, start in enumerate(range(0, len(ids), rate)):
        yield Delivery.objects.filter(
            pk__in=ids[start : start + rate], state=Delivery.State.FAILED
        ).update(
            state=Delivery.State.PENDING,
            reason="",
            attempts=0,
            crashes=0,
            solo=False,
            finished_at=None,
            due_at=Now() + dt.timedelta(seconds=second),
        )
