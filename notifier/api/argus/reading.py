"""Reading what Argus's clients post, as leniently as Argus does, into our own events."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import urljoin

from django.utils import timezone
from django.utils.dateparse import parse_datetime

from notifier.api.argus.answering import Refused, wrong
from notifier.errors import InvalidEvent
from notifier.intake.schema import EventIn, parse_event
from notifier.intake.source_limits import check_depth, limits_of
from notifier.models import Source
from notifier.models.event import Level

INFINITY = "infinity"
_LEVELS = {str(level.value): level.value for level in Level}


def event_of(fields: Mapping[str, Any], names: Mapping[str, str] | None = None) -> EventIn:
    """Validate an event; refuse it by what its fields are called in Argus."""
    try:
        return parse_event(fields)
    except InvalidEvent as error:
        known = {"event": "non_field_errors", "expires": "expiration", **(names or {})}
        errors: dict[str, list[str]] = {}
        for problem in error.problems[:100]:
            name = re.split(r"[.\[]", problem.field)[0]
            place = problem.field[len(name) :]
            message = f"{place}: {problem.message}" if place else problem.message
            errors.setdefault(known.get(name, name), []).append(message)
        raise Refused(400, errors) from error


def text(body: Mapping[str, Any], field: str) -> str:
    """Return a text; a number is one too, as sources have numbers for ids."""
    value = body.get(field)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise wrong(field, "Not a valid string.")
    return str(value).strip()


def editable(
    body: Mapping[str, Any], source: Source, names: Iterable[str] | None = None
) -> dict[str, Any]:
    """Return the fields of these names (all of them) that an incident may be given or change."""
    return {name: EDITABLE[name](body, source) for name in (EDITABLE if names is None else names)}


def _description(body: Mapping[str, Any], _source: Source) -> str:
    return text(body, "description")


def _level(body: Mapping[str, Any], _source: Source) -> int:
    """Return a level; 5 where none is given."""
    value = body.get("level")
    if value is None:
        return Level.INFORMATION.value
    if isinstance(value, bool) or str(value) not in _LEVELS:
        raise wrong("level", "Write a whole number from 1 (critical) to 5 (information).")
    return _LEVELS[str(value)]


def moment(body: Mapping[str, Any], field: str) -> dt.datetime | None:
    """Return a time; one without an offset is in the site's time zone."""
    value = body.get(field)
    if value is None:
        return None
    try:
        found = parse_datetime(value) if isinstance(value, str) else None
        if found is not None:
            return found if timezone.is_aware(found) else timezone.make_aware(found)
    except (ValueError, OverflowError):
        pass
    raise wrong(field, "Write a time as ISO 8601, such as 2026-11-23T09:30:00+01:00.")


def _tags(body: Mapping[str, Any], source: Source) -> list[str]:
    """Return `[{"tag": "key=value"}]` as texts, each once; one without a value is left out."""
    listed = body.get("tags")
    if not isinstance(listed, list):
        raise wrong("tags", 'Write a list, such as [{"tag": "host=db1"}]; it may be empty.')
    found: dict[str, None] = {}
    for index, each in enumerate(listed):
        tag = each.get("tag") if isinstance(each, Mapping) else None
        if not isinstance(tag, str) or "=" not in tag:
            raise wrong(
                "tags", f'[{index}]: tags need to follow the format {{"tag": "key=value"}}.'
            )
        key, _, value = tag.partition("=")
        if value.strip():
            found[f"{key.strip()}={value.strip()}"] = None
    if len(found) > (most := limits_of(source).tags):
        raise wrong("tags", f"{len(found)} of them; this source may give {most}.")
    return list(found)


def _metadata(body: Mapping[str, Any], source: Source) -> Any:
    """Return the metadata; null is an empty object."""
    value = body.get("metadata")
    try:
        check_depth(source, {"metadata": value})  # as it is in the event
    except InvalidEvent as error:
        raise wrong("metadata", *(each.message for each in error.problems)) from error
    return {} if value is None else value


def _details_url(body: Mapping[str, Any], source: Source) -> str:
    """Return where to read more; a path is completed by its source's `base_url`."""
    found = text(body, "details_url")
    if not found or re.match(r"https?://", found):
        return found
    if not source.base_url:
        raise wrong(
            "details_url",
            "Write an address that starts with http:// or https://, or have an operator give this "
            "source a base URL, which completes paths.",
        )
    return urljoin(source.base_url, found)


def _ticket_url(body: Mapping[str, Any], _source: Source) -> str:
    """Return the address of a ticket; it may be empty."""
    found = text(body, "ticket_url")
    event_of({"description": "-", "details_url": found}, {"details_url": "ticket_url"})
    return found


EDITABLE: dict[str, Callable[[Mapping[str, Any], Source], Any]] = {
    "description": _description,
    "details_url": _details_url,
    "level": _level,
    "metadata": _metadata,
    "tags": _tags,
    "ticket_url": _ticket_url,
}
"""How the fields are read that an incident may be given and change."""
