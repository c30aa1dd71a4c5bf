"""Profiles, loaded into an index: a constant number of queries, without a model of any row."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from django.contrib.auth import get_user_model
from django.db.models import Manager, TextField
from django.db.models.functions import Cast

from notifier.matching.index import Index, Owner, Profile
from notifier.matching.wanted import Wanted
from notifier.matching.weeks import NEVER, Recurrence, Week, compile_week
from notifier.models import DestinationConfig, Filter, NotificationProfile, TimeRecurrence
from notifier.models.person import zone_named

_CHUNK = 5000
"""Rows that are fetched at once."""
_Owners = Collection[object] | None


class ProfileRow(NamedTuple):
    """A profile that is on, of an owner whose account is active."""

    user: Any
    name: str
    zone: str | None
    pk: int
    timeslot: int
    paused_until: dt.datetime | None


@dataclass(slots=True)
class Tables:
    """What profiles are made of, by primary keys."""

    profiles: Iterable[ProfileRow]
    """Each owner's in one piece."""
    recurrences: dict[int, set[Recurrence]]
    """By timeslot."""
    conditions: dict[int, str]
    """A filter's JSON."""
    filters: dict[int, list[int]]
    """By profile."""
    destinations: dict[int, list[int]]
    """By profile."""
    in_use: dict[int, object]
    """The destinations that are not disabled, and whose they are."""


def load(index: Index, owners: _Owners = None) -> None:
    """Put the profiles of some owners, by primary key, into an index that has none of theirs.

    All owners' where none are given.
    """
    fill(index, _read(owners))


def resting_on(owners: Collection[Any]) -> set[object]:
    """Return whose profiles rest on what some owners have: a filter or a timeslot may be another's."""
    profiles = NotificationProfile.objects.order_by().values_list("user", flat=True).distinct()
    by_filter = profiles.filter(filters__user__in=owners)
    return {*by_filter, *profiles.filter(timeslot__user__in=owners)}


def fill(index: Index, tables: Tables) -> None:
    """Put profiles into an index.

    Left out is whatever can't match: what has no filter or one that can't be read, no destination
    in use, or a timeslot that never opens.
    """
    weeks = _weeks(tables.recurrences)
    wanted = {pk: index.conditions(text) for pk, text in tables.conditions.items()}
    zones: dict[str | None, zoneinfo.ZoneInfo] = {}
    shared: dict[tuple[int, ...], tuple[int, ...]] = {}
    for user, rows in groupby(tables.profiles, itemgetter(0)):
        found: list[Profile] = []
        for row in map(ProfileRow._make, rows):
            if row.zone not in zones:
                zones[row.zone] = zone_named(row.zone, user)
            if not found:
                owner = Owner(user, row.name, zones[row.zone])
            filters = _all(wanted, tables.filters.get(row.pk, ()))
            week = weeks.get(row.timeslot, NEVER)
            # only the owner's own (one may have been moved to another user) that are in use
            led_to = tables.destinations.get(row.pk, ())
            to = tuple(sorted(each for each in led_to if tables.in_use.get(each) == user))
            if filters and week and to:
                found.append(
                    Profile(
                        row.pk,
                        owner,
                        wanted=filters,
                        week=week,
                        paused_until=row.paused_until,
                        destinations=shared.setdefault(to, to),
                    )
                )
        if found:
            index.add(owner, found)
    index.drop_unused()


def _all(wanted: dict[int, Wanted | None], filters: Sequence[int]) -> tuple[Wanted, ...]:
    """Return the conditions of some filters; none where one of them never holds."""
    found = [each for pk in filters if (each := wanted.get(pk))]
    return tuple(found) if len(found) == len(filters) else ()


def _weeks(recurrences: dict[int, set[Recurrence]]) -> dict[int, Week]:
    """Return when each timeslot is open; what is equal is compiled once."""
    compiled: dict[frozenset[Recurrence], Week] = {}
    weeks = {}
    for timeslot, each in recurrences.items():
        key = frozenset(each)
        if (week := compiled.get(key)) is None:
            week = compiled[key] = compile_week(key)
        weeks[timeslot] = week
    return weeks


def _read(owners: _Owners) -> Tables:
    recurrences: dict[int, set[Recurrence]] = defaultdict(set)
    columns = ("timeslot", "days", "start", "end")
    for timeslot, *each in _rows(
        TimeRecurrence.objects, "timeslot__profiles__user", owners, *columns
    ):
        recurrences[timeslot].add(tuple(each))
    text = Cast("conditions", TextField())
    filters, destinations = NotificationProfile.filters, NotificationProfile.destinations
    disabled = {"disabled_at": None}
    return Tables(
        profiles=_profiles(owners),
        recurrences=recurrences,
        conditions=dict(_rows(Filter.objects, "profiles__user", owners, "pk", text)),
        filters=_by_profile(filters.through.objects, "filter", owners),
        destinations=_by_profile(destinations.through.objects, "destinationconfig", owners),
        in_use=dict(
            _rows(DestinationConfig.objects, "profiles__user", owners, "pk", "user", **disabled)
        ),
    )


def _profiles(owners: _Owners) -> Iterable[Any]:
    columns = (
        "user",
        f"user__{get_user_model().USERNAME_FIELD}",
        "user__notifier_preferences__time_zone",
        "pk",
        "timeslot",
        "paused_until",
    )
    conditions: dict[str, Any] = {"active": True}
    if active := active_field():
        conditions[f"user__{active}"] = True
    return _rows(NotificationProfile.objects, "user", owners, *columns, **conditions)


def active_field() -> str | None:
    """Return the column that says whether a user's account is active.

    A host's own model need not have one (`AbstractBaseUser` has none); a property is asked before sending.
    """
    names = {each.name for each in get_user_model()._meta.concrete_fields}
    return "is_active" if "is_active" in names else None


def _by_profile(manager: Manager[Any], column: str, owners: _Owners) -> dict[int, list[int]]:
    columns = ("notificationprofile", column)
    rows = _rows(manager, "notificationprofile__user", owners, *columns)
    return {pk: [each for _, each in found] for pk, found in groupby(rows, itemgetter(0))}


def _rows(
    manager: Manager[Any], owner: str, owners: _Owners, *columns: Any, **conditions: Any
) -> Iterable[tuple[Any, ...]]:
    """Return columns of what belongs to some owners, ordered by the first.

    Without joins where all is loaded: PostgreSQL plans these badly as long as it has not looked
    at tables that were just filled.
    """
    rows = manager.filter(**conditions)
    if owners is not None:
        rows = rows.filter(**{f"{owner}__in": owners}).distinct()
    return rows.order_by(columns[0]).values_list(*columns).iterator(_CHUNK)
