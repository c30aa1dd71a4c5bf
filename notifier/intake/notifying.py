"""`notify()`: the way in for Django code."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from notifier import conf
from notifier.errors import InvalidEvent, Problem
from notifier.intake.accepting import accept
from notifier.intake.schema import parse_event
from notifier.models import Source


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
        "tags": _listed(tags),
        "incident_key": incident_key,
        "recipients": _listed(recipients),
        "timestamp": timestamp,
        "details_url": details_url,
        "metadata": dict(metadata) if isinstance(metadata, Mapping) else metadata,
        "source_event_id": source_event_id,
        "expires": expires,
    }
    event = parse_event({name: value for name, value in given.items() if value is not None})
    return accept([event], source_named(source))[0].id


def _listed(values: object) -> object:
    """Make a list of a set or a generator; leave to the schema what is neither, such as one text."""
    if isinstance(values, str | Mapping) or not isinstance(values, Iterable):
        return values
    return list(values)


def source_named(name: str | None) -> Source:
    """Return a source; the site's own where none is named. Raise `InvalidEvent` if it is unknown."""
    if name is None or name == conf.DEFAULT_SOURCE():
        return Source.objects.get_or_create(name=conf.DEFAULT_SOURCE())[0]
    source = Source.objects.filter(name=name).first()
    if source is None:
        raise InvalidEvent(
            [Problem("source", f"there is no source {name!r}; make it with `notifier addsource`")]
        )
    return source
