"""An event on its way: what the caller gave, checked as far as that needs no database."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from notifier.client.rules import FIELDS, MOMENTS, broken_rules
from notifier.errors import InvalidEvent, Problem
from notifier.ids import event_id_for, new_event_id
from notifier.plain import check_plain

MAX_BYTES = 262_144
"""Of one event as JSON."""


@dataclass(frozen=True, slots=True)
class Message:
    """An event, the id that it will have, and its JSON."""

    id: UUID
    event: Mapping[str, Any]
    body: str

    @classmethod
    def read(cls, event_id: str, body: str) -> Message:
        """Return what was written down before."""
        return cls(UUID(event_id), json.loads(body), body)


def compose(
    given: Mapping[str, Any], *, source: str | None, named: bool = False, dated: bool = False
) -> Message:
    """Make a message of what `Notifier.send` takes; raise `InvalidEvent` naming each field.

    `source` posts unless the event names another. `named` gives an event without a
    `source_event_id` one of its own, for a way on which nothing else tells a repeat; `dated` gives
    such an event the time, for one that may be long on its way. An event that its source has named
    is left as it is: its repeats must have the same body.
    """
    event = _written(given)
    if not event.get("source") and source:
        event["source"] = source
    if problems := [Problem(*each) for each in broken_rules(event)]:
        raise InvalidEvent(problems)
    event_id = new_event_id()
    if "source_event_id" not in event:
        if named:
            event["source_event_id"] = str(event_id)
        if dated:
            event.setdefault("timestamp", dt.datetime.now(dt.UTC))
    body = _json(event)  # first, as an id is made only of whole characters
    return Message(
        event_id_for(event["source"], event.get("source_event_id"), event_id), event, body
    )


def compose_many(
    events: Iterable[Mapping[str, Any]],
    *,
    source: str | None,
    named: bool = False,
    dated: bool = False,
) -> list[Message]:
    """Make messages of mappings; raise `InvalidEvent` for all of them, fields as in `[3].level`."""
    messages, problems = [], []
    for place, given in enumerate(events):
        try:
            messages.append(compose(given, source=source, named=named, dated=dated))
        except InvalidEvent as error:
            problems += [
                Problem(f"[{place}].{each.field}", each.message) for each in error.problems
            ]
    if problems:
        raise InvalidEvent(problems)
    return messages


def _written(given: object) -> dict[str, Any]:
    """Return what can be JSON but for its moments: no None, lists of any iterable, plain dicts."""
    if not isinstance(given, Mapping):
        raise InvalidEvent([Problem("event", "must be a mapping of what send() takes")])
    event = {name: value for name, value in given.items() if value is not None}
    if unknown := [name for name in event if name not in FIELDS]:
        known = f"unknown field; known are {', '.join(FIELDS)}"
        raise InvalidEvent([Problem(str(name)[:80], known) for name in unknown])
    for name in ("tags", "recipients"):
        if isinstance(event.get(name), Iterable) and not isinstance(event[name], str | Mapping):
            event[name] = list(event[name])
    for name in ("tags", "metadata"):
        if isinstance(event.get(name), Mapping):
            event[name] = dict(event[name])
    return event


def _json(event: dict[str, Any]) -> str:
    """Write an event down, its moments too; raise `InvalidEvent` for what JSON can't hold."""
    for name in MOMENTS.keys() & event.keys():
        event[name] = event[name].isoformat()
    check_plain(event)
    body = json.dumps(event, allow_nan=False)
    if len(body) > MAX_BYTES:
        raise InvalidEvent(
            [Problem("event", f"{len(body):,} bytes as JSON; at most {MAX_BYTES:,}")]
        )
    return body
