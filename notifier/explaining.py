"""Why somebody was told of an event, or was not: what `notifier explain` says.

Profiles are judged as they are now. What they led to when the event was matched is on its
deliveries; where the two differ, or a profile changed since, the answer says so.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import UUID

from django.db.models import Max, Q, QuerySet
from django.utils import timezone

from notifier.matching.current import current_matcher
from notifier.matching.judging import Refusal, judge
from notifier.matching.openings import next_opening
from notifier.matching.rules import Rule, facts_of, load_rules
from notifier.models import Attempt, Change, Delivery, Event, NotificationProfile

_CHUNK = 500
"""Profiles that are loaded at once."""


@dataclass(frozen=True, slots=True)
class Try:
    """One attempt, and what the other side answered."""

    number: int
    started_at: dt.datetime
    duration_ms: int
    worker: str
    outcome: str
    reason: str
    answer: str


@dataclass(frozen=True, slots=True)
class History:
    """One delivery of the event, with its tries."""

    id: int
    user: str
    medium: str
    destination: str
    """Its label: no address, unless its owner wrote one into it."""
    kind: str
    state: str
    reason: str
    due_at: dt.datetime
    finished_at: dt.datetime | None
    profiles: tuple[int, ...]
    """Those that led there when the event was matched."""
    tries: tuple[Try, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one profile says of the event."""

    profile: int
    name: str
    user: str
    matches: bool
    """Whether it wants the event, as it is now."""
    condition: str
    """The first that said no, as a stable word: `timeslot`, `filter.tags`, `paused`, …; or empty."""
    sentence: str
    opens: dt.datetime | None
    """When its timeslot opens next, where that said no."""
    told: bool
    """Whether it led to a delivery when the event was matched."""
    changed: dt.datetime | None
    """When its owner's profiles, or what these rest on, changed last since the event was matched."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """What became of an event: for some users, or for all whom it reached or would reach now."""

    event: UUID
    sentence: str
    """How far it has come."""
    at: dt.datetime
    """The moment for which timeslots are judged: the event's own, unless another was asked for."""
    verdicts: tuple[Verdict, ...]
    others: int
    """How many profiles more there are, each of which says no."""
    deliveries: tuple[History, ...] = field(default=())

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return asdict(self)


def explain(
    event: Event, *, users: Collection[Any] | None = None, at: dt.datetime | None = None
) -> Explanation:
    """Explain an event, its `source` loaded, to some users (every profile of theirs), or in general.

    In general, only profiles are judged that it reached, or would reach now: `verdicts` judges the
    others, which may be many. `at` asks what if it had happened then.
    """
    deliveries = Delivery.objects.filter(event=event)
    if users is not None:
        deliveries = deliveries.filter(user__in=users)
    histories = tuple(_histories(deliveries))
    everyone = NotificationProfile.objects.all()
    if users is None:
        reached = {pk for history in histories for pk in history.profiles}
        chosen = everyone.filter(pk__in=reached | _matching(event, at))
    else:
        chosen = everyone = everyone.filter(user__in=users)
    found = tuple(_judged(event, chosen, histories, at))
    return Explanation(
        event=event.pk,
        sentence=_progress(event),
        at=at or event.timestamp,
        verdicts=found,
        others=everyone.count() - len(found),
        deliveries=histories,
    )


def verdicts(event: Event, *, at: dt.datetime | None = None) -> Iterator[Verdict]:
    """Judge every profile there is, some at a time: a millisecond each."""
    histories = tuple(_histories(Delivery.objects.filter(event=event)))
    yield from _judged(event, NotificationProfile.objects.all(), histories, at)


def _matching(event: Event, at: dt.datetime | None) -> set[int]:
    with current_matcher() as matcher:
        return {each.pk for each in matcher.match(facts_of(event), at or event.timestamp, at)}


