"""An event on its way: what the caller gave, checked as far as that needs no database."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from notifier.errors import InvalidEvent, Problem
from notifier.ids import event_id_for, new_event_id

MAX_BYTES = 262_144
"""Of one event as JSON."""
_TEXTS = ("description", "type", "source", "incident_key", "details_url", "source_event_id")
FIELDS = frozenset({*_TEXTS, "level", "tags", "recipients", "timestamp", "metadata", "expires"})
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


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
    event = {name: _plain(name, value) for name, value in given.items() if value is not None}
    if not event.get("source") and source:
        event["source"] = source
    _check(event)
    event_id = new_event_id()
    if "source_event_id" not in event:
        if named:
            event["source_event_id"] = str(event_id)
        if dated:
            event.setdefault("timestamp", dt.datetime.now(dt.UTC).isoformat())
    body = _json(event)
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
            messages.append(compose(_known(given), source=source, named=named, dated=dated))
        except InvalidEvent as error:
            problems += [
                Problem(f"[{place}].{each.field}", each.message) for each in error.problems
            ]
    if problems:
        raise InvalidEvent(problems)
    return messages


def _known(given: object) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise InvalidEvent([Problem("event", "must be a mapping of what send() takes")])
    if unknown := given.keys() - FIELDS:
        raise InvalidEvent(
            [Problem(str(name), "no such field") for name in sorted(unknown, key=str)]
        )
    return given


def _plain(name: str, value: Any) -> Any:
    """Return a field as JSON has it."""
    match name:
        case "tags" if isinstance(value, Mapping):
            return dict(value)
        case "tags" | "recipients":
            return _listed(name, value)
        case "timestamp" | "expires":
            return _moment(name, value)
        case "metadata":
            return dict(value) if isinstance(value, Mapping) else value
    return value


def _check(event: Mapping[str, Any]) -> None:
    problems = [
        Problem(name, "must be a text, without NUL or halves of surrogate pairs")
        for name in _TEXTS
        if name in event and not _is_text(event[name])
    ]
    if not event.get("description"):
        problems.append(Problem("description", "must say what happened"))
    if not event.get("source"):
        problems.append(Problem("source", "name it here or in Notifier(…, source=…)"))
    level = event.get("level", 1)
    if not isinstance(level, int) or isinstance(level, bool) or not 1 <= level <= 5:  # noqa: PLR2004
        problems.append(Problem("level", "must be a number from 1 (critical) to 5 (information)"))
    problems += [
        Problem(f"tags[{index}]", "must be key=value")
        for index, tag in enumerate(event.get("tags", ()))
        if isinstance(event["tags"], list) and not (isinstance(tag, str) and "=" in tag)
    ]
    if problems:
        raise InvalidEvent(problems)


def _json(event: Mapping[str, Any]) -> str:
    try:
        body = json.dumps(event, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidEvent([Problem("metadata", f"is no JSON: {error}")]) from error
    if len(body) > MAX_BYTES:
        raise InvalidEvent(
            [Problem("event", f"{len(body):,} bytes as JSON; at most {MAX_BYTES:,}")]
        )
    return body


def _is_text(value: object) -> bool:
    return isinstance(value, str) and not _UNSTORABLE.search(value)


def _listed(name: str, values: Any) -> list[str]:
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise InvalidEvent([Problem(name, "a list of texts, not one text")])
    return list(values)


def _moment(name: str, moment: Any) -> str:
    if not isinstance(moment, dt.datetime) or moment.tzinfo is None:
        raise InvalidEvent([Problem(name, "must be a datetime with a time zone")])
    return moment.isoformat()
