"""Accepting events: from here on an event is never lost."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence, Set
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import repeat
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from notifier.errors import ConflictingEvent
from notifier.ids import event_id_for
from notifier.intake.incidents import apply, lock_incidents, save_incidents
from notifier.intake.recipients import check_recipients
from notifier.intake.schema import EventIn
from notifier.intake.storing import MOST_AT_ONCE, insert
from notifier.models import Event, Source
from notifier.queueing import get_queue


@dataclass(frozen=True, slots=True)
class Accepted:
    """An event that is stored; `repeated` where it already was."""

    id: UUID
    repeated: bool


def accept(
    events: Sequence[EventIn],
    source: Source,
    *,
    ids: Sequence[UUID] | None = None,
    listed: bool = False,
) -> list[Accepted]:
    """Store events and ask for their dispatch; all of them, or none.

    `ids` are for events without a `source_event_id`: with them, what is posted twice (a queue's
    message that comes again) is one event all the same. `listed` says that a problem is named by
    its event's place, even of one event.

    Part of the caller's transaction where there is one; then it is the caller's commit that
    accepts. The queue hears of it only after the commit.

    Raises `InvalidEvent` for a recipient who doesn't exist and `ConflictingEvent` for an id that
    belongs to another event.
    """
    check_recipients(events, listed=listed or len(events) > 1)
    now = timezone.now()
    rows = [
        _row(event, source, now, event_id_for(source.name, event.source_event_id, fallback))
        for event, fallback in zip(events, ids or repeat(None), strict=False)
    ]
    named = {row.id for row in rows if row.source_event_id or ids}

    # A function, no partial: Django logs a failing callback by its name.
    def nudge() -> None:
        get_queue().dispatch(list(fresh))

    with _transaction(events, named):
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


def _transaction(events: Sequence[EventIn], named: set[UUID]) -> AbstractContextManager[None]:
    """Return what keeps the statements together; one is whole without two trips more to say so."""
    alone = not named and not any(event.incident_key for event in events)
    if alone and len(events) <= MOST_AT_ONCE and not connection.in_atomic_block:
        return nullcontext()
    return transaction.atomic()


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
    # The named ones in one order, so that two lists can't wait for each other.
    ordered = sorted(fresh.values(), key=lambda row: row.id.int if row.id in named else 0)
    meanwhile = fresh.keys() - insert(ordered)
    for event_id, body in _stored_bodies(meanwhile).items():
        if fresh.pop(event_id).body_sha256 != body:
            raise ConflictingEvent(event_id)


def _stored_bodies(ids: Set[UUID]) -> dict[UUID, str]:
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
