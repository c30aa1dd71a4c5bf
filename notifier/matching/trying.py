"""Trying a filter on what came last: what it would have let through, and why not the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from notifier.conditions import Conditions
from notifier.matching.rules import facts_of
from notifier.models import Event
from notifier.visibility import visible_events

if TYPE_CHECKING:
    from django.contrib.auth.models import User

MOST_READ = 1000
"""So many of the newest events are read, however few of them the user may see."""


@dataclass(frozen=True, slots=True)
class Trial:
    """An event, and the first condition that said no to it, with what it asked for; both empty: none."""

    event: Event
    refused_by: str = ""
    why: str = ""


def try_conditions(conditions: Conditions, user: User, *, last: int) -> list[Trial]:
    """Judge the last events that a user may see, newest first, by conditions of theirs."""
    newest = Event.objects.order_by("-received", "-pk")
    read = Event.objects.filter(pk__in=newest.values("pk")[:MOST_READ])
    seen = visible_events(user, read).select_related("source").order_by("-received", "-pk")
    return [_try(conditions, event, user.get_username()) for event in seen[:last]]


def _try(conditions: Conditions, event: Event, owner: str) -> Trial:
    if conditions.say_nothing:
        return Trial(event, "empty", "a filter without a condition lets nothing through")
    facts = facts_of(event)
    key = conditions.first_refusal(facts, owner)
    return Trial(event, key, conditions.why_not(key, facts)) if key else Trial(event)
