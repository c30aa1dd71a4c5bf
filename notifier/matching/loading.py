"""Profiles, loaded into an index: a constant number of queries, without a model of any row."""

from __future__ import annotations

import zoneinfo
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import F, Model, TextField
from django.db.models.functions import Cast

from notifier.matching.index import Index, Owner, Profile
from notifier.matching.wanted import Wanted
from notifier.matching.weeks import ALWAYS, NEVER, Recurrence, Week, compile_week
from notifier.models import NotificationProfile, TimeRecurrence
from notifier.models.person import zone_named

_CHUNK = 5000
"""Rows that are fetched at once."""
_Owners = Collection[object] | None


def load(index: Index, owners: _Owners = None) -> None:
    """Put the profiles of some owners, by primary key, into an index that has none of theirs.

    All owners' where none are given. Left out is whatever can't match: what is off, what has no
    filter or one that can't be read, no destination in use, or a timeslot that never opens.
    """
    weeks = _weeks(owners)
    filters = _filters(index, owners)
    destinations = _destinations(owners)
    zones: dict[str | None, zoneinfo.ZoneInfo] = {}
    for user, rows in groupby(_profiles(owners), itemgetter(0)):
        owner, found = None, []
        for _, name, zone, pk, timeslot, paused_until in rows:
            wanted, to = filters.pop(pk, None), destinations.pop(pk, None)
            week = weeks.get(timeslot, NEVER)
            if not (wanted and to and week):
                continue
            if owner is None:
                if zone not in zones:
                    zones[zone] = zone_named(zone, user)
                owner = Owner(user, name, zones[zone])
            found.append(Profile(pk, owner, wanted, week, paused_until, to))
        if owner:
            index.add(owner, found)
    index.drop_unused()


def _profiles(owners: _Owners) -> Iterator[tuple[Any, ...]]:
    columns = (
        "user",
        f"user__{get_user_model().USERNAME_FIELD}",
        "user__notifier_preferences__time_zone",
        "pk",
        "timeslot",
        "paused_until",
    )
    yield from _rows(NotificationProfile, "", owners, *columns)


def _weeks(owners: _Owners) -> dict[int, Week]:
    """Return when each timeslot is open; equal ones are one object."""
    shared: dict[Week, Week] = {ALWAYS: ALWAYS}
    by_timeslot: dict[int, set[Recurrence]] = defaultdict(set)
    rows = TimeRecurrence.objects.all()
    if owners is not None:
        rows = rows.filter(timeslot__profiles__user__in=owners)
    for timeslot, *each in rows.values_list("timeslot", "days", "start", "end").iterator(_CHUNK):
        by_timeslot[timeslot].add(tuple(each))
    weeks = ((timeslot, compile_week(each)) for timeslot, each in by_timeslot.items())
    return {timeslot: shared.setdefault(week, week) for timeslot, week in weeks}


def _filters(index: Index, owners: _Owners) -> dict[int, tuple[Wanted, ...]]:
    """Return each profile's conditions; none of a profile that has some which never hold."""
    text = Cast("filter__conditions", TextField())
    through = NotificationProfile.filters.through
    rows = _rows(through, "notificationprofile__", owners, "notificationprofile", text)
    found = {}
    for profile, filters in groupby(rows, itemgetter(0)):
        wanted = tuple(index.conditions(conditions) for _, conditions in filters)
        if None not in wanted:
            found[profile] = wanted
    return found


def _destinations(owners: _Owners) -> dict[int, tuple[int, ...]]:
    """Return the destinations that each profile leads to; equal tuples are one object."""
    shared: dict[tuple[int, ...], tuple[int, ...]] = {}
    rows = _rows(
        NotificationProfile.destinations.through,
        "notificationprofile__",
        owners,
        "notificationprofile",
        "destinationconfig",
        # only the owner's own (one may have been moved to another user) that are still there
        destinationconfig__user=F("notificationprofile__user"),
        destinationconfig__disabled_at=None,
    )
    found = {}
    for profile, pairs in groupby(rows, itemgetter(0)):
        to = tuple(sorted(destination for _, destination in pairs))
        found[profile] = shared.setdefault(to, to)
    return found


def _rows(
    model: type[Model], profile: str, owners: _Owners, *columns: Any, **conditions: Any
) -> Iterable[tuple[Any, ...]]:
    """Return columns of what belongs to profiles that are on, ordered by the first."""
    rows = model._default_manager.filter(
        **{f"{profile}active": True, f"{profile}user__is_active": True}, **conditions
    )
    if owners is not None:
        rows = rows.filter(**{f"{profile}user__in": owners})
    return rows.order_by(columns[0]).values_list(*columns).iterator(_CHUNK)
