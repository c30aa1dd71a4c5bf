"""Compiled timeslots are open exactly when one of their recurrences holds."""

from __future__ import annotations

import datetime as dt

from hypothesis import given, settings
from hypothesis import strategies as st

from notifier.matching.weeks import ALWAYS, NEVER, compile_week, is_open, time_of_week
from notifier.models import TimeRecurrence

EDGES = [
    dt.time(0),
    dt.time(8),
    dt.time(8, 0, 0, 1),
    dt.time(23, 59, 58),
    dt.time(23, 59, 59),
    dt.time(23, 59, 59, 999999),
]
times = st.sampled_from(EDGES) | st.times()
recurrences = st.lists(st.tuples(st.integers(1, 127), times, times), max_size=4)
days = st.dates(dt.date(2026, 11, 23), dt.date(2026, 11, 29))


@settings(deadline=None)
@given(recurrences, days, times)
def test_a_week_is_open_when_a_recurrence_holds(
    recurrences: list[tuple[int, dt.time, dt.time]], day: dt.date, time: dt.time
) -> None:
    plain = [TimeRecurrence(days=days, start=start, end=end) for days, start, end in recurrences]
    edges = [edge for _, start, end in recurrences for edge in (start, end)]
    week = compile_week(recurrences)
    for at in (time, *edges):
        moment = dt.datetime.combine(day, at, dt.UTC)
        assert is_open(week, time_of_week(moment)) == any(each.holds(moment) for each in plain)


@settings(deadline=None)
@given(recurrences)
def test_opening_and_closing_alternate(recurrences: list[tuple[int, dt.time, dt.time]]) -> None:
    week = compile_week(recurrences)
    assert list(week) == sorted(set(week))
    assert len(week) % 2 == 0


def test_a_whole_week_is_always_however_it_is_said() -> None:
    midnight, noon = dt.time(0), dt.time(12)
    assert compile_week([(127, midnight, midnight)]) is ALWAYS
    assert compile_week([(127, midnight, dt.time(23, 59, 59))]) is ALWAYS
    assert compile_week([(127, noon, noon)]) is ALWAYS
    assert compile_week([(127, noon, midnight), (127, midnight, noon)]) is ALWAYS
    assert compile_week([]) == NEVER
