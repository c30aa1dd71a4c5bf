"""Making foreign values fit an event: cleaned and cut, so that one bad value costs no alarm.

Whoever sends a group of alerts drops all of them where one is refused. So what a monitoring system
says is taken as far as it goes; what had to be changed is kept as it was beside it, in `metadata`.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from notifier.intake.plain import MAX_DEPTH
from notifier.intake.schema import (
    EARLIEST,
    FUTURE_ALLOWED,
    LATEST_EXPIRY,
    MAX_DESCRIPTION,
    MAX_METADATA_BYTES,
)

NAME_LENGTH = 255
TAG_LENGTH = 256
KEY_LENGTH = 100
URL_LENGTH = 2048
ACTOR_LENGTH = 150
LEVELS_OF_METADATA = MAX_DEPTH - 1
"""An event is one level itself."""

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_NO_KEY = re.compile(r"[^A-Za-z0-9_.:/@-]")
_URL = re.compile(r'https?://[^\s<>"]+')
_CUTS = ((10_000, MAX_METADATA_BYTES), (1000, 4096), (100, 1024), (30, 256), (10, 64))
"""Most items of a container and characters of a text, tried in turn until metadata fits."""
_LAST_CUT = 8000
_MILLISECONDS_FROM = 1e11
"""A time as a number of seconds is less until the year 5138."""


def text(value: object, most: int = MAX_DESCRIPTION) -> str:
    """Return a value as text that can be stored: no NUL, no half characters, no space around it."""
    clean = _UNSTORABLE.sub("\ufffd", _written(value)).strip()
    return clean if len(clean) <= most else f"{clean[: most - 1].rstrip()}…"


def name(value: object, most: int = NAME_LENGTH) -> str:
    """Return a name by which equal values are known and others are not; empty for nothing.

    What is too long or can't be stored as it is ends in a digest of what it was.
    """
    written = _written(value)
    clean = _UNSTORABLE.sub("\ufffd", written)
    if clean == written and len(written) <= most:
        return written
    return f"{clean[: most - 65]}#{digest(written)}"


def _written(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping | list):
        value = _pruned(value, MAX_DEPTH, *_CUTS[0])
    return "" if value is None else json.dumps(value)


def digest(written: str) -> str:
    """Return the SHA-256 of a text, whatever it holds."""
    return hashlib.sha256(written.encode("utf-8", "surrogatepass")).hexdigest()


def tags(pairs: Iterable[tuple[object, object]], most: int) -> list[str]:
    """Return pairs as tags: odd characters of keys replaced, empty values left out."""
    found = dict.fromkeys(filter(None, (_tag(key, value) for key, value in pairs)))
    return list(found)[:most]


def _tag(key: object, value: object) -> str:
    key = _NO_KEY.sub("_", text(key, KEY_LENGTH))
    if key and not (key[0].isalnum() or key[0] == "_"):
        key = f"_{key}"
    value = text(value, TAG_LENGTH - len(key) - 1)
    return f"{key}={value}" if key and value else ""


def url(value: object) -> str:
    """Return a link that can be stored, else nothing."""
    fits = isinstance(value, str) and len(value) <= URL_LENGTH and _URL.fullmatch(value)
    return "" if not fits or _UNSTORABLE.search(str(value)) else str(value)


def moment(value: object) -> dt.datetime | None:
    """Return when something happened; None for what is no time, or none that can be."""
    read = _moment(value)
    latest = dt.datetime.now(dt.UTC) + FUTURE_ALLOWED
    return read if read and EARLIEST <= read < latest - dt.timedelta(minutes=1) else None


def expiry(value: object) -> dt.datetime | None:
    """Return a time to come; None for any other."""
    read, now = _moment(value), dt.datetime.now(dt.UTC)
    return read if read and now < read < now + LATEST_EXPIRY else None


def _moment(value: object) -> dt.datetime | None:
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            seconds = value / 1000 if abs(value) >= _MILLISECONDS_FROM else value
            return dt.datetime.fromtimestamp(seconds, dt.UTC)
        read = dt.datetime.fromisoformat(str(value))
        return (read if read.tzinfo else read.replace(tzinfo=dt.UTC)).astimezone(dt.UTC)
    except (ValueError, OverflowError, OSError):
        return None


def metadata(parts: Mapping[str, object], depth: int = MAX_DEPTH) -> dict[str, Any]:
    """Return what is not empty of some parts, so that it can be stored as an event's metadata.

    `depth` is how deep the whole event may be nested.
    """
    given = {name: value for name, value in parts.items() if value not in (None, "", [], {})}
    found: dict[str, Any] = {}
    for items, characters in _CUTS:
        found = _pruned(given, depth - 1, items, characters)
        if len(json.dumps(found)) <= MAX_METADATA_BYTES:
            return found
    return {"cut": text(json.dumps(found), _LAST_CUT)}


def _pruned(value: object, levels: int, items: int, characters: int) -> Any:
    """Return JSON of so many levels, items a container and characters a text."""
    if isinstance(value, str):
        return text(value, characters)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if not isinstance(value, Mapping | list):
        return value
    if levels <= 1:
        return "…" if value else type(value)()
    if isinstance(value, list):
        return [_pruned(each, levels - 1, items, characters) for each in value[:items]]
    return {
        text(key, NAME_LENGTH): _pruned(each, levels - 1, items, characters)
        for key, each in list(value.items())[:items]
    }
