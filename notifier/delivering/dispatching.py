"""Dispatch: accepted events become one delivery per destination that is to be told."""

from __future__ import annotations

import datetime as dt
import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from notifier import conf
from notifier.delivering.claiming import waiting_events
from notifier.errors import Reason, SettingsUnreadable, frames
from notifier.matching.judging import judge
from notifier.matching.rules import Rule, facts_of, load_rules
from notifier.media.registry import find_medium
from notifier.models import Delivery, DestinationConfig, Event
from notifier.queueing import get_queue

log = logging.getLogger(__name__)

MAX_TRIES = 3
MAX_HOST = 255
MAX_DELIVERIES = 10_000
"""After so many a batch takes no further event: its transaction must end in time and in memory."""


def dispatch() -> dict[str, int]:
    """Match the events that wait, up to a batch; return counts.

    All in one transaction: an event and its deliveries change together, and a worker that dies
    leaves the event as it was. Then each medium's queue is nudged.
    """
    with transaction.atomic():
        events = list(
            waiting_events()
            .select_related("source", "incident")
            .select_for_update(skip_locked=True, of=("self",))[: conf.DISPATCH_BATCH_SIZE()]
        )
        if not events:
            return {"events": 0, "deliveries": 0}
        deliveries = _match(events, load_rules())
        Delivery.objects.bulk_create(deliveries, batch_size=1000)
    cut_off = len(events) == conf.DISPATCH_BATCH_SIZE() or len(deliveries) >= MAX_DELIVERIES
    _nudge(deliveries, more=cut_off or _has_incident(events))
    return {"events": len(events), "deliveries": len(deliveries)}


def _match(events: Sequence[Event], rules: Sequence[Rule]) -> list[Delivery]:
    deliveries: list[Delivery] = []
    done, failed, late = [], [], []
    now = timezone.now()
    for event in events:
        if len(deliveries) >= MAX_DELIVERIES:
            break  # the others wait as they were
        if event.is_late:
            late.append(event.pk)
            continue
        try:
            deliveries += _deliveries(event, rules, now)
        except Exception as error:  # noqa: BLE001 - one event that can't be matched stops no other
            log.error(  # noqa: TRY400 - frames only: the text may quote the event
                "event %s can't be matched: %s\n%s",
                event.pk,
                type(error).__name__,
                frames(error),
            )
            failed.append(event)
        else:
            done.append(event.pk)
    Event.objects.filter(pk__in=done).update(state=Event.State.DISPATCHED, dispatched_at=Now())
    if late:
        Event.objects.filter(pk__in=late).update(state=Event.State.LATE, dispatched_at=Now())
    _set_aside(failed)
    return deliveries


def _set_aside(events: Sequence[Event]) -> None:
    """Count a failed try; quarantine an event that failed too often."""
    worn_out = [event.pk for event in events if event.dispatch_tries + 1 >= MAX_TRIES]
    if events:
        Event.objects.filter(pk__in=[event.pk for event in events]).update(
            dispatch_tries=F("dispatch_tries") + 1
        )
    if worn_out:
        Event.objects.filter(pk__in=worn_out).update(state=Event.State.QUARANTINED)


def _deliveries(event: Event, rules: Sequence[Rule], now: dt.datetime) -> Iterable[Delivery]:
    facts = facts_of(event)
    led_by: dict[DestinationConfig, list[Rule]] = defaultdict(list)
    for rule in rules:
        if judge(rule, facts, event.timestamp, now) is None:
            for destination in rule.destinations:
                led_by[destination].append(rule)
    return [delivery_of(event, destination, led) for destination, led in led_by.items()]


def delivery_of(
    event: Event, destination: DestinationConfig, led_by: Sequence[Rule] = ()
) -> Delivery:
    """Return a new delivery of an event to a destination, unsaved; `led_by` is why it is told."""
    delivery = Delivery(
        event=event,
        destination=destination,
        user_id=destination.user_id,
        medium=destination.media_id,
        destination_label=destination.lasting_label,
        profiles=[rule.profile.pk for rule in led_by],
        urgency=event.level,
        incident=event.incident,
        sequence=event.sequence,
        host=_host(destination),
        due_at=Now(),
        expires_at=event.expires or event.received + dt.timedelta(seconds=conf.MAX_AGE_S()),
    )
    if not conf.SEND_NOTIFICATIONS():
        delivery.state = Delivery.State.CANCELLED
        delivery.reason = Reason.NOTIFICATIONS_OFF
        delivery.finished_at = Now()
    return delivery


def _host(destination: DestinationConfig) -> str:
    """Return the host as the medium says it; where it can't, one of the destination's own.

    So that what fails there holds back no other destination.
    """
    medium, alone = find_medium(destination.media_id), f"destination-{destination.pk}"
    try:
        return str(medium.get_host(destination.settings))[:MAX_HOST] if medium else ""
    except SettingsUnreadable:
        return alone  # said when it is to be sent
    except Exception as error:  # noqa: BLE001 - a plugin's bug over one destination stops no event
        log.error(  # noqa: TRY400 - frames only: the text may quote an address
            "destination %s has no host: %s\n%s",
            destination.pk,
            type(error).__name__,
            frames(error),
        )
        return alone


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
