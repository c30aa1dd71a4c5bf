"""Dispatch: accepted events become one delivery per destination that is to be told."""

from __future__ import annotations

import datetime as dt
import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from django.db import transaction
from django.db.models import Case, F, Value, When
from django.db.models.functions import Now

from notifier import conf
from notifier.delivering.claiming import waiting_events
from notifier.errors import Reason, frames
from notifier.matching.current import Matcher, current_matcher, warm_up
from notifier.matching.destinations import Told
from notifier.matching.rules import facts_of
from notifier.media.registry import find_medium
from notifier.models import Delivery, Event
from notifier.queueing import get_queue

log = logging.getLogger(__name__)

MAX_TRIES = 3
MAX_DELIVERIES = 10_000
"""After so many a batch takes no further event: its transaction must end in time and in memory."""

_Led = dict[int, list[int]]
"""The destinations that an event leads to, each with the profiles that led there."""


def dispatch() -> dict[str, int]:
    """Match the events that wait, up to a batch; return counts.

    All in one transaction: an event and its deliveries change together, and a worker that dies
    leaves the event as it was. Then each medium's queue is nudged.
    """
    warm_up()  # may take seconds: before anything is locked
    with transaction.atomic():
        events = list(
            waiting_events()
            .select_related("source")
            .select_for_update(skip_locked=True, of=("self",))[: conf.DISPATCH_BATCH_SIZE()]
        )
        if not events:
            return {"events": 0, "deliveries": 0}
        # after the claim: whatever changed before one of these was accepted is seen
        with current_matcher() as matcher:
            deliveries = _match(events, matcher)
        Delivery.objects.bulk_create(deliveries)
    cut_off = len(events) == conf.DISPATCH_BATCH_SIZE() or len(deliveries) >= MAX_DELIVERIES
    _nudge(deliveries, more=cut_off or _has_incident(events))
    return {"events": len(events), "deliveries": len(deliveries)}


def _match(events: Sequence[Event], matcher: Matcher) -> list[Delivery]:
    led_by_event: list[tuple[Event, _Led]] = []
    late: list[Event] = []
    failed: list[Event] = []
    count = 0
    for event in events:
        if count >= MAX_DELIVERIES:
            break  # the others wait as they were
        if event.is_late:
            late.append(event)
            continue
        try:
            led = _led(event, matcher)
        except Exception as error:  # noqa: BLE001 - one event that can't be matched stops no other
            log.error(  # noqa: TRY400 - frames only: the text may quote the event
                "event %s can't be matched: %s\n%s",
                event.pk,
                type(error).__name__,
                frames(error),
            )
            failed.append(event)
        else:
            led_by_event.append((event, led))
            count += len(led)
    _finish([event for event, _ in led_by_event], late, matcher.now)
    _set_aside(failed)
    told = matcher.told(destination for _, led in led_by_event for destination in led)
    return [
        delivery_of(event, told[destination], matcher.now, profiles)
        for event, led in led_by_event
        for destination, profiles in led.items()
        if destination in told  # else deleted this moment
    ]


def _led(event: Event, matcher: Matcher) -> _Led:
    led: _Led = defaultdict(list)
    for profile in matcher.match(facts_of(event), event.timestamp):
        for destination in profile.destinations:
            led[destination].append(profile.pk)
    return led


def _finish(done: Sequence[Event], late: Sequence[Event], now: dt.datetime) -> None:
    ids = [event.pk for event in (*done, *late)]
    state: Any = Event.State.DISPATCHED
    if late:
        is_late = When(pk__in=[event.pk for event in late], then=Value(Event.State.LATE))
        state = Case(is_late, default=Value(state))
    Event.objects.filter(pk__in=ids).update(state=state, dispatched_at=now)


def _set_aside(events: Sequence[Event]) -> None:
    """Count a failed try; quarantine an event that failed too often."""
    worn_out = [event.pk for event in events if event.dispatch_tries + 1 >= MAX_TRIES]
    if events:
        Event.objects.filter(pk__in=[event.pk for event in events]).update(
            dispatch_tries=F("dispatch_tries") + 1
        )
    if worn_out:
        Event.objects.filter(pk__in=worn_out).update(state=Event.State.QUARANTINED)


def delivery_of(
    event: Event, told: Told, now: dt.datetime | Now, profiles: Sequence[int] = ()
) -> Delivery:
    """Return a new delivery of an event, due now, unsaved; `profiles` (ids) are why it is told.

    `now` is the database's clock, as a value: an expression in a row keeps Django from its fast
    way of inserting many.
    """
    off = not conf.SEND_NOTIFICATIONS()
    return Delivery(
        event_id=event.pk,
        destination_id=told.pk,
        user_id=told.user_id,
        medium=told.medium,
        destination_label=told.label,
        profiles=list(profiles),
        urgency=event.level,
        incident_id=event.incident_id,
        sequence=event.sequence,
        host=told.host,
        state=Delivery.State.CANCELLED if off else Delivery.State.PENDING,
        reason=Reason.NOTIFICATIONS_OFF if off else "",
        due_at=now,
        expires_at=event.expires or event.received + dt.timedelta(seconds=conf.MAX_AGE_S()),
        created=now,
        finished_at=now if off else None,
    )


def _has_incident(events: Iterable[Event]) -> bool:
    return any(event.incident_id for event in events)


def _nudge(deliveries: Iterable[Delivery], *, more: bool) -> None:
    queue = get_queue()
    by_medium: dict[str, list[int]] = defaultdict(list)
    for delivery in deliveries:
        if delivery.state == Delivery.State.PENDING:
            by_medium[delivery.medium].append(delivery.pk)
    for slug, ids in by_medium.items():
        if find_medium(slug):
            queue.deliver(slug, ids)
    if more and (next_ids := list(waiting_events().values_list("pk", flat=True)[:1])):
        queue.dispatch(next_ids)
