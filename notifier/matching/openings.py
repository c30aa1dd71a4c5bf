"""When a timeslot opens next: for people, who ask of few."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Iterable

from notifier.models import TimeRecurrence

_DAYS = 8
"""A recurrence comes once a week at least; an hour that the clocks skip may cost it one."""
_MINUTE = dt.timedelta(minutes=1)


def next_opening(
    recurrences: Iterable[TimeRecurrence], zone: zoneinfo.ZoneInfo, after: dt.datetime
) -> dt.datetime | None:
    """Return the first moment after `after`, on the zone's wall clock, at which any holds.

    `after` is a moment at which none does. None where nothing opens within two weeks.
    """
    recurrences = tuple(recurrences)
    today = after.astimezone(zone).date()
    candidates = (
        start
        for each in recurrences
        for day in range(2 * _DAYS)
        for start in _starts(today + dt.timedelta(days=day), each, zone)
        if start > after and any(other.holds(start) for other in recurrences)
    )
    return min(candidates, default=None)


def _starts(
    day: dt.date, recurrence: TimeRecurrence, zone: zoneinfo.ZoneInfo
) -> Iterable[dt.datetime]:
    """Return when it may begin on a day."""
    # Where the clocks jump over it, it begins as they have jumped; where they go back, maybe twice.
    wall = dt.datetime.combine(day, recurrence.start, tzinfo=zone)
    first, last = sorted(wall.replace(fold=fold).astimezone(dt.UTC) for fold in (0, 1))
    while first <= last:
        yield first.astimezone(zone)
        first += _MINUTE
