"""What a source may post over HTTP: how often, how much, how deep, how many tags.

Every way in over HTTP asks `admit` before it looks at a body, `check_depth` once that is parsed, and
`check_tags` once it is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from django.core.exceptions import ValidationError

from notifier.errors import InvalidEvent, Problem, TooFast, TooLarge
from notifier.intake.plain import MAX_DEPTH
from notifier.intake.schema import MAX_TAGS, EventIn
from notifier.limiting import request_limiter
from notifier.limits import Limit, Rate
from notifier.models import Source

_MOST = {
    "requests_per_minute": 1_000_000,
    "body_bytes": 2**31 - 1,
    "depth": MAX_DEPTH,
    "tags": MAX_TAGS,
}
_LEAST = {"depth": 3}
"""An event, its metadata and a value in there."""


@dataclass(frozen=True, slots=True)
class SourceLimits:
    """Limits of a source; 0 is none but the site's."""

    requests_per_minute: int = 0
    body_bytes: int = 0
    depth: int = MAX_DEPTH
    tags: int = MAX_TAGS


NAMES = tuple(each.name for each in fields(SourceLimits))


def limits_of(source: Source) -> SourceLimits:
    """Return a source's limits, the site's where it has none of its own."""
    own: Any = source.limits
    if not own:
        return _SITE
    return SourceLimits(**{name: own[name] for name in NAMES if name in own})


_SITE = SourceLimits()


def check_limits(limits: object) -> None:
    """Raise Django's `ValidationError` for what can't be a source's `limits`."""
    if not isinstance(limits, Mapping):
        raise ValidationError('Write an object, such as {"requests_per_minute": 600}.')
    wrong = []
    for name, value in limits.items():
        if name not in _MOST:
            wrong.append(f"{name}: unknown limit; known are {', '.join(NAMES)}.")
        elif type(value) is not int or not _LEAST.get(name, 1) <= value <= _MOST[name]:
            wrong.append(
                f"{name}: write a whole number from {_LEAST.get(name, 1)} to {_MOST[name]:,}."
            )
    if wrong:
        raise ValidationError(wrong)


def admit(source: Source, size: int) -> None:
    """Let a request with a body of so many bytes in; raise `TooLarge` or `TooFast`.

    A request counts, whatever becomes of it: a flood of garbage is a flood.
    """
    limits = limits_of(source)
    if limits.body_bytes and size > limits.body_bytes:
        raise TooLarge(limits.body_bytes)
    if not limits.requests_per_minute:
        return
    rate = Rate(limits.requests_per_minute, 60, burst=limits.requests_per_minute)
    if full := request_limiter().take(Limit(f"source:{source.pk}", rate)):
        raise TooFast(limits.requests_per_minute, full.wait_s)


def check_depth(source: Source, value: object) -> None:
    """Raise `InvalidEvent` for an event, or a list of them, nested deeper than its source may."""
    depth = limits_of(source).depth
    if any(_is_deeper(each, depth - 1) for each in (value if isinstance(value, list) else [value])):
        raise InvalidEvent([Problem("body", f"nested more than {depth} deep")])


def _is_deeper(value: object, most: int) -> bool:
    """Say whether JSON is nested deeper; looks no deeper than that itself."""
    if not isinstance(value, Mapping | list):
        return False
    if most == 0:
        return True
    inner = value.values() if isinstance(value, Mapping) else value
    return any(_is_deeper(each, most - 1) for each in inner)


def check_tags(source: Source, events: Iterable[EventIn]) -> None:
    """Raise `InvalidEvent` for an event with more tags than its source may give it."""
    most = limits_of(source).tags
    if most == MAX_TAGS:
        return  # the schema has looked
    problems = [
        Problem(f"[{index}].tags", f"{len(event.tags)} of them; this source may give {most}")
        for index, event in enumerate(events)
        if len(event.tags) > most
    ]
    if problems:
        raise InvalidEvent(problems)
