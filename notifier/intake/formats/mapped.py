"""Any JSON, read by the mapping that is kept on its source."""

from __future__ import annotations

from typing import Any

from notifier.intake import field_mapping
from notifier.intake.formats.posted import Posted
from notifier.intake.reports import Report


def matches(posted: Posted, raw: Any) -> bool:
    """Say whether the source says how its JSON is read."""
    return raw is not None and bool(posted.source.mapping)


def read(posted: Posted) -> list[Report]:
    """Return a report for each event that the mapping finds."""
    return field_mapping.read(
        posted.source.mapping,
        posted.json,
        default_level=posted.source.default_level,
        most_tags=posted.limits.tags,
        depth=posted.limits.depth,
    )
