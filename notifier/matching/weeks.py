"""Timeslots, compiled: the hours of a week in which somebody wants to be told."""

from __future__ import annotations

import datetime as dt
from bisect import bisect_right
from collections.abc import Iterable

from notifier.models import TimeRecurrence

DAY_US = 86_400_000_000
WEEK_US = 7 * DAY_US

Week = tuple[int, ...]
"""Where it opens and closes in turn, in microseconds since Monday 0:00, ascending."""
ALWAYS: Week = (0, WEEK_US)
NEVER: Week = ()

Recurrence = tuple[int, dt.time, dt.time]
"""`TimeRecurrence.days`, `start` and `end`."""


def compile_week(recurrences: Iterable[Recurrence]) -> Week:
    """Return when any of some recurrences holds; `ALWAYS` itself where that is always."""
    spans = sorted(span for each in recurrences for span in _spans(*each))
    merged: list[int] = []
    for start, end in spans:
        if merged and start <= merged[-1]:
            merged[-1] = max(merged[-1], end)
        else:
            merged += (start, end)
    week = tuple(merged)
    return ALWAYS if week == ALWAYS else week


def _spans(days: int, start: dt.time, end: dt.time) -> Iterable[tuple[int, int]]:
    first, last = _of_day(start), _of_day(end)
    if end >= TimeRecurrence.END_OF_DAY:
        last = 0
    for day in range(7):
        if not days >> day & 1:
            continue
        begin = day * DAY_US
        if first < last:
            yield begin + first, begin + last
            continue
        yield begin + first, begin + DAY_US
        if last:
            next_day = (begin + DAY_US) % WEEK_US
            yield next_day, next_day + last


def _of_day(time: dt.time | dt.datetime) -> int:
    return ((time.hour * 60 + time.minute) * 60 + time.second) * 1_000_000 + time.microsecond


def time_of_week(local: dt.datetime) -> int:
    """Return a moment on somebody's wall clock as microseconds since Monday 0:00."""
    return local.weekday() * DAY_US + _of_day(local)


def is_open(week: Week, time_us: int) -> bool:
    """Say whether a time of the week lies inside."""
    return bool(bisect_right(week, time_us) & 1)
