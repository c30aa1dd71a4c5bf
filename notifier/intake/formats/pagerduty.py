"""PagerDuty's Events API v2: https://developer.pagerduty.com/docs/events-api-v2-overview.

A trigger opens, or changes, the incident that its `dedup_key` names; without one it opens a new one.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from notifier.errors import InvalidEvent, Problem
from notifier.intake.formats import fitting
from notifier.intake.formats.posted import Posted
from notifier.intake.formats.severity import level_of
from notifier.intake.reports import Report
from notifier.intake.schema import parse_event

_TYPES = {"trigger": "STA", "acknowledge": "ACK", "resolve": "END"}
_TAGS = ("source", "component", "group", "class")


def matches(_posted: Posted, raw: Any) -> bool:
    """Say whether this is an event of PagerDuty's."""
    return isinstance(raw, Mapping) and "event_action" in raw


def read(posted: Posted) -> list[Report]:
    """Return the one report."""
    raw = posted.json
    if not isinstance(raw, Mapping):
        raise InvalidEvent([Problem("event", "an event of PagerDuty's is an object")])
    action = raw.get("event_action")
    if not isinstance(action, str) or action not in _TYPES:
        raise InvalidEvent([Problem("event_action", f"write one of {', '.join(_TYPES)}")])
    payload = raw.get("payload")
    payload = payload if isinstance(payload, Mapping) else {}
    summary = fitting.text(payload.get("summary"))
    key = fitting.name(raw.get("dedup_key"))
    if action == "trigger":
        key = key or uuid.uuid4().hex
        if not summary:
            raise InvalidEvent([Problem("payload.summary", "required: what happened, for people")])
    elif not key:
        raise InvalidEvent([Problem("dedup_key", f"required to {action}: the incident's")])
    event = {
        "type": _TYPES[action],
        "level": level_of(payload.get("severity"), posted.source.default_level),
        "description": summary or f"{action.capitalize()}: {key}",
        "tags": fitting.tags(((name, payload.get(name)) for name in _TAGS), posted.limits.tags),
        "incident_key": key,
        "timestamp": fitting.moment(payload.get("timestamp")),
        "details_url": _link(raw),
        "actor": fitting.text(raw.get("client"), fitting.ACTOR_LENGTH),
        "metadata": fitting.metadata(
            {
                **{name: raw.get(name) for name in ("client", "client_url", "links", "images")},
                "custom_details": payload.get("custom_details"),
            },
            posted.limits.depth,
        ),
    }
    return [Report(parse_event(event), bare=not summary)]


def _link(raw: Mapping[str, Any]) -> str:
    links = raw.get("links")
    first = links[0] if isinstance(links, list) and links else None
    link = fitting.url(first.get("href")) if isinstance(first, Mapping) else ""
    return link or fitting.url(raw.get("client_url"))
