"""What a person does to an incident: acknowledge it, close it, open it again."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db import transaction

from notifier.errors import InvalidEvent, Problem
from notifier.intake.accepting import accept
from notifier.intake.schema import parse_event
from notifier.models import Event, Incident

if TYPE_CHECKING:
    from django.contrib.auth.models import User


@transaction.atomic
def act(
    incident: Incident,
    deed: Event.Type,
    *,
    by: User,
    description: str = "",
    expires: dt.datetime | None = None,
) -> UUID | None:
    """Post an event of an incident's own source, with its doer as actor; return the event's id.

    None where an incident is as it would be left: then nobody is told anything. The event is for
    whom the one was that last described the incident: it has its tags and its recipients, and
    without a `description` its text. `expires` is when an acknowledgement ends. Raises
    `InvalidEvent` for a text or a time that breaks a rule, and for what can't be done: a stateless
    incident can neither be closed nor opened.
    """
    rows = Incident.objects.select_for_update(of=("self",)).select_related("source")
    locked = rows.get(pk=incident.pk)
    if _is_so(locked, deed):
        return None
    fields = {**_like_before(locked, by), "type": deed.value, "actor": by.get_username()[:150]}
    if description:
        fields["description"] = description
    if expires:
        fields["expires"] = expires
    return accept([parse_event(fields)], locked.source)[0].id


def _is_so(incident: Incident, deed: Event.Type) -> bool:
    if deed == Event.Type.ACKNOWLEDGE:
        return incident.acked and incident.ack_expires is None
    if not incident.stateful:
        raise InvalidEvent(
            [Problem("incident", "it was over as it began: nothing to close or open")]
        )
    return incident.open == (deed in Event.OPENING)


def _like_before(incident: Incident, by: User) -> dict[str, Any]:
    events = incident.events.order_by("-sequence")
    before = events.filter(type__in=Event.DESCRIBING).first() or events[0]
    fields = {
        "incident_key": incident.incident_key,
        "level": incident.level,
        "description": before.description,
        "tags": before.tags,
        "details_url": before.details_url,
    }
    if before.recipients is not None:
        model = get_user_model()
        those = model.objects.filter(**{f"{model.USERNAME_FIELD}__in": before.recipients})
        there = those.values_list(model.USERNAME_FIELD, flat=True)
        # one whose recipients are all gone is still no business of others
        fields["recipients"] = sorted(there) or [by.get_username()]
    return fields
