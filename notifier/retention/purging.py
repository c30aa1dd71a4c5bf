"""Purging: what is old goes, a small transaction at a time; how much there was stays."""

from __future__ import annotations

import datetime as dt
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from notifier.matching.changes import forget_old
from notifier.models import Attempt, DailyCount, Delivery, Event, Incident, IngestTry
from notifier.retention.choosing import Keep, purgeable_events, purgeable_refusals
from notifier.retention.counting import RESOLVED, Kind, keep_counts

Subject = DailyCount.Subject

BATCH = 200
"""Events of one transaction."""
MAX_DELIVERIES = 1000
"""Deliveries of one transaction; an event that has more goes in several."""
BUDGET_S = 1.0
"""How long the task goes on: its worker has more urgent things to do."""
INTERVAL_S = 60.0
"""Seconds between two such tasks."""


class _Old(NamedTuple):
    """An event that may go."""

    pk: UUID
    received: dt.datetime
    state: str
    source: str

    def kind(self, subject: str, state: str, medium: str = "", reason: str = "") -> Kind:
        """Return what something of this event is counted as."""
        day = self.received.astimezone(dt.UTC).date()
        return Kind(day, subject, self.source, medium, state, reason)


def purge_for_a_while() -> dict[str, int]:
    """Purge by the site's settings for about a second; return counts. The next call goes on."""
    end = time.monotonic() + BUDGET_S
    counts: Counter[str] = Counter()
    for step in purge(Keep.by_settings()):
        counts += step
        if time.monotonic() >= end:
            break
    words = {"events": Subject.EVENT, "deliveries": Subject.DELIVERY, "attempts": Subject.ATTEMPT}
    return {word: counts[subject] for word, subject in words.items()}


def purge(keep: Keep, batch: int = BATCH) -> Iterator[Counter[str]]:
    """Delete what may go; yield how many rows of each `DailyCount.Subject` a step deleted.

    Each step is a transaction. Broken off anywhere, the same call goes on; made twice, or twice at
    once, it does nothing more. What is another's at the moment is left for the next time.
    """
    forget_old()
    yield from _purge_events(keep, batch)
    yield from _purge_refusals(keep, batch)
    IngestTry.objects.filter(at__lt=keep.failed_since).delete()


def _purge_events(keep: Keep, batch: int) -> Iterator[Counter[str]]:
    rows = purgeable_events(keep)
    later = Q()
    while found := list(rows.filter(later).values_list("pk", "incident", "received")[:batch]):
        incidents = {incident for _, incident, _ in found if incident is not None}
        deleted, cut_off = _purge_batch(keep, [pk for pk, _, _ in found], incidents)
        yield _by_subject(deleted)
        if not (cut_off and deleted):
            pk, _, received = found[-1]
            later = Q(received__gte=received) & ~Q(received=received, pk__lte=pk)


@transaction.atomic
def _purge_batch(
    keep: Keep, ids: Iterable[UUID], incidents: Iterable[int]
) -> tuple[Counter[Kind], bool]:
    """Delete some events with all that belongs to them; say whether there were too many deliveries.

    Everything is locked before it is looked at a last time: an incident may open again meanwhile,
    a delivery be replayed. No lock is waited for.
    """
    closed = Incident.objects.filter(pk__in=incidents, open=False).order_by("pk")
    held = list(closed.select_for_update(skip_locked=True).values_list("pk", flat=True))
    rows = purgeable_events(keep).filter(pk__in=ids).filter(Q(incident=None) | Q(incident__in=held))
    locked = rows.select_for_update(skip_locked=True, of=("self",))
    columns = locked.values_list("pk", "received", "state", "source__name")
    events = {row[0]: _Old(*row) for row in columns}
    counts, cut_off = _delete_deliveries(events)
    left = set(Delivery.objects.filter(event__in=events).values_list("event", flat=True))
    gone = [event for event in events.values() if event.pk not in left]
    counts.update(event.kind(Subject.EVENT, event.state) for event in gone)
    Event.objects.filter(pk__in=[event.pk for event in gone]).delete()
    remaining = Event.objects.filter(incident=OuterRef("pk"))
    Incident.objects.filter(~Exists(remaining), pk__in=held).delete()
    keep_counts(counts)
    return counts, cut_off


def _delete_deliveries(events: dict[UUID, _Old]) -> tuple[Counter[Kind], bool]:
    """Delete deliveries of some events, with their attempts; return counts, and if there are more.

    None of an event that has an unfinished one, as it was replayed since it was chosen.
    """
    rows = Delivery.objects.filter(event__in=events).order_by("pk")
    found = list(
        rows.select_for_update(skip_locked=True, of=("self",)).values_list(
            "pk", "event", "finished_at", "medium", "state", "reason"
        )[:MAX_DELIVERIES]
    )
    revived = {event for _, event, finished_at, *_ in found if finished_at is None}
    old = {
        pk: (events[event], medium) for pk, event, _, medium, *_ in found if event not in revived
    }
    counts = Counter(
        events[event].kind(Subject.DELIVERY, state, medium, reason)
        for pk, event, _, medium, state, reason in found
        if pk in old
    )
    attempts = Attempt.objects.filter(delivery__in=old).order_by()
    for pk, outcome, reason in attempts.values_list("delivery", "outcome", "reason"):
        event, medium = old[pk]
        counts[event.kind(Subject.ATTEMPT, outcome, medium, reason)] += 1
    attempts.delete()
    Delivery.objects.filter(pk__in=old).delete()
    return counts, len(found) == MAX_DELIVERIES


def _purge_refusals(keep: Keep, batch: int) -> Iterator[Counter[str]]:
    while deleted := _purge_refusals_once(keep, batch):
        yield _by_subject(deleted)


@transaction.atomic
def _purge_refusals_once(keep: Keep, batch: int) -> Counter[Kind]:
    rows = purgeable_refusals(keep)
    found = list(
        rows.select_for_update(skip_locked=True).values_list("pk", "received", "source_name")[
            :batch
        ]
    )
    counts = Counter(
        Kind(received.astimezone(dt.UTC).date(), Subject.QUARANTINED, source, "", RESOLVED, "")
        for _, received, source in found
    )
    rows.filter(pk__in=[pk for pk, *_ in found]).order_by().delete()
    keep_counts(counts)
    return counts


def _by_subject(counts: Counter[Kind]) -> Counter[str]:
    found: Counter[str] = Counter()
    for kind, count in counts.items():
        found[kind.subject] += count
    return found
