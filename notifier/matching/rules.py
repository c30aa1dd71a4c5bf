"""Profiles as rules: everything that judging needs, loaded in a constant number of queries."""

from __future__ import annotations

import datetime as dt
import logging
import zoneinfo
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Prefetch, QuerySet

from notifier.conditions import Conditions, Facts, parse_conditions, tag_values
from notifier.models import DestinationConfig, Event, Filter, NotificationProfile, TimeRecurrence
from notifier.models.person import zone_of

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Rule:
    """One profile, ready to be judged."""

    profile: NotificationProfile
    owner: str
    owner_active: bool
    zone: zoneinfo.ZoneInfo
    recurrences: tuple[TimeRecurrence, ...]
    filters: tuple[tuple[str, Conditions | None], ...]
    """Name and conditions; None where they can't be read, so that nothing matches."""
    destinations: tuple[DestinationConfig, ...]

    def local(self, moment: dt.datetime) -> dt.datetime:
        """Return a moment on the owner's wall clock."""
        return moment.astimezone(self.zone)


def facts_of(event: Event) -> Facts:
    """Flatten an event, its `source` loaded, for conditions to look at."""
    return Facts(
        source_id=event.source_id,
        source=event.source.name,
        source_type=event.source.type,
        type=event.type,
        level=event.level,
        tags=tag_values(event.tags),
        open=event.open,
        acked=event.acked,
        stateful=event.open is not None,
        recipients=None if event.recipients is None else frozenset(event.recipients),
    )


def load_rules(profiles: QuerySet[NotificationProfile] | None = None) -> list[Rule]:
    """Return profiles (every active one where none are given) as rules, in five queries."""
    if profiles is None:
        profiles = NotificationProfile.objects.filter(active=True)
    profiles = profiles.select_related("user__notifier_preferences", "timeslot").prefetch_related(
        "timeslot__recurrences",
        Prefetch("filters", Filter.objects.order_by("pk")),
        Prefetch("destinations", DestinationConfig.objects.order_by("pk")),
    )
    return [_rule(profile) for profile in profiles.order_by("pk")]


def _rule(profile: NotificationProfile) -> Rule:
    return Rule(
        profile=profile,
        owner=profile.user.get_username(),
        owner_active=profile.user.is_active,
        zone=zone_of(profile.user),
        recurrences=tuple(profile.timeslot.recurrences.all()),
        filters=tuple(_conditions(profile.filters.all())),
        # only the owner's own (one may have been moved to another user) that are still there
        destinations=tuple(
            each
            for each in profile.destinations.all()
            if each.user_id == profile.user_id and not each.disabled_at
        ),
    )


def _conditions(filters: Iterable[Filter]) -> Iterable[tuple[str, Conditions | None]]:
    for each in filters:
        try:
            yield each.name, parse_conditions(each.conditions)
        except ValueError:
            yield each.name, None
