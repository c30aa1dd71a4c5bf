"""What a chat's card shows of an event: plain texts, for a medium to escape and cut."""

from __future__ import annotations

import bisect
import re
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from django.utils.dateformat import format as format_date
from django.utils.timezone import localtime
from django.utils.translation import pgettext

from notifier.messages import render

if TYPE_CHECKING:
    from notifier.models import Event

_UNSEEN = re.compile(
    # C0 and C1 but tab and newline; what turns the direction of the text behind it; surrogates
    "[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def plain(text: str) -> str:
    """Return a text without control characters; line ends become newlines."""
    return _UNSEEN.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).strip()


def cut(text: str, most: int, size: Callable[[str], int]) -> str:
    """Return as much of a text's beginning as has at most this size, with … where it was cut.

    `size` never shrinks when a text grows.
    """
    if size(text) <= most:
        return text
    fitting = bisect.bisect_right(
        range(len(text)), most, key=lambda length: size(f"{text[:length]}…")
    )
    return f"{text[: fitting - 1].rstrip()}…" if fitting else ""


def texts(slug: str, event: Event) -> tuple[str, str]:
    """Return a card's title (one line) and its body, from a medium's `title.txt` and `body.txt`."""
    title, body = (plain(render(slug, f"{part}.txt", event)) for part in ("title", "body"))
    return " ".join(title.split()), body


def facts(event: Event) -> list[tuple[str, str]]:
    """Return what else is to be told of an event: names and values, at most four."""
    found = [(pgettext("notification", "Time"), _date(event.timestamp))]
    if event.incident:
        since = pgettext("notification", "since {time}").format(
            time=_date(event.incident.start_time)
        )
        found.append(
            (pgettext("notification", "Incident"), f"{event.incident.incident_key}, {since}")
        )
    if event.actor:
        found.append((pgettext("notification", "By"), event.actor))
    if event.tags:
        found.append((pgettext("notification", "Tags"), ", ".join(event.tags)))
    return [(name, plain(value)) for name, value in found]


def link(event: Event) -> str:
    """Return the web address of an event's details, or an empty text."""
    url = plain(event.details_url)
    return url if url.startswith(("https://", "http://")) else ""


def _date(moment: datetime) -> str:
    return format_date(localtime(moment), "Y-m-d H:i:s T")
