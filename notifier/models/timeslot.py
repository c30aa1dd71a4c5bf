"""When a user wants to be told."""

from __future__ import annotations

import datetime as dt

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models

ALL_DAYS = 0b1111111


def day_bits(*isoweekdays: int) -> int:
    """Pack days, 1 (Monday) … 7 (Sunday), into `TimeRecurrence.days`."""
    return sum(1 << (day - 1) for day in set(isoweekdays))


def days_of(bits: int) -> list[int]:
    """Unpack `TimeRecurrence.days` into days, 1 (Monday) … 7 (Sunday)."""
    return [day for day in range(1, 8) if bits >> (day - 1) & 1]


class Timeslot(models.Model):
    """A named set of recurrences; holds a moment when any of them does."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="timeslots"
    )
    name = models.CharField(max_length=100)

    class Meta:
        ordering = ("name",)
        constraints = (
            models.UniqueConstraint(fields=("user", "name"), name="timeslot_name_unique"),
        )

    def __str__(self) -> str:
        return f"{self.name} ({self.user})"


class TimeRecurrence(models.Model):
    """Some weekdays, from `start` up to but not including `end`, on the wall clock of the owner.

    An `end` not after `start` is on the next day: 22:00-06:00 on Friday lasts into Saturday, and
    00:00-00:00 is a whole day. An end from 23:59:59 on means midnight, as Argus writes it.
    """

    END_OF_DAY = dt.time(23, 59, 59)

    timeslot = models.ForeignKey(Timeslot, on_delete=models.CASCADE, related_name="recurrences")
    days = models.PositiveSmallIntegerField(
        default=ALL_DAYS, help_text="Bit 0 is Monday … bit 6 Sunday; 127 is every day."
    )
    start = models.TimeField(default=dt.time(0))
    end = models.TimeField(default=dt.time(0))

    class Meta:
        constraints = (
            models.CheckConstraint(
                name="recurrence_has_days",
                condition=models.Q(days__gte=1, days__lte=ALL_DAYS),
            ),
        )

    def __str__(self) -> str:
        names = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
        days = (
            "every day"
            if self.days == ALL_DAYS
            else " ".join(name for bit, name in enumerate(names) if self.days >> bit & 1)
        )
        return f"{days} {self.start:%H:%M}-{self.end:%H:%M}"

    def clean(self) -> None:
        """Refuse an empty or unknown set of days with a sentence."""
        if self.days is not None and not 1 <= self.days <= ALL_DAYS:
            raise ValidationError({"days": "Choose at least one day."})

    def holds(self, moment: dt.datetime) -> bool:
        """Say whether a moment, already in the owner's time zone, lies inside.

        It goes by the wall clock: an hour that the clocks skip never comes, one that they
        repeat comes twice.
        """
        time = moment.time()
        today = moment.isoweekday()
        yesterday = (today - 2) % 7 + 1
        end = dt.time(0) if self.end >= self.END_OF_DAY else self.end
        if self.start < end:
            return self._has(today) and self.start <= time < end
        return (self._has(today) and time >= self.start) or (self._has(yesterday) and time < end)

    def _has(self, isoweekday: int) -> bool:
        return bool(self.days >> (isoweekday - 1) & 1)
