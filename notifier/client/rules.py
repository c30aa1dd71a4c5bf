"""What can be checked of an event without a server: `notifier.intake.schema`, without pydantic.

What passes here is an event there, but for what only a server knows: its sources and its users. A
property holds the two together.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

MAX_DESCRIPTION = 16_384
MAX_TAGS = 64
MAX_RECIPIENTS = 10_000
MAX_METADATA_BYTES = 65_536
TYPES = ("STA", "END", "CHI", "RES", "CLO", "REO", "ACK", "OTH", "LES")
FIELDS = (
    "description",
    "type",
    "level",
    "tags",
    "source",
    "incident_key",
    "recipients",
    "timestamp",
    "details_url",
    "metadata",
    "source_event_id",
    "expires",
)
_EARLIEST = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
MOMENTS = {
    "timestamp": ("a day", dt.timedelta(days=1)),
    "expires": ("ten years", dt.timedelta(3650)),
}
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:/@-]*=.+", re.DOTALL)
_URL = re.compile(r'|https?://[^\s<>"]+')
_LONGEST = {"description": MAX_DESCRIPTION, "details_url": 2048}
_TEXT_LENGTH, _TAG_LENGTH, _USERNAME_LENGTH = 255, 256, 254


def broken_rules(event: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each field that breaks a rule, and the rule with the way out."""
    yield from _text_problems(event)
    level = event.get("level", 1)
    if not isinstance(level, int) or isinstance(level, bool) or not 1 <= level <= 5:  # noqa: PLR2004 - the levels there are
        yield "level", "must be a number from 1 (critical) to 5 (information)"
    yield from _tag_problems(event.get("tags", []))
    yield from _recipient_problems(event.get("recipients", ["-"]))
    for name in MOMENTS.keys() & event.keys():
        yield from _moment_problems(name, event[name])
    yield from _metadata_problems(event.get("metadata", {}))
    yield from _thread_problems(event)


def _text_problems(event: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if not event.get("source"):
        yield "source", "name it here or in Notifier(…, source=…)"
    for name in ("description", "source", "incident_key", "source_event_id", "details_url"):
        value, longest = event.get(name), _LONGEST.get(name, _TEXT_LENGTH)
        if value is None:
            continue
        if not isinstance(value, str):
            yield name, "must be a text"
        elif len(value) > longest:
            yield name, f"has {len(value):,} characters; at most {longest:,}"
        elif not value and name in {"incident_key", "source_event_id"}:
            yield name, "must not be empty; leave it out"
    description = event.get("description", "")
    if isinstance(description, str) and not description.strip():
        yield "description", "must say what happened"
    url = event.get("details_url", "")
    if isinstance(url, str) and not _URL.fullmatch(url):
        yield "details_url", "must start with http:// or https://, without a space"


def _tag_problems(tags: object) -> Iterator[tuple[str, str]]:
    listed = [f"{key}={value}" for key, value in tags.items()] if isinstance(tags, dict) else tags
    if not isinstance(listed, list):
        yield "tags", "must be a mapping, or a list of texts"
        return
    if len(listed) > MAX_TAGS:
        yield "tags", f"at most {MAX_TAGS}; these are {len(listed):,}"
        return
    for index, tag in enumerate(listed):
        if not isinstance(tag, str) or not _TAG.fullmatch(tag):
            yield (
                f"tags[{index}]",
                "must be key=value; a key holds letters, digits and _ . : / @ - only",
            )
        elif len(tag) > _TAG_LENGTH:
            yield f"tags[{index}]", f"has {len(tag):,} characters; at most {_TAG_LENGTH}"


def _recipient_problems(recipients: object) -> Iterator[tuple[str, str]]:
    if not isinstance(recipients, list):
        yield "recipients", "must be a list of usernames"
    elif not 1 <= len(recipients) <= MAX_RECIPIENTS:
        yield "recipients", f"1 to {MAX_RECIPIENTS:,} usernames; leave it out to name nobody"
    else:
        for index, name in enumerate(recipients):
            if not isinstance(name, str) or not 1 <= len(name) <= _USERNAME_LENGTH:
                yield (
                    f"recipients[{index}]",
                    f"must be a username of at most {_USERNAME_LENGTH} characters",
                )


def _moment_problems(name: str, moment: object) -> Iterator[tuple[str, str]]:
    if not isinstance(moment, dt.datetime) or moment.utcoffset() is None:
        yield name, "must be a datetime with a time zone"
        return
    said, ahead = MOMENTS[name]
    if not _EARLIEST <= moment <= dt.datetime.now(dt.UTC) + ahead:
        yield name, f"must lie between the year 2000 and {said} from now"


def _metadata_problems(metadata: object) -> Iterator[tuple[str, str]]:
    if not isinstance(metadata, dict):
        yield "metadata", "must be a mapping"
        return
    try:
        size = len(json.dumps(metadata))
    except (TypeError, ValueError, RecursionError) as error:
        yield "metadata", f"is no JSON: {error}"
        return
    if size > MAX_METADATA_BYTES:
        yield "metadata", f"{size:,} bytes as JSON; at most {MAX_METADATA_BYTES:,}"


def _thread_problems(event: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    threaded = "incident_key" in event
    kind = event.get("type", "LES")
    if threaded and not event.get("type"):
        kind = "STA"
    if kind not in TYPES:
        yield "type", f"must be one of {', '.join(TYPES)}"
    elif kind == "LES" and threaded:
        yield (
            "type",
            "a stateless event (LES) belongs to no incident: leave out incident_key, or type",
        )
    elif kind != "LES" and not threaded:
        yield "incident_key", f"type {kind} needs the thread that it belongs to"
