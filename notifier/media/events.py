"""The event as media and their templates see it: with Argus's names, and no query behind any.

An `Event` goes in with its source and incident loaded; what it offers is there too.
"""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from notifier.media.names import Name, Tag

if TYPE_CHECKING:
    from notifier import models

MAX_TITLE = 200

_TITLES = {
    "STA": "Incident started",
    "END": "Incident ended",
    "CHI": "Incident changed",
    "RES": "Incident restarted",
    "CLO": "Incident closed",
    "REO": "Incident reopened",
    "ACK": "Incident acknowledged",
    "OTH": "News of an incident",
}


def tell(event: models.Event) -> models.Event:
    """Return an event as media see it: to the type checker, and in all else, it is an `Event`."""
    return cast("models.Event", ToldEvent(event))


class ToldEvent:
    """An event with Argus's names: `actor.username`, `incident` (always), `acknowledgment`."""

    def __init__(self, event: models.Event) -> None:
        self._event = event
        self.actor = Name(event.actor, otherwise=event.source.name)
        self.tags = [Tag(tag) for tag in event.tags]
        self.incident = ToldIncident(event)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # also what copying looks for before there is an event
            raise AttributeError(name)
        return getattr(self._event, name)

    def __str__(self) -> str:
        """Say what happened in one line that may be a subject."""
        what = _TITLES.get(self._event.type, "")
        if what and self._event.actor:
            what += f" by {self._event.actor}"
        told = " ".join(f"{what}: {self.description}".removeprefix(": ").split())
        if len(told) > MAX_TITLE:
            told = told[: MAX_TITLE - 1] + "…"
        return f"{told} ({self._event.source.name})"

    @property
    def acknowledgment(self) -> Acknowledgment:
        """What an event of the type ACK has besides; `AttributeError` for any other."""
        if self._event.type != "ACK":
            raise AttributeError("acknowledgment")
        return Acknowledgment(self._event.expires)

    ack = acknowledgment


class Acknowledgment:
    """When the acknowledgement ends."""

    def __init__(self, expires: dt.datetime | None) -> None:
        self.expiration = expires or Never()


class Never:
    """No time: false, and written as nothing, where plugins ask any expiration for its text."""

    def __bool__(self) -> bool:
        return False

    def __str__(self) -> str:
        return ""

    def isoformat(self) -> str:
        """Return no text."""
        return ""


class ToldSource:
    """An incident's source with Argus's names."""

    def __init__(self, source: models.Source) -> None:
        self.pk = self.id = source.pk
        self.name = Name(source.name)
        self.base_url = source.base_url
        self.type = Name(source.type)
        self.user = Name(source.name)

    def __str__(self) -> str:
        return self.name


class ToldIncident:
    """An incident with Argus's names; `vars()` of it gives Argus's columns, as plugins expect.

    A stateless event has one too, which is false, so that `{% if event.incident %}` asks for one
    that can end. It was over as soon as it began.
    """

    def __init__(self, event: models.Event) -> None:
        incident = event.incident
        # in `_state`, as Django has it there too: plugins take it out of `vars()`
        self._state = SimpleNamespace(
            event=event, incident=incident, source=ToldSource(event.source)
        )
        self.id = incident.pk if incident else None
        self.start_time = incident.start_time if incident else event.timestamp
        self.end_time = incident.end_time if incident and incident.stateful else self.start_time
        self.source_id = event.source_id
        self.source_incident_id = incident.incident_key if incident else ""
        self.details_url = (incident and incident.details_url) or event.details_url
        self.description = (incident and incident.description) or event.description
        self.level = incident.level if incident else event.level
        self.ticket_url = incident.ticket_url if incident else ""
        self.metadata = event.metadata

    def __bool__(self) -> bool:
        return self.stateful

    def __str__(self) -> str:
        return f"{self.source}: {self.source_incident_id or self.description}"

    @property
    def pk(self) -> int | None:
        """The incident's id; None for an event without one."""
        return self.id

    @property
    def source(self) -> ToldSource:
        """Who reported it."""
        found: ToldSource = self._state.source
        return found

    @property
    def incident_key(self) -> str:
        """The source's own name of the incident."""
        return self.source_incident_id

    @property
    def stateful(self) -> bool:
        """Whether there is an incident that can end."""
        return bool(self._state.incident and self._state.incident.stateful)

    @property
    def open(self) -> bool:
        """Whether it has not ended."""
        return self.stateful and bool(self._state.incident.open)

    @property
    def acked(self) -> bool:
        """Whether somebody sees to it."""
        return bool(self._state.incident and self._state.incident.acked)

    @property
    def last_sequence(self) -> int:
        """The sequence of the event accepted last; 0 for an event without an incident."""
        return self._state.incident.last_sequence if self._state.incident else 0

    @property
    def tags(self) -> list[Tag]:
        """The event's tags, as `key=value` with its parts."""
        return [Tag(tag) for tag in self._state.event.tags]

    deprecated_tags = tags

    def get_level_display(self) -> str:
        """Return the level's name."""
        named = self._state.incident or self._state.event
        return str(named.get_level_display())

    def pp_level(self) -> str:
        """Return the level's name, as Argus calls it."""
        return self.get_level_display()

    def pp_details_url(self) -> str:
        """Return where to read more, or an empty text."""
        return self.details_url
