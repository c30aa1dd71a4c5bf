"""Accepting events: from here on an event is never lost."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import repeat
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from notifier.errors import ConflictingEvent
from notifier.ids import event_id_for
from notifier.intake.incidents import apply, lock_incidents, save_incidents
from notifier.intake.recipients import check_recipients
from notifier.intake.schema import EventIn
from notifier.models import Event, Source
from notifier.queueing import get_queue


@dataclass(frozen=True, slots=True)
class Accepted:
    """An event that is stored; `repeated` where it already was."""

    id: UUID
    repeated: bool


def accept(
    events: Sequence[EventIn], source: Source, *, ids: Sequence[UUID] | None = None
) -> list[Accepted]:
    """Store events and ask for their dispatch; all of them, or none.

    `ids` are for events without a `source_event_id`: with them, what is posted twice (a queue's
    message that comes again) is one event all the same.

    Part of the caller's transaction where there is one; then it is the caller's commit that
    accepts. The queue hears of it only after the commit.

    Raises `InvalidEvent` for a recipient who doesn't exist and `ConflictingEvent` for an id that
    belongs to another event.
    """
    check_recipients(events)
    now = timezone.now()
    rows = [
        _row(event, source, now, event_id_for(source.name, event.source_event_id, fallback))
        for event, fallback in zip(events, ids or repeat(None), strict=False)
    ]
    named = {row.id for row in rows if row.source_event_id or ids}

    # A function, no partial: Django logs a failing callback by its name.
    def nudge() -> None:
        get_queue().dispatch(list(fresh))

    with transaction.atomic():
        # Locked before looking for repeats: the loser of a race then sees the winner's event.
        incidents = lock_incidents(events, source, now)
        fresh = _without_repeats(rows, named)
        for event, row in zip(events, rows, strict=True):
            if event.incident_key and row.id in fresh and fresh[row.id] is row:
                apply(row, incidents[event.incident_key])
        save_incidents(incidents.values())
        _insert(fresh, named)
        if fresh:
            transaction.on_commit(nudge, robust=True)
    return [Accepted(row.id, repeated=fresh.get(row.id) is not row) for row in rows]


def _without_repeats(rows: Iterable[Event], named: set[UUID]) -> dict[UUID, Event]:
    """Return the rows that are new, by id; raise `ConflictingEvent` for a known id's other body."""
    bodies = _stored_bodies(named)
    fresh: dict[UUID, Event] = {}
    for row in rows:
        if row.id not in bodies:
            bodies[row.id] = row.body_sha256
            fresh[row.id] = row
        elif bodies[row.id] != row.body_sha256:
            raise ConflictingEvent(row.id)
    return fresh


def _insert(fresh: dict[UUID, Event], named: set[UUID]) -> None:
    """Insert; what another process inserted meanwhile is fresh no more, if the bodies agree."""
    Event.objects.bulk_create([row for row in fresh.values() if row.id not in named])
    # In one order, so that two lists can't wait for each other.
    raced = [fresh[each] for each in sorted(named & fresh.keys())]
    Event.objects.bulk_create(raced, ignore_conflicts=True)
    stored = Event.objects.only("body_sha256", "received").in_bulk([row.id for row in raced])
    for row in raced:
        if stored[row.id].body_sha256 != row.body_sha256:
            raise ConflictingEvent(row.id)
        if stored[row.id].received != row.received:  # the winner's
            del fresh[row.id]


def _stored_bodies(ids: set[UUID]) -> dict[UUID, str]:
    if not ids:
        return {}
    return dict(Event.objects.filter(pk__in=ids).values_list("pk", "body_sha256"))


def _row(event: EventIn, source: Source, now: dt.datetime, event_id: UUID) -> Event:
    return Event(
        id=event_id,
        source=source,
        source_event_id=event.source_event_id or "",
        body_sha256=event.body_sha256(),
        type=event.type,
        level=event.level,
        description=event.description,
        tags=event.tags,
        timestamp=event.timestamp or now,
        received=now,
        details_url=event.details_url,
        metadata=event.metadata,
        actor=event.actor,
        recipients=event.recipients,
        expires=event.expires,
        traceparent=event.traceparent,
    )
