"""How much waits, and for how long: what people who run a site look at."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.db.models import Count, Min, QuerySet
from django.utils import timezone

from notifier.delivering.claiming import due_deliveries, waiting_events
from notifier.models import Delivery, Event


@dataclass(frozen=True, slots=True)
class Waiting:
    """Rows that could be worked on now, and since when the first of them could."""

    count: int
    oldest: dt.datetime | None

    @property
    def age_s(self) -> float:
        """Seconds that the oldest waits; 0 where none does."""
        return (timezone.now() - self.oldest).total_seconds() if self.oldest else 0.0


def events() -> Waiting:
    """Return the events that could be matched."""
    return _of(waiting_events(), "received")


def deliveries(medium: str) -> Waiting:
    """Return a medium's deliveries that could be sent; none while the medium is held back."""
    return _of(due_deliveries(medium), "due_at")


def _of(rows: QuerySet[Event] | QuerySet[Delivery], since: str) -> Waiting:
    found = rows.order_by().aggregate(count=Count("pk"), oldest=Min(since))
    return Waiting(**found)
