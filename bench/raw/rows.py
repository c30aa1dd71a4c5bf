"""Rows without Notifier: inserted in bulk, ready in memory before the clock starts."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from itertools import cycle

from django.utils import timezone

from bench.filling import LIST, rows
from bench.raw.timing import timed
from notifier.models import Delivery, DestinationConfig, Event

SINGLES = 200


def measure(count: int) -> dict[str, float]:
    """Insert events one by one and by 100, deliveries by 1,000; people must be there already."""
    listed, alone = rows(count), rows(min(SINGLES, count))
    deliveries = _deliveries(listed)
    times = []
    for event in alone:
        started = time.perf_counter()
        event.save(force_insert=True)
        times.append(1000 * (time.perf_counter() - started))

    def insert_listed() -> None:
        for start in range(0, len(listed), LIST):
            Event.objects.bulk_create(listed[start : start + LIST])

    found = timed("raw.events", count, insert_listed)
    found |= timed(
        "raw.deliveries", count, lambda: Delivery.objects.bulk_create(deliveries, batch_size=1000)
    )
    found["raw.events.each"] = 1000 / found["raw.events"]
    return found | {"raw.commit.p50": statistics.median(times)}


def _deliveries(stored: Sequence[Event]) -> list[Delivery]:
    destinations, now = list(DestinationConfig.objects.all()[:100]), timezone.now()
    return [
        Delivery(
            event=event,
            destination=to,
            user_id=to.user_id,
            medium=to.media_id,
            destination_label=str(to.pk),
            profiles=[1],
            urgency=event.level,
            due_at=now,
            created=now,
        )
        for event, to in zip(stored, cycle(destinations), strict=False)
    ]
