"""Deliver: a medium's due deliveries, claimed, loaded, sent and recorded as one batch."""

from __future__ import annotations

import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Container, Sequence

from notifier import conf
from notifier.delivering.batch import FLUSH_ROWS, Batch
from notifier.delivering.claiming import claim_deliveries, look
from notifier.delivering.feeding import Feed
from notifier.delivering.ordering import ends_without_start
from notifier.delivering.recording import cancel
from notifier.errors import Reason
from notifier.limits import Limiter, NoLimiter
from notifier.media.registry import get_medium
from notifier.models import Delivery, DestinationConfig, Event, Source
from notifier.queueing import get_queue

_NO_LIMITER = NoLimiter()


def _never() -> bool:
    return False


def deliver(
    slug: str,
    *,
    worker: str,
    limiter: Limiter = _NO_LIMITER,
    stopping: Callable[[], bool] = _never,
) -> dict[str, int]:
    """Send what is due at one medium, up to a batch; return counts.

    No transaction is open while something is sent. Outcomes are written each second, and with every
    20th row, whatever a send is stuck in: a worker that dies leaves at most 20 sends unrecorded. After
    its budget of time, or once it is `stopping`, the batch starts no new send and gives the rest back.
    """
    medium = get_medium(slug)
    claim = claim_deliveries(slug, medium.BATCH_SIZE)
    counts: Counter[str] = Counter()
    if claim is None:
        return _shown(counts)
    if claim.full:
        get_queue().deliver(slug, [])  # another worker may take the rest meanwhile
    ready = _without_cancelled(claim.token, _load(claim.deliveries), counts)
    feed = Feed(medium, ready, limiter=limiter, stopping=stopping, unrecorded=FLUSH_ROWS)
    counts += Batch(medium, claim, feed, size=len(ready), worker=worker).run()
    if counts["released"] or any(delivery.incident_id for delivery in claim.deliveries):
        _nudge_for_the_next(slug)
    return _shown(counts)


def _shown(counts: Counter[str]) -> dict[str, int]:
    """Return counts by the words that people see in Flower."""
    words = {"sent": "sent", "pending": "deferred", "failed": "failed"}
    shown = {word: counts[state] for state, word in words.items()}
    return shown | {word: n for word in ("cancelled", "released", "hung") if (n := counts[word])}


def _load(deliveries: Sequence[Delivery]) -> list[Delivery]:
    """Give deliveries their events and destinations; leave out what was deleted since the claim.

    Each row is read once, and is one object, however many deliveries share it.
    """
    events = Event.objects.select_related("incident").in_bulk(
        {each.event_id for each in deliveries}
    )
    sources = Source.objects.in_bulk({each.source_id for each in events.values()})
    for event in events.values():
        event.source = sources[event.source_id]
    destinations = DestinationConfig.objects.select_related("user__notifier_preferences").in_bulk(
        {each.destination_id for each in deliveries if each.destination_id}
    )
    loaded = [each for each in deliveries if each.event_id in events]
    for delivery in loaded:
        delivery.event = events[delivery.event_id]
        delivery.destination = destinations.get(delivery.destination_id or 0)
    return loaded


def _without_cancelled(
    token: uuid.UUID, deliveries: Sequence[Delivery], counts: Counter[str]
) -> list[Delivery]:
    ready: list[Delivery] = []
    cancelled: dict[Reason, list[int]] = defaultdict(list)
    orphans = ends_without_start(deliveries)
    for delivery in deliveries:
        if reason := _moot(delivery, orphans):
            cancelled[reason].append(delivery.pk)
        else:
            ready.append(delivery)
    for reason, ids in cancelled.items():
        counts["cancelled"] += cancel(token, ids, reason)
    return ready


def _moot(delivery: Delivery, orphans: Container[int]) -> Reason | None:
    """Return why a delivery need not be sent any more, or None."""
    if not conf.SEND_NOTIFICATIONS():
        return Reason.NOTIFICATIONS_OFF
    if delivery.destination is None:
        return Reason.DESTINATION_DELETED
    if delivery.destination.disabled_at and delivery.kind != Delivery.Kind.TEST:
        return Reason.DESTINATION_DISABLED
    if not delivery.destination.user.is_active:
        return Reason.OWNER_INACTIVE
    return Reason.START_NOT_SENT if delivery.pk in orphans else None


def _nudge_for_the_next(slug: str) -> None:
    """Ask for what this batch held back: successors in an incident, and what it gave back."""
    if (found := look(slug)).full:
        get_queue().deliver(slug, found.ids)
