"""What Argus's clients do to incidents, each told by an event like any other."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils import timezone

from notifier.api.argus import reading
from notifier.api.argus.answering import Refused, not_found, wrong
from notifier.api.argus.reading import INFINITY, event_of
from notifier.errors import Overloaded
from notifier.ids import new_event_id
from notifier.intake import overload
from notifier.intake.accepting import accept
from notifier.intake.incidents import lock_incidents
from notifier.intake.schema import EventIn
from notifier.models import Event, Incident, Source

CLOCK_TOLERANCE = dt.timedelta(minutes=1)
"""So far in the future an end has happened all the same."""
FOREVER_YEAR = 9999
"""What some languages call infinity."""
NO_DESCRIPTION = "(no description)"

_POSTED: dict[str, Collection[str]] = {
    Event.Type.START: {Event.Type.START},
    Event.Type.END: {*Event.CLOSING, Event.Type.STATELESS},
    Event.Type.RESTART: Event.OPENING,
    Event.Type.STATELESS: {Event.Type.STATELESS},
    Event.Type.CHANGE: (),
    Event.Type.OTHER: (),
}
"""The types that a source may post, each with those of which one before makes it a repeat."""
_FIXED = (
    "pk",
    "start_time",
    "end_time",
    "source",
    "source_incident_id",
    "stateful",
    "open",
    "acked",
)


def create(body: Mapping[str, Any], source: Source) -> Incident:
    """Open an incident; refuse a `source_incident_id` that is taken."""
    if "source" in body:
        raise wrong("source", "It is the token's own; leave this out.")
    fields = reading.editable(body, source)
    ticket_url = fields.pop("ticket_url")
    key = reading.text(body, "source_incident_id") or str(new_event_id())
    events = _first_events(body, key, fields)
    with transaction.atomic():
        incident = lock_incidents(events, source, timezone.now())[key]
        if incident.last_sequence:
            raise wrong(
                "source_incident_id",
                f"Incident {incident.pk} of this source has it: post an event there, or change it.",
            )
        _accept(events, source)
        if ticket_url:
            Incident.objects.filter(pk=incident.pk).update(ticket_url=ticket_url)
    return incident


def _first_events(body: Mapping[str, Any], key: str, fields: Mapping[str, Any]) -> list[EventIn]:
    """Return the start of an incident, and its end where it is over; or what is stateless."""
    fields = {
        **fields,
        "description": fields["description"] or NO_DESCRIPTION,
        "timestamp": reading.moment(body, "start_time"),
    }
    names = {"timestamp": "start_time", "incident_key": "source_incident_id"}
    start = event_of({**fields, "type": "STA", "incident_key": key}, names)
    if "end_time" not in body or body["end_time"] == INFINITY:
        return [start]
    if body["end_time"] is None:
        # the schema has no stateless event of an incident: only Argus has them
        return [event_of(fields, names).model_copy(update={"incident_key": key})]
    end_time = reading.moment(body, "end_time")
    if end_time is None or end_time.year == FOREVER_YEAR:
        return [start]
    if start.timestamp and end_time < start.timestamp:
        raise wrong("non_field_errors", "'end_time' cannot be before 'start_time'.")
    if end_time > timezone.now() + CLOCK_TOLERANCE:
        raise wrong(
            "end_time",
            'It lies in the future: post the incident with "infinity", and its end when it has ended.',
        )
    ended = {**fields, "type": "END", "incident_key": key, "timestamp": end_time}
    return [start, event_of(ended, {"timestamp": "end_time"})]


@transaction.atomic
def change(pk: int, body: Mapping[str, Any], source: Source) -> Incident:
    """Change what may be changed of an incident; told only where something is different."""
    if refused := {
        name: [
            "The field is not allowed to be changed."
            if name in _FIXED
            else f"The field does not exist; {', '.join(reading.EDITABLE)} may be changed."
        ]
        for name in body
        if name not in reading.EDITABLE
    }:
        raise Refused(400, refused)
    incident, said = _locked(pk, source)
    before = {**said, "ticket_url": incident.ticket_url}
    after = {**before, **reading.editable(body, source, body)}
    if after == before:
        return incident
    ticket_url = after.pop("ticket_url")
    _accept([event_of({**after, "type": "CHI"})], source, _recipients(incident))
    # which a change that other ways in post leaves as they are
    Incident.objects.filter(pk=pk).update(ticket_url=ticket_url, details_url=after["details_url"])
    return incident


@transaction.atomic
def post_event(pk: int, body: Mapping[str, Any], source: Source) -> Event:
    """Add an event, or return the one that it repeats."""
    kind = body.get("type")
    if not isinstance(kind, str) or kind not in _POSTED:
        allowed = ", ".join(_POSTED)
        raise wrong("type", f"A source cannot post events of this type; it may post {allowed}.")
    incident, said = _locked(pk, source)
    _check_state(kind, incident)
    if _is_so(kind, incident) and (one := _last(incident, _POSTED[kind])):
        return one
    fields = {
        **said,
        "type": kind,
        "timestamp": reading.moment(body, "timestamp"),
        "description": reading.text(body, "description") or said["description"],
    }
    stored = _accept([event_of(fields)], source, _recipients(incident))
    if kind == Event.Type.CHANGE:  # in Argus, news of a change changes nothing
        Incident.objects.filter(pk=pk).update(description=said["description"])
    return stored


def _check_state(kind: str, incident: Incident) -> None:
    if incident.stateful and kind == Event.Type.STATELESS:
        raise wrong("type", "An incident that can end has no stateless event.")
    if not incident.stateful and kind in {Event.Type.START, Event.Type.RESTART}:
        raise wrong("type", "Cannot change the state of a stateless incident.")


def _is_so(kind: str, incident: Incident) -> bool:
    """Say whether an incident is already as an event of a type would leave it."""
    if kind == Event.Type.END:
        return not incident.open
    return kind != Event.Type.RESTART or incident.open


@transaction.atomic
def acknowledge(pk: int, body: Mapping[str, Any], source: Source) -> Event:
    """Acknowledge an incident, for ever or until an expiration."""
    nested = body.get("event")
    given = {**(nested if isinstance(nested, Mapping) else {}), **body}
    incident, said = _locked(pk, source)
    timestamp, expires = reading.moment(given, "timestamp"), reading.moment(given, "expiration")
    if expires and expires <= (timestamp or timezone.now()):
        raise wrong("expiration", "It is earlier than the acknowledgement itself.")
    fields = {
        **said,
        "type": "ACK",
        "timestamp": timestamp,
        "expires": expires,
        "description": reading.text(given, "description") or said["description"],
    }
    return _accept([event_of(fields)], source, _recipients(incident))


def _locked(pk: int, source: Source) -> tuple[Incident, dict[str, Any]]:
    """Return an incident of a source, locked, and what an event says that changes nothing of it."""
    rows = Incident.objects.select_for_update(of=("self",)).filter(source=source)
    incident = rows.filter(pk=pk).first()
    if incident is None:
        raise not_found("incident")
    by = _last(incident, Event.DESCRIBING)
    return incident, {
        "incident_key": incident.incident_key,
        "description": incident.description or NO_DESCRIPTION,
        "level": incident.level,
        "details_url": incident.details_url,
        "tags": by.tags if by else [],
        "metadata": by.metadata if by else {},
    }


def _last(incident: Incident, types: Iterable[str]) -> Event | None:
    events = Event.objects.filter(incident=incident, type__in=types)
    return events.order_by("-sequence").first()


def _recipients(incident: Incident) -> list[str] | None:
    """Return who an incident is for where it is not for everybody: those of them who are there."""
    by = _last(incident, Event.DESCRIBING)
    if by is None or by.recipients is None:
        return None
    name = get_user_model().USERNAME_FIELD
    those = get_user_model().objects.filter(**{f"{name}__in": by.recipients})
    return sorted(those.values_list(name, flat=True))


def _accept(
    events: Sequence[EventIn], source: Source, recipients: list[str] | None = None
) -> Event:
    """Accept events, for somebody alone where need be, unless too much waits; return the first."""
    if overload.refuses(events, source):
        raise Overloaded(overload.RETRY_AFTER_S)
    if recipients is not None:
        events = [each.model_copy(update={"recipients": recipients}) for each in events]
    return Event.objects.get(pk=accept(events, source)[0].id)