def _judged(
    event: Event,
    profiles: QuerySet[NotificationProfile],
    histories: Sequence[History],
    at: dt.datetime | None,
) -> Iterator[Verdict]:
    told = {pk for history in histories for pk in history.profiles}
    last = 0
    while rules := _chunk(profiles, last):
        changed = _changes(event, {str(rule.profile.user_id) for rule in rules})
        for rule in rules:
            yield _verdict(rule, event, at, told=rule.profile.pk in told, changed=changed(rule))
        last = rules[-1].profile.pk


def _chunk(profiles: QuerySet[NotificationProfile], after: int) -> list[Rule]:
    keys = list(profiles.filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)[:_CHUNK])
    return load_rules(NotificationProfile.objects.filter(pk__in=keys)) if keys else []


def _verdict(
    rule: Rule, event: Event, at: dt.datetime | None, *, told: bool, changed: dt.datetime | None
) -> Verdict:
    moment = at or event.timestamp
    refusal = judge(rule, facts_of(event), moment, at or timezone.now())
    opens = None
    if refusal and refusal.condition == "timeslot":
        opens = next_opening(rule.recurrences, rule.zone, moment)
    return Verdict(
        profile=rule.profile.pk,
        name=rule.profile.name,
        user=rule.owner,
        matches=refusal is None,
        condition=refusal.condition if refusal else "",
        sentence=_sentence(refusal, opens, event, told=told),
        opens=opens,
        told=told,
        changed=changed,
    )


def _sentence(
    refusal: Refusal | None, opens: dt.datetime | None, event: Event, *, told: bool
) -> str:
    if refusal:
        sentence = refusal.sentence
        if refusal.condition == "timeslot":
            sentence += f", opens next {opens:%a %F %R %Z}" if opens else " and never opens"
        return f"it led to a delivery, but would not now: {sentence}" if told else sentence
    if told:
        return "it wants the event, and led to a delivery"
    if event.state == Event.State.ACCEPTED:
        return "it wants the event, which waits to be matched"
    if event.state == Event.State.DISPATCHED:
        return "it wants the event as it is now, but led to no delivery when that was matched"
    return "it wants the event"


def _progress(event: Event) -> str:
    match event.state:
        case Event.State.ACCEPTED:
            return "waits to be matched"
        case Event.State.LATE:
            return "nobody is told of it: a start that came after its own end"
        case Event.State.QUARANTINED:
            return "could not be matched, and is set aside; the log says why, the admin matches it again"
    took_s = (event.dispatched_at - event.received).total_seconds() if event.dispatched_at else 0
    return f"matched {max(took_s, 0):.1f} s after it was accepted"


def _changes(event: Event, owners: Collection[str]) -> Any:
    """Return a function that says of a rule when it may have changed last since the event was matched.

    The log of changes is kept for a day.
    """
    if event.dispatched_at is None:
        return lambda _rule: None
    since = Change.objects.filter(at__gt=event.dispatched_at)
    rows = since.filter(Q(owner=None) | Q(owner__in=owners)).values_list("owner")
    last = dict(rows.annotate(last=Max("at")).order_by())

    def changed(rule: Rule) -> dt.datetime | None:
        moments = (last.get(str(rule.profile.user_id)), last.get(None))
        return max((each for each in moments if each), default=None)

    return changed


def _histories(rows: QuerySet[Delivery]) -> Iterator[History]:
    for row in rows.select_related("user").prefetch_related("tries").order_by("pk"):
        yield History(
            id=row.pk,
            user=row.user.get_username(),
            medium=row.medium,
            destination=row.destination_label,
            kind=row.kind,
            state=row.state,
            reason=row.reason,
            due_at=row.due_at,
            finished_at=row.finished_at,
            profiles=tuple(row.profiles),
            tries=tuple(map(_try, row.tries.all())),
        )


def _try(row: Attempt) -> Try:
    return Try(
        number=row.number,
        started_at=row.started_at,
        duration_ms=row.duration_ms,
        worker=row.worker,
        outcome=row.outcome,
        reason=row.reason,
        answer=row.answer,
    )
