"""When a recurrence holds."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.models import TimeRecurrence
from notifier.models.timeslot import ALL_DAYS, day_bits

OSLO = ZoneInfo("Europe/Oslo")
MONDAY = dt.date(2026, 3, 2)
MINUTE = dt.timedelta(minutes=1)


def slot(start: str, end: str, *isoweekdays: int) -> TimeRecurrence:
    """Return a recurrence; on every day where none is given."""
    return TimeRecurrence(
        start=dt.time.fromisoformat(start),
        end=dt.time.fromisoformat(end),
        days=day_bits(*isoweekdays) if isoweekdays else ALL_DAYS,
    )


def at(isoweekday: int, time: str) -> dt.datetime:
    day = MONDAY + dt.timedelta(days=isoweekday - 1)
    return dt.datetime.combine(day, dt.time.fromisoformat(time), OSLO)


@pytest.mark.parametrize(
    ("recurrence", "weekday", "time", "holds"),
    [
        # within a day: from start up to, not including, end
        (slot("08:00", "16:00", 1), 1, "07:59:59.999999", False),
        (slot("08:00", "16:00", 1), 1, "08:00", True),
        (slot("08:00", "16:00", 1), 1, "15:59:59.999999", True),
        (slot("08:00", "16:00", 1), 1, "16:00", False),
        (slot("08:00", "16:00", 1), 2, "12:00", False),
        (slot("08:00", "16:00", 1), 7, "12:00", False),
        # over midnight: Friday's lasts into Saturday
        (slot("22:00", "06:00", 5), 5, "21:59:59", False),
        (slot("22:00", "06:00", 5), 5, "22:00", True),
        (slot("22:00", "06:00", 5), 6, "00:00", True),
        (slot("22:00", "06:00", 5), 6, "05:59:59.999999", True),
        (slot("22:00", "06:00", 5), 6, "06:00", False),
        (slot("22:00", "06:00", 5), 5, "03:00", False),
        (slot("22:00", "06:00", 5), 6, "23:00", False),
        # and Sunday's into Monday
        (slot("22:00", "06:00", 7), 1, "05:59", True),
        (slot("22:00", "06:00", 7), 7, "05:59", False),
        # a whole day
        (slot("00:00", "00:00", 3), 3, "00:00", True),
        (slot("00:00", "00:00", 3), 3, "23:59:59.999999", True),
        (slot("00:00", "00:00", 3), 4, "00:00", False),
        (slot("00:00", "00:00", 3), 2, "23:59:59.999999", False),
        (slot("08:00", "08:00", 3), 3, "07:59", False),
        (slot("08:00", "08:00", 3), 4, "07:59", True),
        # Argus's end of a day
        (slot("00:00", "23:59:59.999999", 3), 3, "23:59:59.999999", True),
        (slot("00:00", "23:59:59.999999", 3), 4, "00:00", False),
        (slot("08:00", "23:59:59", 3), 3, "23:59:59.5", True),
        (slot("08:00", "23:59:59", 3), 4, "00:00", False),
        (slot("08:00", "23:59:58", 3), 3, "23:59:58", False),
    ],
)
def test_a_recurrence_holds_from_its_start_up_to_its_end(
    recurrence: TimeRecurrence, weekday: int, time: str, holds: bool
) -> None:
    assert recurrence.holds(at(weekday, time)) is holds


@pytest.mark.parametrize(
    ("day", "minutes"),
    [
        (dt.date(2026, 3, 28), 60),  # an ordinary night
        (dt.date(2026, 3, 29), 0),  # 02:00 becomes 03:00
        (dt.date(2026, 10, 25), 120),  # 03:00 becomes 02:00
    ],
)
def test_an_hour_the_clocks_skip_never_comes_and_one_they_repeat_comes_twice(
    day: dt.date, minutes: int
) -> None:
    night = slot("02:00", "03:00")
    began = dt.datetime.combine(day, dt.time(0), OSLO).astimezone(dt.UTC)
    moments = (began + minute * MINUTE for minute in range(23 * 60))
    assert sum(night.holds(moment.astimezone(OSLO)) for moment in moments) == minutes


def test_a_night_over_the_change_of_clocks_has_an_hour_less_or_more() -> None:
    def length(year: int, month: int, day: int) -> int:
        night = slot("22:00", "06:00")
        noon = dt.datetime(year, month, day, 12, tzinfo=OSLO).astimezone(dt.UTC)
        moments = (noon + minute * MINUTE for minute in range(24 * 60))
        return sum(night.holds(moment.astimezone(OSLO)) for moment in moments)

    assert length(2026, 3, 27) == 8 * 60
    assert length(2026, 3, 28) == 7 * 60
    assert length(2026, 10, 24) == 9 * 60


# up to here no end is read as midnight
times = st.times(max_value=dt.time(23, 59, 58, 999_999))
moments = st.datetimes(dt.datetime(2026, 1, 1), dt.datetime(2027, 1, 1)).map(  # noqa: DTZ001
    lambda naive: naive.replace(tzinfo=dt.UTC)
)
weekdays = st.sets(st.integers(1, 7), min_size=1)


@given(times, times, moments)
def test_on_all_days_a_moment_is_in_a_slot_or_in_its_reverse(
    start: dt.time, end: dt.time, moment: dt.datetime
) -> None:
    """Exactly one of the two, unless start is end: then both are the whole week."""
    forth = TimeRecurrence(start=start, end=end).holds(moment)
    back = TimeRecurrence(start=end, end=start).holds(moment)
    assert (forth, back) == (True, True) if start == end else forth != back


@given(times, times, weekdays, moments)
def test_a_slots_days_are_those_it_begins_on(
    start: dt.time, end: dt.time, days: set[int], moment: dt.datetime
) -> None:
    recurrence = TimeRecurrence(start=start, end=end, days=day_bits(*days))
    began = moment if moment.time() >= start else moment - dt.timedelta(days=1)
    always = TimeRecurrence(start=start, end=end).holds(moment)
    assert recurrence.holds(moment) == (always and began.isoweekday() in days)


@given(weekdays)
def test_days_are_packed_from_monday_on(days: set[int]) -> None:
    whole = TimeRecurrence(days=day_bits(*days))
    assert {day for day in range(1, 8) if whole.holds(at(day, "12:00"))} == days


def test_all_days_are_seven() -> None:
    assert day_bits(1, 2, 3, 4, 5, 6, 7) == ALL_DAYS == 127
    assert day_bits(1) == 1
    assert day_bits(7, 7) == 64
