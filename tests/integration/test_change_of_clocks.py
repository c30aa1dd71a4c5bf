"""The days on which the clocks change, from an event's timestamp to who is told."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from notifier.delivering.dispatching import dispatch
from notifier.intake.accepting import accept
from notifier.intake.schema import parse_event
from notifier.models import Delivery, Event, Source, TimeRecurrence, Timeslot
from tests.conftest import add_profile

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from tests.recording import RecordingQueue

OSLO = ZoneInfo("Europe/Oslo")
QUARTER = dt.timedelta(minutes=15)


@pytest.mark.parametrize(
    ("day", "told"),
    [
        (dt.date(2026, 3, 28), 4),  # an ordinary night
        (dt.date(2026, 3, 29), 0),  # 02:00 becomes 03:00
        (dt.date(2026, 10, 25), 8),  # 03:00 becomes 02:00
    ],
)
def test_an_hour_of_the_night_is_the_owners_own_whatever_the_clocks_do(
    anna: User, source: Source, queue: RecordingQueue, day: dt.date, told: int
) -> None:
    anna.notifier_preferences.time_zone = "Europe/Oslo"
    anna.notifier_preferences.save()
    night = Timeslot.objects.create(user=anna, name="At night")
    TimeRecurrence.objects.create(timeslot=night, start=dt.time(2), end=dt.time(3))
    profile = add_profile(anna, {"max_level": 5})
    profile.timeslot = night
    profile.save()
    midnight = dt.datetime.combine(day, dt.time(0), OSLO).astimezone(dt.UTC)
    events = [
        parse_event({"description": "a quarter", "timestamp": midnight + number * QUARTER})
        for number in range(23 * 4)
    ]
    accept(events, source)

    while dispatch()["events"]:
        pass

    assert Delivery.objects.count() == told
    hours = {
        each.astimezone(OSLO).hour
        for each in Event.objects.filter(deliveries__isnull=False).values_list(
            "timestamp", flat=True
        )
    }
    assert hours <= {2}
