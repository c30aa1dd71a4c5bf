"""Who is told in the demo: three people who want different things at different times."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from notifier.models import DestinationConfig, Filter, NotificationProfile, TimeRecurrence, Timeslot
from notifier.models.timeslot import ALL_DAYS, day_bits

ANY_TIME = "All the time"
"""The timeslot that every user has from the first day."""


@dataclass(frozen=True)
class Person:
    """One user with one profile of their own, beside "Addressed to me", which everybody has."""

    username: str
    team: str
    wants: str
    """What `conditions` say, for people."""
    profile: str
    conditions: dict[str, Any]
    zone: str = "Europe/Oslo"
    slot: str = ANY_TIME
    days: int = ALL_DAYS
    hours: tuple[dt.time, dt.time] = (dt.time(0), dt.time(0))
    phone: str = ""

    @property
    def city(self) -> str:
        """Whose clocks they live by."""
        return self.zone.partition("/")[2].replace("_", " ")

    @property
    def name(self) -> str:
        """What colleagues call them."""
        return self.username.capitalize()


PEOPLE = (
    Person(
        username="anna",
        team="operations",
        wants="serious network trouble, any time: SMS and e-mail",
        profile="On call",
        conditions={"sources": ["network-monitor"], "max_level": 2},
        phone="+47 909 09 090",
    ),
    Person(
        username="ben",
        team="development",
        wants="anything serious, office hours only: e-mail",
        profile="At work",
        conditions={"max_level": 2},
        slot="Office hours",
        days=day_bits(1, 2, 3, 4, 5),
        hours=(dt.time(8), dt.time(16)),
    ),
    Person(
        username="carla",
        team="web shop",
        wants="what is addressed to her; failing cron jobs by day",
        profile="Failing jobs",
        conditions={"source_types": ["cron"], "max_level": 3},
        zone="America/New_York",
        slot="By day",
        hours=(dt.time(7), dt.time(23)),
    ),
)


@transaction.atomic
def invite(admin_password: str) -> None:
    """Create the three, and an administrator."""
    User.objects.create_superuser("admin", password=admin_password)
    for person in PEOPLE:
        user = User.objects.create_user(
            person.username, f"{person.username}@nordic.example", first_name=person.name
        )
        user.notifier_preferences.time_zone = person.zone
        user.notifier_preferences.save()
        _settle(user, person)


def _settle(user: User, person: Person) -> None:
    if person.phone:
        phone = DestinationConfig(
            user=user, media_id="sms", settings={"phone_number": person.phone}
        )
        phone.clean()
        phone.save()
    wanted = Filter(user=user, name=person.profile, conditions=person.conditions)
    wanted.full_clean()
    wanted.save()
    slot, new = Timeslot.objects.get_or_create(user=user, name=person.slot)
    if new:
        start, end = person.hours
        TimeRecurrence.objects.create(timeslot=slot, days=person.days, start=start, end=end)
    profile = NotificationProfile(user=user, name=person.profile, timeslot=slot)
    profile.full_clean()
    profile.save()
    profile.filters.add(wanted)
    profile.destinations.set(user.destinations.all())
