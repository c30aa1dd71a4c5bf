"""`notify()` and `notify_many()`: the way in for Django code."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from notifier.errors import InvalidEvent, Problem
from notifier.intake.accepting import accept
from notifier.intake.schema import parse_event, parse_events
from notifier.intake.sources import source_named

MOST_EVENTS = 10_000
"""Of one call."""


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
    """Post an event and return its id; it is stored, so it will be told.

    Inside a transaction it belongs to it: rolled back, nobody hears of it. Raises `InvalidEvent`,
    a `ValueError` that names each field, and `ConflictingEvent` for a `source_event_id` that was
    used for another event. Redis may be down: then the event waits. Never refused for overload, as
    HTTP is: the caller's own transaction must not fail because others wait.

    `recipients` are usernames: the event is for them alone, as their profiles allow. Without,
    everybody's profiles are asked. `tags` are `key=value` texts or a mapping, `level` is 1
    (critical) to 5 (information, the default), times carry their zone.
    """
    given = {
        "description": description,
        "type": type,
        "level": level,
        "tags": tags,
        "incident_key": incident_key,
        "recipients": recipients,
        "timestamp": timestamp,
        "details_url": details_url,
        "metadata": metadata,
        "source_event_id": source_event_id,
        "expires": expires,
    }
    return accept([parse_event(_plain(given))], source_named(source))[0].id


def notify_many(events: Iterable[Mapping[str, Any]], *, source: str | None = None) -> list[UUID]:
    """Post events and return their ids, in their order; all of them are stored, or none.

    Each is a mapping of what `notify()` takes, and comes to the same: repeats, incidents and the
    caller's transaction too. At most 10,000, all of one source. Raises `InvalidEvent`, which names
    each field by its event, such as `[3].level`, and `ConflictingEvent`.
    """
    raw = [_plain(each) for each in events]
    if not raw:
        return []
    parsed = parse_events(raw, most=MOST_EVENTS, field="events")
    sender = source_named(source)
    foreign = [
        Problem(
            f"[{index}].source", f"all are of source {sender.name!r}; name another one by `source=`"
        )
        for index, event in enumerate(parsed)
        if event.source not in {None, sender.name}
    ]
    if foreign:
        raise InvalidEvent(foreign)
    return [each.id for each in accept(parsed, sender, listed=True)]


def _plain(given: object) -> object:
    """Leave out what is None, and make a list of a set or a generator, a dict of any mapping."""
    if not isinstance(given, Mapping):
        return given  # the schema says what is wrong with it
    event = {name: value for name, value in given.items() if value is not None}
    for name in event.keys() & {"tags", "recipients"}:
        event[name] = _listed(event[name])
    if isinstance(event.get("metadata"), Mapping):
        event["metadata"] = dict(event["metadata"])
    return event


def _listed(values: object) -> object:
    """Make a list of a set or a generator; leave to the schema what is neither, such as one text."""
    if isinstance(values, str | Mapping) or not isinstance(values, Iterable):
        return values
    return list(values)
