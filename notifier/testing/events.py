"""Events to send in tests: rows that are in no database."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from notifier.ids import new_event_id
from notifier.models import Event, Incident, Source

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)

HOSTILE = {
    "header injection": "a\r\nBcc: eve@example.org\r\nX-Injected: yes\r\n\r\nanother body",
    "other line breaks": "a\u2028X-Injected: yes\u2029b\x85X-Injected: yes\x0bc\x0cd",
    "end of a mail": "a\r\n.\r\nMAIL FROM:<eve@example.org>\r\n\n.\nb\r.\rc\n.",
    "markup": "</td><script>alert(1)</script> <!channel> <@U1> [x](javascript:alert(1)) *b* `c` & \"'",
    "placeholders": "{{ event.pk }} {% now 'Y' %} {0.__class__} {event} %(x)s %s ${HOME}",
    "control characters": "".join(map(chr, range(32))) + "\x7f\x9b[2J\x1b[2J\u202eabc\u200b\ufeff",
    "half of a surrogate pair": "a\ud800b\udfff",
    "100 KB": "word " * 20_000,
    "100 KB without a space": "x" * 100_000,
    "wide characters": "Kårsta 東京 🔥" * 100,
    "nothing": "",
}
"""What a source may write, by its kind."""

FIELDS = ("description", "tags", "details_url", "actor", "metadata", "source", "incident")
"""Where a source may write it."""


def an_event(kind: Event.Type = Event.Type.STATELESS, **fields: Any) -> Event:
    """Return an event of a kind, with a source and, unless it is stateless, an incident."""
    source = Source(pk=1, name="shop", type="app")
    stateful: dict[str, Any] = {}
    if kind != Event.Type.STATELESS:
        is_open = kind not in Event.CLOSING
        incident = Incident(
            pk=7,
            source=source,
            incident_key="db1:disk",
            description="The disk of db1 is full",
            details_url="https://shop.example/incidents/7",
            level=2,
            start_time=NOW,
            end_time=None if is_open else NOW,
            open=is_open,
        )
        stateful = {"incident": incident, "sequence": 1, "open": is_open, "acked": False}
    given = {
        "id": new_event_id(),
        "source": source,
        "type": kind,
        "level": 2,
        "description": "The disk of db1 is full",
        "tags": ["host=db1", "room=4"],
        "timestamp": NOW,
        "received": NOW,
        "details_url": "https://shop.example/events/1",
        "actor": "anna",
    }
    return Event(**given | stateful | fields)


def a_hostile_event(kind: Event.Type, field: str, text: str) -> Event:
    """Return an event that has a text in one of `FIELDS`."""
    event = an_event(kind)
    match field:
        case "tags":
            event.tags = [f"note={text}", "room=4"]
        case "details_url":
            event.details_url = f"https://shop.example/{text}"
        case "metadata":
            event.metadata = {"note": text, "deep": {"note": [text]}}
        case "source":
            event.source.name = text
        case "incident":
            if event.incident is None:
                return event
            event.incident.incident_key = event.incident.description = text
            event.incident.details_url = f"https://shop.example/{text}"
        case _:
            setattr(event, field, text)
    return event
