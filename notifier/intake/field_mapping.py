"""How a source's own JSON becomes events: a field of an event → a JMESPath expression.

::

    {"events": "checks[]",                     what is an event, each of a list; left out: the body
     "description": "message",
     "incident_key": "check.id",               with one, an event is a report: repeats are not told
     "type": "state", "types": {"UP": "END"},  what the source's own words mean
     "level": "prio", "levels": {"A": 1},
     "tags": "{host: host, site: site}"}       or a list of `key=value`

https://jmespath.org
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from django.core.exceptions import ValidationError

from notifier.errors import InvalidEvent, Problem
from notifier.intake.expressions import Evaluator, ExpressionError, compiled
from notifier.intake.formats import fitting
from notifier.intake.formats.severity import level_of
from notifier.intake.plain import MAX_DEPTH
from notifier.intake.reports import Report
from notifier.intake.schema import MAX_TAGS, EventIn, parse_event
from notifier.models import Event

FIELDS = tuple(name for name in EventIn.model_fields if name != "source")
_TABLES = {"levels": range(1, 6), "types": Event.Type.values}
MAX_BYTES = 16_384
MAX_EVENTS = 1000
_STARTING = "firing open opened alert alerting problem down fail failed trigger triggered start"
_ENDING = "resolved ok closed close recovery recovered up normal resolve success end"
_ACKNOWLEDGING = "acknowledge acknowledged ack acked"
TYPES = {
    **{each: each for each in Event.Type.values},
    **dict.fromkeys(_STARTING.split(), "STA"),
    **dict.fromkeys(_ENDING.split(), "END"),
    **dict.fromkeys(_ACKNOWLEDGING.split(), "ACK"),
}
"""The words for types that need no table."""


def check_mapping(mapping: object) -> None:
    """Raise Django's `ValidationError` for what can't be a source's `mapping`; `{}` is none."""
    if not isinstance(mapping, Mapping):
        raise ValidationError('Write an object, such as {"description": "message"}.')
    if not mapping:
        return
    if len(json.dumps(mapping)) > MAX_BYTES:
        raise ValidationError(f"A mapping has at most {MAX_BYTES:,} bytes as JSON.")
    wrong = [each for name, value in mapping.items() for each in _wrong(name, value)]
    if "description" not in mapping:
        wrong.append("description: required: what happened, for people.")
    if wrong:
        raise ValidationError(wrong)


def _wrong(name: str, value: object) -> list[str]:
    if name in _TABLES:
        allowed = _TABLES[name]
        if isinstance(value, Mapping) and all(each in allowed for each in value.values()):
            return []
        listed = ", ".join(map(str, allowed))
        return [f"{name}: write an object of the source's own words, each for one of {listed}."]
    if name != "events" and name not in FIELDS:
        known = ", ".join(("events", *FIELDS, *_TABLES))
        return [f"{name[:80]}: unknown; known are {known}."]
    if not isinstance(value, str) or not value:
        return [f'{name}: write a JMESPath expression, such as "message".']
    try:
        compiled(value)
    except ExpressionError as error:
        return [f"{name}: {error}."]
    return []


def read(
    mapping: Mapping[str, Any],
    body: object,
    *,
    default_level: int,
    most_tags: int = MAX_TAGS,
    depth: int = MAX_DEPTH,
) -> list[Report]:
    """Return what a body reports, read by a mapping; raise `InvalidEvent` that names its fields."""
    try:
        check_mapping(mapping)
    except ValidationError as error:  # written by something else than a form
        raise InvalidEvent([Problem("mapping", each) for each in error.messages]) from None
    if not mapping:
        raise InvalidEvent([Problem("mapping", "this source has none: write one in the admin")])
    reading = _Reading(mapping, default_level, most_tags, depth)
    found = reading.value("events", body) if "events" in mapping else body
    if found is None:
        raise InvalidEvent([Problem("mapping.events", "finds nothing in this body")])
    values = found if isinstance(found, list) else [found]
    if len(values) > MAX_EVENTS:
        raise InvalidEvent([Problem("mapping.events", f"finds more than {MAX_EVENTS} events")])
    reports: list[Report] = []
    problems: list[Problem] = []
    for index, each in enumerate(values):
        try:
            reports.append(reading.report(each, f"[{index}]" if len(values) > 1 else ""))
        except InvalidEvent as error:
            problems += error.problems
    if problems:
        raise InvalidEvent(problems)
    return reports


