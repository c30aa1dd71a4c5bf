"""Trying a filter on what came last: what it would have let through, and why not the rest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from notifier.conditions import Conditions
from notifier.matching.rules import facts_of
from notifier.models import Delivery, Event

if TYPE_CHECKING:
    from django.contrib.auth.models import User

MOST_READ = 1000
"""So many of the newest events are read, however few of them the user may see."""
_CHUNK = 200


@dataclass(frozen=True, slots=True)
class Trial:
    """An event, and the first condition that said no to it, with what it asked for; both empty: none."""

    event: Event
    refused_by: str = ""
    why: str = ""


def try_conditions(conditions: Conditions, user: User, *, last: int) -> list[Trial]:
    """Judge the last events that a user may see, newest first, by conditions of theirs."""
    found: list[Trial] = []
    for event in _seen_by(user):
        found.append(_try(conditions, event, user.get_username()))
        if len(found) == last:
            break
    return found


def _try(conditions: Conditions, event: Event, owner: str) -> Trial:
    if conditions.say_nothing:
        return Trial(event, "empty", "a filter without a condition lets nothing through")
    facts = facts_of(event)
    key = conditions.first_refusal(facts, owner)
    return Trial(event, key, conditions.why_not(key, facts)) if key else Trial(event)


def _seen_by(user: User) -> Iterator[Event]:
    """Yield the newest events that name no recipients, or name the user, or were told to them."""
    newest = Event.objects.select_related("source").order_by("-received", "-pk")
    for start in range(0, MOST_READ, _CHUNK):
        events = list(newest[start : start + _CHUNK])
        told = set(
            Delivery.objects.filter(user=user, event__in=[each.pk for each in events]).values_list(
                "event", flat=True
            )
        )
        for event in events:
            named = event.recipients is None or user.get_username() in event.recipients
            if named or event.pk in told:
                yield event
        if len(events) < _CHUNK:
            return
