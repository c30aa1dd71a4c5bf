"""What Argus's official client asks for, and what it is answered."""

from __future__ import annotations

from typing import Any, NoReturn
from uuid import UUID

from django.db.models import QuerySet

from notifier.api.argus import reading, writing
from notifier.api.argus.answering import Asked, Refused, not_found
from notifier.api.argus.showing import described, show_ack, show_event, show_incidents
from notifier.intake.heartbeats import beat
from notifier.models import Event, Incident

MOST_EVENTS = 1000
"""Of one incident's events these are shown, the newest."""

Answer = tuple[int, Any]


def create_incident(asked: Asked) -> Answer:
    """Open an incident."""
    return 201, _show(asked, writing.create(asked.body, asked.source).pk)


def retrieve_incident(asked: Asked, pk: int) -> Answer:
    """Return one incident."""
    return 200, _show(asked, pk)


def change_incident(asked: Asked, pk: int) -> Answer:
    """Change an incident and return it."""
    return 200, _show(asked, writing.change(pk, asked.body, asked.source).pk)


def set_ticket_url(asked: Asked, pk: int) -> Answer:
    """Give an incident a ticket, or another."""
    if "ticket_url" not in asked.body:
        raise Refused(400, {"ticket_url": ["This field is required; it may be empty."]})
    changed = {"ticket_url": asked.body["ticket_url"]}
    writing.change(pk, changed, asked.source)
    return 200, reading.editable(changed, asked.source, changed)


def list_events(asked: Asked, pk: int) -> Answer:
    """Return an incident's newest events."""
    events = _events(asked, pk)[:MOST_EVENTS]
    return 200, [show_event(event, asked.source) for event in events]


def create_event(asked: Asked, pk: int) -> Answer:
    """Add an event to an incident."""
    return 201, show_event(writing.post_event(pk, asked.body, asked.source), asked.source)


def retrieve_event(asked: Asked, pk: int, event: UUID) -> Answer:
    """Return one event of an incident."""
    return 200, show_event(_one(_events(asked, pk), event, "event"), asked.source)


def list_acks(asked: Asked, pk: int) -> Answer:
    """Return an incident's newest acknowledgements."""
    acks = _acks(asked, pk)[:MOST_EVENTS]
    return 200, [show_ack(event, asked.source) for event in acks]


def create_ack(asked: Asked, pk: int) -> Answer:
    """Acknowledge an incident."""
    return 201, show_ack(writing.acknowledge(pk, asked.body, asked.source), asked.source)


def retrieve_ack(asked: Asked, pk: int, event: UUID) -> Answer:
    """Return one acknowledgement of an incident."""
    return 200, show_ack(_one(_acks(asked, pk), event, "acknowledgement"), asked.source)


def heartbeat(asked: Asked) -> Answer:
    """Note that a source is alive."""
    beat(asked.source)
    return 204, None


def anything_else(_asked: Asked) -> NoReturn:
    """Say that it is not there."""
    raise Refused(404, {"detail": "Not found; docs/argus.md says what of Argus's API there is."})


def _show(asked: Asked, pk: int) -> dict[str, Any]:
    found = described(Incident.objects.filter(source=asked.source, pk=pk))
    for shown in show_incidents(found, asked.source):
        return shown
    raise not_found("incident")


def _events(asked: Asked, pk: int) -> QuerySet[Event]:
    if not Incident.objects.filter(source=asked.source, pk=pk).exists():
        raise not_found("incident")
    return Event.objects.filter(incident=pk).order_by("-sequence")


def _acks(asked: Asked, pk: int) -> QuerySet[Event]:
    return _events(asked, pk).filter(type=Event.Type.ACKNOWLEDGE)


def _one(events: QuerySet[Event], pk: UUID, what: str) -> Event:
    found = events.filter(pk=pk).first()
    if found is None:
        raise not_found(what)
    return found