class _Reading:
    """Reads one body: its expressions share a budget."""

    def __init__(
        self, mapping: Mapping[str, Any], default_level: int, most_tags: int, depth: int
    ) -> None:
        self._mapping = mapping
        self._default_level = default_level
        self._most_tags = most_tags
        self._depth = depth
        self._evaluator = Evaluator()

    def value(self, name: str, item: object, path: str = "") -> Any:
        """Return what the expression of a field makes of an item."""
        try:
            return self._evaluator.evaluate(self._mapping[name], item)
        except ExpressionError as error:
            raise InvalidEvent([Problem(_join(path, f"mapping.{name}"), str(error))]) from None

    def report(self, item: object, path: str) -> Report:
        """Return what an item reports."""
        values = {name: self.value(name, item, path) for name in self._mapping if name in FIELDS}
        event = {name: value for name, value in values.items() if value not in (None, "", [], {})}
        key = fitting.name(event.pop("incident_key", None))
        event_type = self._type(event.pop("type", None), key, path)
        event |= {"type": event_type, **({"incident_key": key} if event_type != "LES" else {})}
        event["level"] = self._level(event.get("level"))
        event["tags"] = fitting.tags(_pairs(event.get("tags")), self._most_tags)
        event |= {name: fit(event[name]) for name, fit in _FITS.items() if name in event}
        if "metadata" in event:
            event["metadata"] = _metadata(event["metadata"], self._depth)
        bare = not event.get("description") and event_type in {*Event.CLOSING, "ACK"}
        if bare:
            event["description"] = f"{Event.Type(event_type).label}: {key}".capitalize()
        elif not event.get("description"):
            raise InvalidEvent(
                [Problem(_join(path, "mapping.description"), "finds no text in this body")]
            )
        return Report(parse_event(event, path=path), bare=bare)

    def _type(self, said: object, key: str, path: str) -> str:
        if not key:
            return "LES"
        if said is None:
            return "STA"
        word = fitting.text(said, 100)
        own = {text.lower(): code for text, code in self._mapping.get("types", {}).items()}
        found = own.get(word.lower()) or TYPES.get(word.upper()) or TYPES.get(word.lower())
        if found is None:
            raise InvalidEvent(
                [
                    Problem(
                        _join(path, "mapping.type"),
                        "finds a word that means nothing here; put it into the mapping's `types`, "
                        'such as {"types": {"DEGRADED": "STA"}}',
                    )
                ]
            )
        return str(found)

    def _level(self, said: object) -> int:
        own = {text.lower(): level for text, level in self._mapping.get("levels", {}).items()}
        word = fitting.text(said, 100).lower()
        return int(own[word]) if word in own else level_of(said, self._default_level)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _pairs(tags: object) -> list[tuple[object, object]]:
    if isinstance(tags, Mapping):
        return list(tags.items())
    split = (str(each).partition("=") for each in tags) if isinstance(tags, list) else ()
    return [(key, value) for key, _, value in split]


def _metadata(value: object, depth: int) -> dict[str, Any]:
    return fitting.metadata(value if isinstance(value, Mapping) else {"value": value}, depth)


_FITS: dict[str, Callable[[Any], Any]] = {
    "description": fitting.text,
    "source_event_id": fitting.name,
    "timestamp": fitting.moment,
    "expires": fitting.expiry,
    "details_url": fitting.url,
    "actor": lambda value: fitting.text(value, fitting.ACTOR_LENGTH),
}
"""Recipients are left to the schema: who does not exist must be told of."""
