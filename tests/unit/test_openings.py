"""When a timeslot opens next."""

from __future__ import annotations

import datetime as dt
import zoneinfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifier.matching.openings import next_opening
from notifier.models import TimeRecurrence
from notifier.models.timeslot import day_bits

OSLO = zoneinfo.ZoneInfo("Europe/Oslo")
MINUTE = dt.timedelta(minutes=1)
# near the hour that comes twice, or never, as often as anywhere else
QUARTERS = (st.integers(4, 14) | st.integers(0, 95)).map(
    lambda quarter: dt.time(quarter // 4, quarter % 4 * 15)
)
RECURRENCES = st.lists(
    st.builds(TimeRecurrence, days=st.integers(1, 127), start=QUARTERS, end=QUARTERS), max_size=3
)


def at(text: str) -> dt.datetime:
    """Return a moment in Oslo."""
    return dt.datetime.fromisoformat(text).replace(tzinfo=OSLO)


def slot(start: str, end: str, *days: int) -> list[TimeRecurrence]:
    """Return one recurrence, on every day where none is named."""
    return [
        TimeRecurrence(
            days=day_bits(*days or range(1, 8)),
            start=dt.time.fromisoformat(start),
            end=dt.time.fromisoformat(end),
        )
    ]


@pytest.mark.parametrize(
    ("recurrences", "after", "opens"),
    [
        (slot("08:00", "16:00"), "2026-11-23T07:00", "2026-11-23T08:00"),
        (slot("08:00", "16:00", 1), "2026-11-23T16:00", "2026-11-30T08:00"),
        (slot("22:00", "06:00", 5), "2026-11-23T12:00", "2026-11-27T22:00"),
        # an hour that the clocks skip: what is left of the slot after it
        (slot("02:30", "04:00"), "2026-03-29T01:00", "2026-03-29T03:00"),
        # one that is skipped as a whole
        (slot("02:00", "03:00", 7), "2026-03-28T12:00", "2026-04-05T02:00"),
        ([], "2026-11-23T07:00", None),
    ],
)
def test_the_next_opening(recurrences: list[TimeRecurrence], after: str, opens: str | None) -> None:
    assert next_opening(recurrences, OSLO, at(after)) == (opens and at(opens))


@settings(deadline=None, max_examples=200)
@given(RECURRENCES, st.sampled_from(["2026-11-24", "2026-03-28", "2026-10-24"]), QUARTERS)
def test_it_is_the_first_quarter_at_which_it_is_open(
    recurrences: list[TimeRecurrence], day: str, time: dt.time
) -> None:
    after = dt.datetime.combine(dt.date.fromisoformat(day), time, tzinfo=OSLO)
    moments = (
        (after.astimezone(dt.UTC) + quarter * 15 * MINUTE).astimezone(OSLO)
        for quarter in range(1, 16 * 96)
    )
    was_open, expected = any(each.holds(after) for each in recurrences), None
    for moment in moments:
        is_open = any(each.holds(moment) for each in recurrences)
        if is_open and not was_open:
            expected = moment
            break
        was_open = is_open
    if not any(each.holds(after) for each in recurrences):
        assert next_opening(recurrences, OSLO, after) == expected
