"""The queue's way in: what can't be accepted is kept in quarantine, never dropped."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from uuid import UUID

from django.db import DatabaseError, DataError, IntegrityError, transaction

from notifier.errors import ConflictingEvent, InvalidEvent, Problem
from notifier.ids import message_event_id
from notifier.intake import returning
from notifier.intake.accepting import accept
from notifier.intake.schema import EventIn, parse_event
from notifier.intake.sources import source_named
from notifier.models import QuarantinedEvent, Source

log = logging.getLogger(__name__)

MAX_KEPT = 65_536
MAX_RETURNS = 3
"""An event that came back so often, because its process died each time, is tried no more."""


def ingest(payload: object, message_id: str, *, again: bool = False) -> dict[str, int]:
    """Accept one event, or each of a list, that names its source; return counts.

    `message_id` is the queue's: a message that comes again brings no second event. `again` says
    that it does: its process may have died of it, so its events are counted, one by one.
    Refused ones become `QuarantinedEvent` rows with the reason; none is refused for overload, as
    the queue that it would go back to is the buffer already. Raises Django's `OperationalError`
    where the database can't be reached: then nothing was done, try again.
    """
    counts = {"accepted": 0, "repeated": 0, "quarantined": 0}
    for index, each in enumerate(payload if isinstance(payload, list) else [payload]):
        event_id = message_event_id(message_id, index)
        counts[(_ingest_again if again else _ingest_one)(each, event_id)] += 1
    return counts


def _ingest_again(payload: object, event_id: UUID) -> str:
    """Accept an event of a message that came back, unless it did so too often."""
    if returning.count(event_id) >= MAX_RETURNS:
        reason = (
            f"its process died {MAX_RETURNS} times in turn; trying it again may end another one"
        )
        with transaction.atomic():
            quarantine(payload, reason, event_id)
            returning.forget(event_id)
        return "quarantined"
    try:
        outcome = _ingest_one(payload, event_id, returning.limited_patience)
    except DatabaseError:
        with suppress(DatabaseError):
            returning.forget(event_id)  # no death
        raise
    returning.forget(event_id)
    return outcome


def _ingest_one(
    payload: object,
    event_id: UUID,
    patience: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> str:
    try:
        event = parse_event(payload)
        with patience():
            accepted = accept([event], _source_of(event), ids=[event_id])[0]
    except (InvalidEvent, ConflictingEvent, DataError, IntegrityError) as error:
        # The database's own refusals quote values: their class says enough.
        known = isinstance(error, InvalidEvent | ConflictingEvent)
        quarantine(payload, str(error) if known else type(error).__name__, event_id)
        return "quarantined"
    return "repeated" if accepted.repeated else "accepted"


def _source_of(event: EventIn) -> Source:
    if event.source is None:
        raise InvalidEvent([Problem("source", "required: the name of the source that posts")])
    return source_named(event.source)


def quarantine(payload: object, reason: str, event_id: UUID) -> QuarantinedEvent:
    """Keep what was refused, as ASCII JSON, at most 64 KiB of it, with the reason.

    `event_id` is what the event will be called when it is tried again, unless it names itself.
    """
    text = _json(payload)
    if len(text) > MAX_KEPT:
        reason = f"only the first {MAX_KEPT:,} of {len(text):,} characters are kept; {reason}"
    source = payload.get("source") if isinstance(payload, Mapping) else None
    row = QuarantinedEvent.objects.create(
        event_id=event_id,
        source_name=_storable(source)[:255] if isinstance(source, str) else "",
        payload=text[:MAX_KEPT],
        reason=_storable(reason)[:4096],
    )
    log.warning("an event of the queue was refused: see quarantined event %s", row.pk)
    return row


def _json(payload: object) -> str:
    try:
        return json.dumps(payload)
    except RecursionError:
        return json.dumps("(nested too deeply to be kept)")


def _storable(text: str) -> str:
    """Escape what no database takes: NUL, and halves of surrogate pairs."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")
