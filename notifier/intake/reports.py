"""What monitoring systems report: a state, over and over; what is told is that it changed.

Under the lock of its incident, `settle` says which event a report amounts to, if any. So a repeat
is not stored, an alarm that comes again after its end reopens its incident, and of two senders that
watch the same thing one is heard.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from notifier.ids import event_id_for
from notifier.intake.accepting import Accepted, accept
from notifier.intake.incidents import lock_incidents
from notifier.intake.recipients import check_recipients
from notifier.intake.schema import EventIn
from notifier.intake.threads import Thread, threads_of
from notifier.models import Event, Incident, Source

PORTION = 1000
"""Reports of one transaction; broken off between two, the same post goes on where it ended."""

GRACE = dt.timedelta(minutes=2)
"""So long after an end, a start that was told before is the straggler of a second sender."""


@dataclass(frozen=True, slots=True)
class Report:
    """An event as a format reads it, and how it is meant."""

    event: EventIn
    exact: bool = False
    """It is an event already: stored as it is, refused where its id was used for another body."""
    recurs: bool = False
    """Its id names a state, which may come again after its end; else a message, which may not."""
    bare: bool = False
    """It says only what became of its incident: level, text and tags are the incident's own."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of a report: an event with this id, or (without one) nothing that is new."""

    id: UUID | None
    repeated: bool


def settle(report: Report, thread: Thread, *, seen: bool, now: dt.datetime) -> EventIn | None:
    """Return the event that a report amounts to; None where it says nothing new.

    `seen` says that an event of its id is stored.
    """
    if seen and not report.recurs:
        return None
    event = _completed(report, thread)
    if event.type in Event.OPENING or (event.type == "CHI" and not thread.told):
        return _firing(event, thread, seen=seen, now=now)
    if event.type in Event.CLOSING:
        return None if _is_over(event, thread, seen=seen) else _renamed(event, seen=seen)
    if event.type == "ACK":
        return event if thread.known and thread.open and not thread.acked else None
    if event.type == "CHI" and thread.open and _says_the_same(event, thread):
        return None
    return event


def _firing(event: EventIn, thread: Thread, *, seen: bool, now: dt.datetime) -> EventIn | None:
    if thread.open and thread.told:
        if _says_the_same(event, thread):
            return None
        return event.model_copy(update={"type": "CHI", "timestamp": None, "source_event_id": None})
    if thread.open or not thread.known:
        return _renamed(event.model_copy(update={"type": "STA"}), seen=seen)
    if seen and thread.closed and now - thread.closed <= GRACE:
        return None
    again = event.model_copy(update={"type": "RES"})
    if event.timestamp and thread.ended and event.timestamp <= thread.ended:
        again = again.model_copy(update={"timestamp": None})  # it is open now, whenever it began
    return _renamed(again, seen=seen)


def _is_over(event: EventIn, thread: Thread, *, seen: bool) -> bool:
    """Say whether an end is none: nothing is open, or what is open began after it."""
    if not thread.known or not thread.open:
        return True
    if event.timestamp is None:
        return False
    again = seen and event.timestamp == thread.ended
    return again or (thread.opened is not None and event.timestamp < thread.opened)


def _renamed(event: EventIn, *, seen: bool) -> EventIn:
    """Return the event with an id of its own where its name has been used: the state is back."""
    if not seen:
        return event
    return event.model_copy(update={"source_event_id": None, "timestamp": None})


def _says_the_same(event: EventIn, thread: Thread) -> bool:
    return (event.level, event.description) == (thread.level, thread.description)


def _completed(report: Report, thread: Thread) -> EventIn:
    if not (report.bare and thread.known):
        return report.event
    return report.event.model_copy(
        update={
            "level": thread.level,
            "description": thread.description,
            "details_url": thread.details_url,
            "tags": list(thread.tags),
        }
    )


def take(reports: Sequence[Report], source: Source) -> list[Settled]:
    """Settle and store what a source reports, in its order.

    Stored by portions, each as a whole: a sender that hears of a failure posts all of it again, and
    what was stored is then a repeat. Events that are `exact` are stored all or none. Raises what
    `accept` does.
    """
    if reports and all(report.exact for report in reports):
        accepted = accept([report.event for report in reports], source, listed=len(reports) > 1)
        return [Settled(each.id, each.repeated) for each in accepted]
    return [
        settled
        for start in range(0, len(reports), PORTION)
        for settled in _take(reports[start : start + PORTION], source)
    ]


def _take(reports: Sequence[Report], source: Source) -> list[Settled]:
    events = [report.event for report in reports]
    check_recipients(events, listed=len(events) > 1)
    now = timezone.now()
    with transaction.atomic():
        incidents = lock_incidents(events, source, now)
        threads = threads_of(incidents)
        seen = _seen(events, source)
        told: list[EventIn | None] = []
        for report in reports:
            thread = threads.get(report.event.incident_key) or Thread()
            event = settle(report, thread, seen=_id_of(report.event, source) in seen, now=now)
            if event:
                thread.hear(event, now)
                seen.add(_id_of(event, source))
            told.append(event)
        accepted = iter(_accept([event for event in told if event], source))
        _forget_unused(incidents.values(), told)
    return [_settled(next(accepted)) if event else Settled(None, repeated=True) for event in told]


def _accept(events: Sequence[EventIn], source: Source) -> list[Accepted]:
    return accept(events, source) if events else []


def _settled(accepted: Accepted) -> Settled:
    return Settled(accepted.id, accepted.repeated)


def _id_of(event: EventIn, source: Source) -> UUID | None:
    return event_id_for(source.name, event.source_event_id) if event.source_event_id else None


def _seen(events: Iterable[EventIn], source: Source) -> set[UUID | None]:
    """Return the ids of stored events that these would have."""
    ids = {found for event in events if (found := _id_of(event, source))}
    if not ids:
        return set()
    return set(Event.objects.filter(pk__in=ids).values_list("pk", flat=True))


def _forget_unused(incidents: Iterable[Incident], told: Iterable[EventIn | None]) -> None:
    """Delete the incidents that were made to be locked, and of which nothing was told."""
    used = {event.incident_key for event in told if event}
    unused = [
        each.pk for each in incidents if not each.last_sequence and each.incident_key not in used
    ]
    if unused:
        Incident.objects.filter(pk__in=unused, last_sequence=0).delete()
