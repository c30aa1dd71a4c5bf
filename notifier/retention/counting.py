"""Statistics that survive: what is purged is counted in the transaction that deletes it."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from django.db.models import Case, Count, F, QuerySet, Value, When
from django.db.models.functions import TruncDate

from notifier.models import Attempt, DailyCount, Delivery, Event, QuarantinedEvent

Subject = DailyCount.Subject
RESOLVED = "resolved"
UNRESOLVED = "unresolved"


class Kind(NamedTuple):
    """What rows that are counted together have in common: the columns of `DailyCount`."""

    day: dt.date
    subject: str
    source: str
    medium: str
    state: str
    reason: str


def keep_counts(counts: Mapping[Kind, int]) -> None:
    """Add to the counts of purged rows; part of the transaction that deletes these.

    In one order, so that two purges can't wait for each other.
    """
    kinds = sorted(counts)
    DailyCount.objects.bulk_create(
        [DailyCount(**kind._asdict()) for kind in kinds], ignore_conflicts=True
    )
    for kind in kinds:
        DailyCount.objects.filter(**kind._asdict()).update(count=F("count") + counts[kind])


def totals(since: dt.date | None = None) -> Counter[Kind]:
    """Count all rows that there are and have been, of events received on a day (UTC) or later.

    One statement, so that no purge that commits meanwhile is seen by half. It reads every row of
    that time: for reports, not for each page.
    """
    first, *others = _counted(dt.date.min if since is None else since)
    found: Counter[Kind] = Counter()
    for *kind, count in first.union(*others, all=True):
        found[Kind(*kind)] += count
    return found


def _counted(since: dt.date) -> Iterator[QuerySet[Any, Any]]:
    """Yield each table's kinds and counts."""
    yield (DailyCount.objects.filter(day__gte=since).order_by().values_list(*Kind._fields, "count"))
    yield _count(Event.objects.all(), since, Subject.EVENT, state=F("state"))
    yield _count(
        Delivery.objects.all(),
        since,
        Subject.DELIVERY,
        event="event__",
        medium=F("medium"),
        state=F("state"),
        reason=F("reason"),
    )
    yield _count(
        Attempt.objects.all(),
        since,
        Subject.ATTEMPT,
        event="delivery__event__",
        medium=F("delivery__medium"),
        state=F("outcome"),
        reason=F("reason"),
    )
    yield _count(
        QuarantinedEvent.objects.all(),
        since,
        Subject.QUARANTINED,
        source=F("source_name"),
        state=Case(When(resolved_at=None, then=Value(UNRESOLVED)), default=Value(RESOLVED)),
    )


def _count(
    rows: QuerySet[Any], since: dt.date, subject: str, event: str = "", **columns: Any
) -> QuerySet[Any, Any]:
    """Group rows by kind and count them; `event` leads to the event that they are about."""
    columns.setdefault("source", F(f"{event}source__name"))
    kind = {
        "day": TruncDate(f"{event}received", tzinfo=dt.UTC),
        "subject": Value(str(subject)),
        **{name: columns.get(name, Value("")) for name in Kind._fields[2:]},
    }
    # named apart from the model's own columns, with which Django would mix them up
    named = {f"kind_{name}": expression for name, expression in kind.items()}
    grouped: QuerySet[Any, Any] = rows.order_by().annotate(**named).values(*named)
    counted: QuerySet[Any, Any] = grouped.annotate(count_of_kind=Count("pk"))
    return counted.filter(kind_day__gte=since).values_list(*named, "count_of_kind")
