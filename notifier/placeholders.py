"""Texts that users write: plain `{placeholders}` from one table, and nothing that could run.

No attributes, no indexes, no formats, no conversions: a user's text can only repeat what the
message says anyway.
"""

from __future__ import annotations

import datetime as dt
import functools
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.formats import date_format, get_format
from django.utils.translation import get_language

from notifier.texts import plain

if TYPE_CHECKING:
    from notifier.models import Event

MAX_FILLED = 16_384
"""Characters of a filled text: what a description may have."""

_PART = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_LITERAL = {"{{": "{", "}}": "}"}


def written(moment: dt.datetime | None) -> str:
    """Return a moment with its zone, in the language and time zone that are active."""
    if moment is None:
        return ""
    instant = timezone.localtime(moment, dt.UTC)
    return _written(instant, get_language(), timezone.get_current_timezone())


@functools.lru_cache(maxsize=128)
def _written(instant: dt.datetime, _language: str | None, zone: dt.tzinfo) -> str:
    """Return the same; a mail says a moment in its text and in its HTML."""
    return date_format(instant.astimezone(zone), f"{get_format('DATE_FORMAT')} H:i:s T")


PLACEHOLDERS: Mapping[str, Callable[[Any], str]] = {
    "description": lambda event: event.description,
    "level": lambda event: str(event.level),
    "level_name": lambda event: event.get_level_display(),
    "type": lambda event: event.get_type_display(),
    "source": lambda event: event.source.name,
    "source_type": lambda event: event.source.type,
    "time": lambda event: written(event.timestamp),
    "incident": lambda event: event.incident.incident_key if event.incident else "",
    "start_time": lambda event: written(event.incident.start_time) if event.incident else "",
    "end_time": lambda event: written(event.incident.end_time) if event.incident else "",
    "tags": lambda event: ", ".join(event.tags),
    "details_url": lambda event: event.details_url,
    "actor": lambda event: event.actor,
    "id": lambda event: str(event.pk),
}
"""Every placeholder, made from an event; times and names are in the language and time zone that are active."""


def validate_template(template: str) -> None:
    """Raise `ValidationError` for what `fill` would leave as it stands, naming what may be written."""
    if plain(template) != template:
        raise ValidationError("It holds a control character; remove it.")
    known = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
    for part in _PART.finditer(template):
        if part[0] in _LITERAL or part[1] in PLACEHOLDERS:
            continue
        if part[1] is None:
            raise ValidationError("Write a brace that is meant as such twice: {{ or }}.")
        raise ValidationError(
            "%(part)s is no placeholder; there are %(known)s.",
            params={"part": part[0], "known": known},
        )


def fill(template: str, event: Event) -> str:
    """Return a user's text with the event's own in place of its placeholders.

    It never fails: what is no placeholder stays as it stands, and what is too long is cut.
    """

    def filled(part: re.Match[str]) -> str:
        placeholder = PLACEHOLDERS.get(part[1] or "")
        return placeholder(event) if placeholder else _LITERAL.get(part[0], part[0])

    return _PART.sub(filled, template)[:MAX_FILLED].strip()
