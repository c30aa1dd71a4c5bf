"""How events change the incident they belong to."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence

from notifier.intake.schema import EventIn
from notifier.models import Event, Incident, Source


def lock_incidents(
    events: Sequence[EventIn], source: Source, now: dt.datetime
) -> dict[str, Incident]:
    """Return the incidents of stateful events by key, made where missing, locked until commit.

    The lock makes an event's sequence the order of acceptance. Locked in one order, so that two
    lists can't wait for each other.
    """
    first = {event.incident_key: event for event in reversed(events) if event.incident_key}
    if not first:
        return {}
    locked = _make_and_lock(first, source, now)
    if len(locked) < len(first):  # one was there, and purged before it could be locked
        locked = _make_and_lock(first, source, now)
    return locked


def _make_and_lock(
    first: Mapping[str, EventIn], source: Source, now: dt.datetime
) -> dict[str, Incident]:
    Incident.objects.bulk_create(
        [
            Incident(
                source=source,
                incident_key=key,
                description=event.description,
                details_url=event.details_url,
                level=event.level,
                start_time=min(event.timestamp or now, now),
            )
            for key, event in sorted(first.items())
        ],
        ignore_conflicts=True,
    )
    locked = Incident.objects.filter(source=source, incident_key__in=first)
    return {each.incident_key: each for each in locked.order_by("pk").select_for_update()}


def apply(event: Event, incident: Incident) -> None:
    """Let an event change its incident, and note on the event where that left the incident."""
    incident.last_sequence += 1
    if event.type in Event.OPENING:
        _open(event, incident)
    elif event.type in Event.CLOSING:
        incident.open = False
        # not in the future, however the source's clock goes: the next start would count as late
        incident.end_time = max(min(event.timestamp, event.received), incident.start_time)
    elif event.type == Event.Type.ACKNOWLEDGE:
        incident.acked = True
    elif event.type == Event.Type.CHANGE:
        incident.level = event.level
        incident.description = event.description
    event.incident = incident
    event.sequence = incident.last_sequence
    event.open = incident.open
    event.acked = incident.acked


def _open(event: Event, incident: Incident) -> None:
    late = incident.end_time is not None and event.timestamp <= incident.end_time
    if late and event.type == Event.Type.START:
        incident.start_time = min(event.timestamp, incident.start_time)
        return  # a start that arrives after its own end reopens nothing
    incident.open = True
    incident.acked = incident.acked and incident.end_time is None
    incident.end_time = None
    incident.level = event.level
    incident.description = event.description
    incident.details_url = event.details_url or incident.details_url


def save_incidents(incidents: Iterable[Incident]) -> None:
    """Write what `apply` changed, in one statement."""
    # They are there, and locked: an upsert is how many rows are given values of their own at once.
    Incident.objects.bulk_create(
        incidents,
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=[
            "acked",
            "description",
            "details_url",
            "end_time",
            "last_sequence",
            "level",
            "open",
            "start_time",
        ],
    )
