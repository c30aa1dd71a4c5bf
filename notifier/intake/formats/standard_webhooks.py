"""JSON as Standard Webhooks advises to write it: `{"type": …, "timestamp": …, "data": {…}}`.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md#payload-structure

Read as the CloudEvent that it nearly is: what it lacks is an id, which is in a header, and a source.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from notifier.errors import InvalidEvent, Problem
from notifier.intake.formats import cloudevents
from notifier.intake.formats.posted import Posted
from notifier.intake.reports import Report


def matches(_posted: Posted, raw: Any) -> bool:
    """Say whether a body has the three members."""
    return (
        isinstance(raw, Mapping)
        and isinstance(raw.get("type"), str)
        and isinstance(raw.get("data"), Mapping)
        and "timestamp" in raw
    )


def read(posted: Posted) -> list[Report]:
    """Return the one report; its id is for whoever knows the header."""
    raw = posted.json
    if not matches(posted, raw) or not raw["type"]:
        raise InvalidEvent([Problem("body", 'write {"type": …, "timestamp": …, "data": {…}}')])
    attributes = {
        "specversion": "1.0",
        "id": "-",
        "source": posted.source.name,
        "type": raw["type"],
        "time": raw["timestamp"],
        "data": raw["data"],
    }
    report = cloudevents.report(attributes, posted)
    return [replace(report, event=report.event.model_copy(update={"source_event_id": None}))]
