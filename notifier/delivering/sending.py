"""Deliver: a medium's due deliveries, claimed, loaded, sent and recorded as one batch."""

from __future__ import annotations

import logging
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator, Sequence

from django.db import InterfaceError, OperationalError, connection

from notifier import conf
from notifier.delivering.claiming import Claim, claim_deliveries, due_deliveries, release
from notifier.delivering.ordering import ends_without_start
from notifier.delivering.recording import cancel, record
from notifier.errors import Reason, frames
from notifier.media.base import Destination, NotificationMedium, Outcome
from notifier.media.registry import get_medium
from notifier.models import Delivery, Event
from notifier.queueing import get_queue

log = logging.getLogger(__name__)

FLUSH_ROWS = 20
RECORD_PAUSE_S = 0.5


def deliver(slug: str, *, worker: str) -> dict[str, int]:
    """Send what is due at one medium, up to a batch; return counts.

    No transaction is open while something is sent. Outcomes are written with every 20th row, and
    with the first that ends after a second: a worker that dies leaves at most one slice unrecorded. After its budget of time the
    batch starts no new send and gives the rest back.
    """
    medium = get_medium(slug)
    claim = claim_deliveries(slug, medium.BATCH_SIZE)
    counts: Counter[str] = Counter()
    if claim is None:
        return _shown(counts)
    if claim.full:
        get_queue().deliver(slug, [])  # another worker may take the rest meanwhile
    deliveries = list(
        Delivery.objects.filter(claim_token=claim.token, state=Delivery.State.SENDING)
        .select_related("event__source", "event__incident", "destination__user")
        .order_by("urgency", "due_at", "pk")
    )
    ready = _without_cancelled(claim.token, deliveries, counts)
    _send_all(medium, claim, ready, counts, worker)
    if any(delivery.incident_id for delivery in deliveries):
        _nudge_successors(slug)
    return _shown(counts)


def _shown(counts: Counter[str]) -> dict[str, int]:
    """Return counts by the words that people see in Flower."""
    words = {"sent": "sent", "pending": "deferred", "failed": "failed"}
    shown = {word: counts[state] for state, word in words.items()}
    return shown | {word: n for word in ("cancelled", "released") if (n := counts[word])}


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
    if not delivery.destination.user.is_active:
        return Reason.OWNER_INACTIVE
    return Reason.START_NOT_SENT if delivery.pk in orphans else None


def _send_all(
    medium: NotificationMedium,
    claim: Claim,
    deliveries: list[Delivery],
    counts: Counter[str],
    worker: str,
) -> None:
    by_key = {delivery.message_key: delivery for delivery in deliveries}
    unrecorded: list[tuple[Delivery, Outcome]] = []
    start = flushed = time.monotonic()
    for outcome in _outcomes(medium, deliveries):
        unrecorded.append((by_key[outcome.destination.message_key], outcome))
        now = time.monotonic()
        if len(unrecorded) >= FLUSH_ROWS or now - flushed >= conf.FLUSH_INTERVAL_S():
            counts += _record(claim, unrecorded, medium, worker, start)
            unrecorded, flushed = [], now
        if now - start >= conf.BATCH_BUDGET_S():
            break
    if unrecorded:
        counts += _record(claim, unrecorded, medium, worker, start)
    counts["released"] += release(claim.token)


def _record(
    claim: Claim,
    outcomes: list[tuple[Delivery, Outcome]],
    medium: NotificationMedium,
    worker: str,
    start: float,
) -> Counter[str]:
    """Record, however long the database is away: what was sent must not be sent again.

    Up to the hard time limit of the task, which is shorter than the lease.
    """
    while True:
        try:
            return record(claim.token, outcomes, medium.RETRY_DELAYS, worker)
        except (OperationalError, InterfaceError):
            if time.monotonic() - start > conf.HARD_TIME_LIMIT_S() - RECORD_PAUSE_S:
                raise
            connection.close()
            time.sleep(RECORD_PAUSE_S)


def _outcomes(medium: NotificationMedium, deliveries: Iterable[Delivery]) -> Iterator[Outcome]:
    """Send event by event; yield an outcome for every delivery, whatever the medium does."""
    unanswered: dict[Destination, Event] = {_destination(each): each.event for each in deliveries}
    by_event: dict[Event, list[Destination]] = defaultdict(list)
    for destination, event in unanswered.items():
        by_event[event].append(destination)
    try:
        with medium.session() as session:
            for event, destinations in by_event.items():
                for outcome in medium.send(event, destinations, session=session):
                    # once for each destination, and for none that it was not given
                    if unanswered.pop(outcome.destination, None):
                        yield outcome
    except Exception as error:  # noqa: BLE001 - a plugin's bug must not hold its batch
        log.error(  # noqa: TRY400 - frames only: the exception's own text may quote a secret
            "medium %s broke off a batch: %s\n%s",
            medium.MEDIA_SLUG,
            type(error).__name__,
            frames(error),
        )
    for destination in unanswered:
        yield Outcome.unanswered(destination)


def _destination(delivery: Delivery) -> Destination:
    config = delivery.destination
    assert config is not None  # noqa: S101 - such rows were cancelled
    return Destination(
        pk=config.pk,
        media=config.media,
        settings=config.settings,
        label=config.label,
        username=config.user.get_username(),
        message_key=delivery.message_key,
    )


def _nudge_successors(slug: str) -> None:
    if successors := list(due_deliveries(slug).values_list("pk", flat=True)[:1]):
        get_queue().deliver(slug, successors)
