"""Statistics that survive: what is purged is counted in the transaction that deletes it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import NamedTuple

from django.db.models import F

from notifier.models import DailyCount

RESOLVED = "resolved"


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
