"""How events change the incident they belong to."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence

from django.db import transaction
from django.db.models.functions import Now

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
    if incident.ack_expires and incident.ack_expires <= event.received:
        incident.acked, incident.ack_expires = False, None
    if event.type in Event.OPENING:
        _open(event, incident)
    elif event.type in Event.CLOSING:
        _close(event, incident)
    elif event.type == Event.Type.STATELESS:
        incident.open = False
    elif event.type == Event.Type.ACKNOWLEDGE:
        _acknowledge(event, incident)
    elif event.type == Event.Type.CHANGE:
        incident.level = event.level
        incident.description = event.description
    event.incident = incident
    event.sequence = incident.last_sequence
    event.open = incident.open if incident.stateful else None
    event.acked = incident.acked


def _open(event: Event, incident: Incident) -> None:
    late = incident.end_time is not None and event.timestamp <= incident.end_time
    if late and event.type == Event.Type.START:
        incident.start_time = min(event.timestamp, incident.start_time)
        return  # a start that arrives after its own end reopens nothing
    incident.open = True
    if incident.end_time is not None:
        incident.acked, incident.ack_expires = False, None
    incident.end_time = None
    incident.level = event.level
    incident.description = event.description
    incident.details_url = event.details_url or incident.details_url


def _close(event: Event, incident: Incident) -> None:
    if not incident.stateful:
        return
    incident.open = False
    # not in the future, however the source's clock goes: the next start would count as late
    incident.end_time = max(min(event.timestamp, event.received), incident.start_time)


def _acknowledge(event: Event, incident: Incident) -> None:
    """Acknowledge until the last of all acknowledgements expires."""
    if event.expires and event.expires <= event.received:
        return
    for_ever = incident.acked and incident.ack_expires is None
    if for_ever or event.expires is None:
        incident.ack_expires = None
    else:
        incident.ack_expires = max(event.expires, incident.ack_expires or event.expires)
    incident.acked = True


def save_incidents(incidents: Iterable[Incident]) -> None:
    """Write what `apply` changed, in one statement."""
    # They are there, and locked: an upsert is how many rows are given values of their own at once.
    Incident.objects.bulk_create(
        incidents,
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=[
            "ack_expires",
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


MOST_LAPSING = 1000


def lapse_acknowledgements() -> dict[str, int]:
    """Let acknowledgements end whose time is over, `MOST_LAPSING` at once; return counts.

    Nobody is told: whoever asks for what is not acknowledged hears of the incident's next event.
    """
    over = Incident.objects.filter(ack_expires__lte=Now())
    found = list(over.values_list("pk", flat=True)[:MOST_LAPSING])
    if not found:
        return {"lapsed": 0}
    with transaction.atomic():
        # what is locked is being changed, and the next time looked at again
        locked = over.filter(pk__in=found).select_for_update(skip_locked=True)
        free = list(locked.values_list("pk", flat=True))
        lapsed = over.filter(pk__in=free).update(acked=False, ack_expires=None)
    return {"lapsed": lapsed}
