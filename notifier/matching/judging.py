"""Whether a profile wants an event, and if not, what said no: the plain, obvious evaluator."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from notifier.conditions import Facts
from notifier.matching.rules import Rule


@dataclass(frozen=True, slots=True)
class Refusal:
    """The first condition that said no: a stable word, and a sentence for people."""

    condition: str
    sentence: str


def judge(rule: Rule, facts: Facts, timestamp: dt.datetime, now: dt.datetime) -> Refusal | None:
    """Return None where the profile wants the event, else the first thing that said no.

    `timestamp` (the event's) decides about the timeslot, `now` about a pause.
    """
    if not rule.profile.active:
        return Refusal("inactive", "the profile is not active")
    if not rule.owner_active:
        return Refusal("owner", "the owner's account is not active")
    if rule.profile.paused_until and now < rule.profile.paused_until:
        return Refusal(
            "paused", f"the profile is paused until {rule.profile.paused_until:%F %R %Z}"
        )
    if facts.recipients is not None and rule.owner not in facts.recipients:
        return Refusal("recipients", "the event names other recipients")
    if refusal := _filters_refuse(rule, facts) or _timeslot_refuses(rule, timestamp):
        return refusal
    return (
        None
        if rule.destinations
        else Refusal("destination", "the profile has no destination that is in use")
    )


def _filters_refuse(rule: Rule, facts: Facts) -> Refusal | None:
    if not rule.filters:
        return Refusal("filter", "the profile has no filter")
    for name, conditions in rule.filters:
        if conditions is None:
            return Refusal("filter", f"filter “{name}” can't be read")
        if conditions.say_nothing:
            return Refusal("filter", f"filter “{name}” is empty")
        if key := conditions.first_refusal(facts, rule.owner):
            return Refusal(
                f"filter.{key}", f"filter “{name}”, {key}: {conditions.why_not(key, facts)}"
            )
    return None


def _timeslot_refuses(rule: Rule, timestamp: dt.datetime) -> Refusal | None:
    local = rule.local(timestamp)
    if any(recurrence.holds(local) for recurrence in rule.recurrences):
        return None
    return Refusal(
        "timeslot", f"timeslot “{rule.profile.timeslot.name}” is closed at {local:%a %R %Z}"
    )
