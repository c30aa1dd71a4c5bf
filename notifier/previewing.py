"""Preview: what would be sent, without sending it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils import timezone

from notifier.errors import NotifierError
from notifier.ids import new_event_id
from notifier.media.base import NotificationMedium
from notifier.media.events import tell
from notifier.media.registry import get_medium
from notifier.messages import watch
from notifier.models import DestinationConfig, Event, Incident, Source
from notifier.models.event import Level
from notifier.models.person import locale_of

if TYPE_CHECKING:
    from django.contrib.auth.models import User


class NoPreview(NotifierError):  # noqa: N818 - reads as what it is
    """A medium that renders as it sends: there is nothing to show before."""


@dataclass(frozen=True, slots=True)
class Preview:
    """One message as it would be sent: its parts by name, and the files they were made from."""

    medium: str
    language: str
    time_zone: str
    parts: dict[str, str]
    templates: tuple[str, ...]


def preview(event: Event, to: DestinationConfig | str, user: User | None = None) -> Preview:
    """Render an event as a destination, or a user of the medium with that slug, would get it.

    Without a user it is the site's language and time zone. Neither event nor destination need be
    saved. Raises `ImproperlyConfigured` for a medium that the site lacks, `NoPreview` for one that
    renders as it sends, `TemporaryError` where its template is broken.
    """
    slug, template = (to, "") if isinstance(to, str) else (to.media_id, to.template)
    owner = user if isinstance(to, str) else to.user
    medium = get_medium(slug)
    if type(medium).render is NotificationMedium.render:
        raise NoPreview(
            f"{medium.MEDIA_NAME} makes its messages as it sends them; write its `render` to see them."
        )
    language, time_zone = locale_of(owner)
    with watch() as used:
        message = medium.render_for(tell(event), language, time_zone, template)
    return Preview(
        medium=slug,
        language=language,
        time_zone=time_zone,
        parts=medium.preview(message),
        templates=tuple(used),
    )


def sample(event_type: str = Event.Type.STATELESS) -> Event:
    """Invent an event of a type; nothing is saved."""
    now = timezone.now()
    source = Source(name="sample", type="app")
    event = Event(
        id=new_event_id(),
        source=source,
        type=event_type,
        level=Level.HIGH,
        description="Link to core-2 is down",
        tags=["host=core-1", "site=oslo"],
        timestamp=now,
        details_url="https://example.org/core-1",
        actor="anna",
    )
    if event_type != Event.Type.STATELESS:
        closed = event_type in Event.CLOSING
        event.open, event.acked = not closed, event_type == Event.Type.ACKNOWLEDGE
        event.incident = Incident(
            source=source,
            incident_key="core-1:ge-0/0/1",
            description=event.description,
            details_url=event.details_url,
            level=event.level,
            start_time=now - dt.timedelta(hours=2),
            end_time=now if closed else None,
            open=event.open,
            acked=event.acked,
        )
    return event
