"""What a report must know of the incident that it belongs to."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from django.db.models import OuterRef, Subquery

from notifier.intake.schema import EventIn
from notifier.models import Event, Incident


@dataclass(slots=True)
class Thread:
    """An incident as a report meets it."""

    known: bool = False
    open: bool = False
    acked: bool = False
    told: bool = False
    """Whether an event that opened it is there: one can be known by an acknowledgement alone."""
    level: int = 0
    description: str = ""
    details_url: str = ""
    tags: Sequence[str] = field(default_factory=list)
    opened: dt.datetime | None = None
    """When it was opened last, by the sender's own clock; None where it did not say."""
    ended: dt.datetime | None = None
    """When it ended last, likewise."""
    closed: dt.datetime | None = None
    """When that was heard."""

    def hear(self, event: EventIn, now: dt.datetime) -> None:
        """Follow an event that will be stored."""
        if event.type in Event.OPENING:
            self.acked = self.acked and self.open
            self.open = self.told = True
            self.tags, self.details_url = event.tags, event.details_url or self.details_url
            self.opened = event.timestamp if event.source_event_id else None
        elif event.type in Event.CLOSING:
            self.open = False
            self.ended, self.closed = event.timestamp, now
        elif event.type == "ACK":
            self.acked = True
        if event.type in Event.OPENING or event.type == "CHI":
            self.level, self.description = event.level, event.description
        self.known = True


def threads_of(incidents: Mapping[str, Incident]) -> dict[str | None, Thread]:
    """Return locked incidents by key as reports meet them; two queries."""
    known = {each.pk: Thread() for each in incidents.values() if each.last_sequence}
    turns = _turns(known)
    threads: dict[str | None, Thread] = {}
    for key, incident in incidents.items():
        threads[key] = thread = known.get(incident.pk) or Thread()
        if not incident.last_sequence:
            continue  # made just now, or left over by what came to nothing
        thread.known, thread.open, thread.acked = True, incident.open, incident.acked
        thread.level, thread.description = incident.level, incident.description
        thread.details_url = incident.details_url
        opening, closing = turns[incident.pk]
        if opening:
            own = opening.source_event_id and opening.timestamp != opening.received
            thread.told, thread.tags = True, opening.tags
            thread.opened = opening.timestamp if own else None
        if closing:
            thread.ended, thread.closed = closing.timestamp, closing.received
    return threads


def _turns(incidents: Iterable[int]) -> dict[int, tuple[Event | None, Event | None]]:
    """Return the events by which incidents were opened and closed last."""

    def last(types: Iterable[str]) -> Subquery:
        events = Event.objects.filter(incident=OuterRef("pk"), type__in=types)
        return Subquery(events.order_by("-sequence").values("pk")[:1])

    rows = Incident.objects.filter(pk__in=list(incidents)).values_list(
        "pk", last(Event.OPENING), last(Event.CLOSING)
    )
    found = list(rows)
    events = Event.objects.in_bulk({each for row in found for each in row[1:] if each})
    return {pk: (events.get(opening), events.get(closing)) for pk, opening, closing in found}
