"""Our own JSON, as `POST /api/v1/events` takes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from notifier.errors import InvalidEvent, Problem
from notifier.intake.formats.posted import Posted
from notifier.intake.reports import Report
from notifier.intake.schema import EventIn, parse_event, parse_events

MAX_EVENTS = 1000


def matches(_posted: Posted, raw: Any) -> bool:
    """Say whether this looks like one of our events, or a list of them."""
    first = raw[0] if isinstance(raw, list) and raw else raw
    return (
        isinstance(first, Mapping)
        and "description" in first
        and first.keys() <= EventIn.model_fields.keys()
    )


def read(posted: Posted) -> list[Report]:
    """Return events that are stored as they are."""
    raw = posted.json
    events = (
        parse_events(raw, most=MAX_EVENTS, field="body")
        if isinstance(raw, list)
        else [parse_event(raw)]
    )
    if any(event.source not in {None, posted.source.name} for event in events):
        raise InvalidEvent([Problem("source", "another source's: leave it out")])
    return [Report(event, exact=True) for event in events]
