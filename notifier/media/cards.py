"""What a chat's card shows of an event: plain texts, for a medium to escape and cut."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.translation import pgettext

from notifier.messages import render
from notifier.placeholders import written
from notifier.texts import one_line, plain

if TYPE_CHECKING:
    from notifier.models import Event


def texts(slug: str, event: Event) -> tuple[str, str]:
    """Return a card's title (one line) and its body, from a medium's `title.txt` and `body.txt`."""
    title, body = (render(slug, f"{part}.txt", event) for part in ("title", "body"))
    return one_line(title), plain(body).strip()


def facts(event: Event) -> list[tuple[str, str]]:
    """Return what else is to be told of an event: names and values, at most four."""
    found = [(pgettext("notification", "Time"), written(event.timestamp))]
    if event.incident:
        since = pgettext("notification", "since {time}").format(
            time=written(event.incident.start_time)
        )
        found.append(
            (pgettext("notification", "Incident"), f"{event.incident.incident_key}, {since}")
        )
    if event.actor:
        found.append((pgettext("notification", "By"), event.actor))
    if event.tags:
        found.append((pgettext("notification", "Tags"), ", ".join(event.tags)))
    return [(name, plain(value).strip()) for name, value in found]


def link(event: Event) -> str:
    """Return the web address of an event's details, or an empty text."""
    url = plain(event.details_url).strip()
    return url if url.startswith(("https://", "http://")) else ""
