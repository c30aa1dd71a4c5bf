"""Incidents, events and acknowledgements as Argus's clients read them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery

from notifier.api.argus.reading import INFINITY
from notifier.models import Event, Incident, Source


def described(incidents: QuerySet[Incident]) -> QuerySet[Incident]:
    """Return incidents with the id of the event that says what their tags and metadata are."""
    events = Event.objects.filter(incident=OuterRef("pk"), type__in=Event.DESCRIBING)
    return incidents.annotate(described_by=Subquery(events.order_by("-sequence").values("pk")[:1]))


def show_incidents(incidents: Iterable[Incident], source: Source) -> list[dict[str, Any]]:
    """Return incidents of a source that are `described`."""
    found: list[Any] = list(incidents)
    events = Event.objects.in_bulk({each.described_by for each in found} - {None})
    return [show_incident(each, events.get(each.described_by), source) for each in found]


def show_incident(incident: Incident, by: Event | None, source: Source) -> dict[str, Any]:
    """Return an incident and what the event that describes it says."""
    end_time: Any = incident.end_time
    return {
        "pk": incident.pk,
        "start_time": incident.start_time,
        "end_time": INFINITY if incident.open else end_time,
        "source": {
            "pk": source.pk,
            "name": source.name,
            "type": {"name": source.type},
            "user": None,
            "base_url": source.base_url,
        },
        "source_incident_id": incident.incident_key,
        "details_url": incident.details_url,
        "description": incident.description,
        "level": incident.level,
        "ticket_url": incident.ticket_url,
        "metadata": by.metadata if by else {},
        "tags": [{"tag": tag} for tag in by.tags] if by else [],
        "stateful": incident.stateful,
        "open": incident.open,
        "acked": incident.acked,
    }


def show_event(event: Event, source: Source) -> dict[str, Any]:
    """Return an event of an incident."""
    return {
        "pk": event.pk,
        "incident": event.incident_id,
        "actor": {"pk": None, "username": event.actor or source.name},
        "timestamp": event.timestamp,
        "received": event.received,
        "type": {"value": event.type, "display": event.get_type_display()},
        "description": event.description,
    }


def show_ack(event: Event, source: Source) -> dict[str, Any]:
    """Return an acknowledgement: its event, and when it ends."""
    return {"pk": event.pk, "event": show_event(event, source), "expiration": event.expires}
