"""Events, destinations and rows for the media that post."""

from __future__ import annotations

import datetime as dt
import json
import socket
import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from notifier.fingerprint import fingerprint
from notifier.media.base import Destination, Medium, Outcome
from notifier.media.posting import PostingMedium
from notifier.models import Delivery, DestinationConfig, Event, Incident, Source
from notifier.testing.scripted_http import Fault, Request, Site, answer, close

if TYPE_CHECKING:
    from django.contrib.auth.models import User

SECRET = "S3CR3T"
MOMENT = dt.datetime(2026, 11, 23, 12, 30, tzinfo=dt.UTC)
HOSTILE = {
    "markup": "<!channel> <b>bold</b> *b* _i_ [x](javascript:alert(1)) <https://evil.example|pay>",
    "control": "a\0b\x1b[2J\x07\x85c\r\nd\u202ereversed\ud800",
    "100 KB": "x" * 100_000,
    "100 KB of quotes": '"\\' * 50_000,
    "100 KB of markup": "*<&>\n" * 20_000,
    "emoji": "🔥" * 25_000,
    "right to left": "الخادم لا يستجيب منذ خمس دقائق",
    "nothing to be seen": "\x01\u202e",
}


def an_event(*, stateful: bool = False, **columns: Any) -> Event:
    """Return an event that no database knows."""
    source = Source(name="shop", type="app")
    threaded: dict[str, Any] = {}
    if stateful:
        incident = Incident(
            source=source, incident_key="core-1:ge-0/0/1", level=2, start_time=MOMENT
        )
        threaded = {"type": "STA", "incident": incident, "sequence": 1, "open": True}
        threaded["acked"] = False
    return Event(
        **{
            "id": uuid.UUID(int=7),
            "source": source,
            "type": "LES",
            "level": 2,
            "description": "Link to core-2 is down",
            "tags": ["host=core-1", "site=oslo"],
            "timestamp": MOMENT,
            "details_url": "https://nms.example.org/1?a=1&b=2",
            **threaded,
            **columns,
        }
    )


def hostile_event(text: str) -> Event:
    """Return an event with the same text wherever a source may put one."""
    event = an_event(
        stateful=True, description=text, actor=text[:150], tags=[f"k={text[:250]}"] * 64
    )
    event.source.name = event.incident.incident_key = text[:255]  # type: ignore[union-attr] # is stateful
    return event


def a_destination(medium: PostingMedium, settings: Mapping[str, Any], key: str) -> Destination:
    """Return a destination as a worker would hand it out."""
    known = Medium(medium.MEDIA_SLUG, medium.MEDIA_NAME)
    return Destination(
        message_key=key, pk=1, media=known, settings=settings, label="", username="anna"
    )


def send(
    medium: PostingMedium, event: Event, settings: Mapping[str, Any], key: str = "event.1"
) -> Outcome:
    """Send as a worker does; return how it ended."""
    with medium.session() as session:
        [outcome] = medium.send(event, [a_destination(medium, settings, key)], session=session)
    return outcome


def add_row(
    user: User, source: Source, medium: PostingMedium, settings: Mapping[str, Any]
) -> Delivery:
    """Add a delivery of an event of its own, due, to the destination with these settings."""
    destination, _ = DestinationConfig.objects.get_or_create(
        user=user,
        media_id=medium.MEDIA_SLUG,
        fingerprint=fingerprint(medium.MEDIA_SLUG, medium.canonical_address(settings)),
        defaults={"settings": dict(settings)},
    )
    event = an_event(id=uuid.uuid4(), source=source, body_sha256="0" * 64, state="dispatched")
    event.save()
    return Delivery.objects.create(
        event=event, destination=destination, user=user, medium=medium.MEDIA_SLUG, urgency=2
    )


Judge = Callable[[Request], tuple[int, str, bytes]]
"""Says what a provider answers: status, a further header or none, body."""


def provider(judge: Judge) -> Fault:
    """Return a server that looks at each request before it answers."""

    def reply(connection: socket.socket, site: Site) -> None:
        status, header, body = judge(site.requests[-1])
        headers = [header] if header else []
        connection.sendall(answer(status, "Connection: close", *headers, body=body))
        close(connection, site)

    return reply


def json_of(request: Request) -> Any:
    """Return what was posted."""
    return json.loads(request.body)
