"""Telling: a row in the caller's transaction."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from django.core.exceptions import ImproperlyConfigured
from django.db import router, transaction

from notifier.client.events import Message, compose, compose_many
from notifier.errors import InvalidEvent, Problem
from notifier.outbox import conf
from notifier.outbox.models import OutboxEvent

_BATCH = 500


def notify(
    description: str,
    *,
    type: str | None = None,  # noqa: A002 - the field's name on every way in
    level: int | None = None,
    tags: Iterable[str] | Mapping[str, str] | None = None,
    source: str | None = None,
    incident_key: str | None = None,
    recipients: Iterable[str] | None = None,
    timestamp: dt.datetime | None = None,
    details_url: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    source_event_id: str | None = None,
    expires: dt.datetime | None = None,
) -> UUID:
    """Write an event down, to be posted once the transaction commits; return its id.

    The arguments are those of `notifier.notify`. Raises `InvalidEvent` for what can be seen here;
    what the server alone can see is told in the row, as the reason why it was refused.
    """
    given = {
        "description": description,
        "type": type,
        "level": level,
        "tags": tags,
        "source": source,
        "incident_key": incident_key,
        "recipients": recipients,
        "timestamp": timestamp,
        "details_url": details_url,
        "metadata": metadata,
        "source_event_id": source_event_id,
        "expires": expires,
    }
    message = compose(given, source=_own(), named=True, dated=True)
    if problems := _problems(message):
        raise InvalidEvent(problems)
    _row(message).save(force_insert=True)
    return message.id


def notify_many(events: Iterable[Mapping[str, Any]], source: str | None = None) -> list[UUID]:
    """Write events down, all or none; return their ids in their order.

    Each is a mapping of what `notify()` takes. `InvalidEvent` names each field as in `[3].level`.
    """
    messages = compose_many(events, source=source or _own(), named=True, dated=True)
    problems = [
        Problem(f"[{place}].{problem.field}", problem.message)
        for place, each in enumerate(messages)
        for problem in _problems(each)
    ]
    if problems:
        raise InvalidEvent(problems)
    with transaction.atomic(using=router.db_for_write(OutboxEvent)):
        OutboxEvent.objects.bulk_create(map(_row, messages), batch_size=_BATCH)
    return [each.id for each in messages]


def _own() -> str:
    if not (source := conf.source()):
        raise ImproperlyConfigured(
            "NOTIFIER_OUTBOX_SOURCE must be the name of the source that posts."
        )
    return source


def _problems(message: Message) -> list[Problem]:
    """Return what the client's rules leave to the way."""
    if conf.by_token() and message.event["source"] != conf.source():
        return [Problem("source", "leave it out: the token says who posts")]
    return []


def _row(message: Message) -> OutboxEvent:
    return OutboxEvent(
        event_id=message.id,
        body=message.body,
        source=message.event["source"],
        incident_key=message.event.get("incident_key"),
    )
