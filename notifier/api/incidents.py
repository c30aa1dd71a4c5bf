"""Incidents: looked at, and acknowledged, closed and opened again by hand."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone
from ninja import Query
from pydantic import AwareDatetime, BaseModel, Field

from notifier.api import past_events
from notifier.api.callers import CallerRequest
from notifier.api.moments import Written
from notifier.api.operations import Id, Operations
from notifier.api.paging import Page, Paging
from notifier.api.past_events import ShownEvent
from notifier.api.problems import Refused
from notifier.api.scanning import page_newest
from notifier.api.strict import Given
from notifier.errors import Problem
from notifier.intake.acting import act
from notifier.intake.schema import MAX_DESCRIPTION
from notifier.models import Event, Incident
from notifier.visibility import visible_incidents

operations = Operations("incidents")

VIEW, CHANGE = "notifier.view_incident", "notifier.change_incident"


class ShownIncident(BaseModel):
    """The thread that a source's stateful events belong to."""

    EXAMPLE: ClassVar[dict[str, Any]] = {
        "id": 12,
        "source": "network-monitor",
        "incident_key": "core-1:ge-0/0/1",
        "description": "Link to core-2 is down",
        "details_url": "https://monitor.example.org/4711",
        "level": 2,
        "start_time": "2026-11-23T09:30:00Z",
        "end_time": None,
        "open": True,
        "acked": False,
        "ack_expires": None,
        "ticket_url": "",
    }

    id: int
    source: str
    incident_key: str
    description: Annotated[
        str, Field(description="What the last event said of it that you may see.")
    ]
    details_url: str
    level: int
    start_time: AwareDatetime
    end_time: Annotated[
        AwareDatetime | None, Field(description="Null while it is open, and of a stateless one.")
    ]
    open: bool
    acked: bool
    ack_expires: Annotated[
        AwareDatetime | None, Field(description="When it counts as acknowledged no more.")
    ]
    ticket_url: str


class DoneIncident(ShownIncident):
    """An incident to which something was done."""

    EXAMPLE: ClassVar[dict[str, Any]] = {
        **ShownIncident.EXAMPLE,
        "acked": True,
        "event": "0193508a-9b1c-7d6e-9c55-2f6a4b1d0c3f",
    }

    event: Annotated[
        UUID | None,
        Field(description="The event that tells of it; null where it was like this before."),
    ]


class Deed(Given):
    """What is done to an incident, in the doer's own words."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"description": "I pulled the plug"}

    description: Annotated[
        str,
        Field(
            max_length=MAX_DESCRIPTION,
            description="What those are told who are told of it; left out: the incident's own.",
        ),
    ] = ""


class Acknowledgement(Deed):
    """That somebody sees to an incident, perhaps for a time."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"description": "Anna is on her way"}

    expires: Annotated[
        Written | None, Field(description="From then on it counts no more; left out: for good.")
    ] = None


class AskedIncidents(Paging):
    """Which incidents are asked for: those of which all this is true."""

    source: Annotated[str | None, Field(max_length=100, description="Of this source.")] = None
    open: Annotated[bool | None, Field(description="Whether it has not ended.")] = None
    acked: Annotated[bool | None, Field(description="Whether somebody sees to it.")] = None
    max_level: Annotated[
        int | None, Field(ge=1, le=5, description="As bad as this or worse; 1 is critical.")
    ] = None
    since: Annotated[Written | None, Field(description="Begun at this time or later.")] = None
    until: Annotated[Written | None, Field(description="Begun before this time.")] = None

    def narrow(self, rows: QuerySet[Incident]) -> QuerySet[Incident]:
        """Return those of some rows that are asked for."""
        names = {
            "source": "source__name",
            "max_level": "level__lte",
            "since": "start_time__gte",
            "until": "start_time__lt",
        }
        said = self.model_dump(exclude_none=True, exclude={"limit", "cursor"})
        return rows.filter(**{names.get(name, name): value for name, value in said.items()})


@operations.get("/incidents", summary="List incidents", returns=Page[ShownIncident])
def list_incidents(request: CallerRequest, asked: Query[AskedIncidents]) -> Page[ShownIncident]:
    """List the incidents that you may see, the one that was made last first.

    These are those of whose events you may see one; to operators who may view incidents, all. A page
    may hold fewer than `limit`, even none, while `next` says that more follow.
    """
    rows = Incident.objects.select_related("source")
    if asked.open:  # these have an index
        rows = rows.filter(open=True)
    found, following = page_newest(
        request, rows, asked, by="id", narrow=lambda rows: _seen_by(request, asked.narrow(rows))
    )
    return Page(items=_shown(found), next=following)


@operations.get("/incidents/{incident_id}", summary="Show an incident", returns=ShownIncident)
def get_incident(request: CallerRequest, incident_id: Id) -> ShownIncident:
    """Show an incident that you may see."""
    return _shown([_incident(request, incident_id)])[0]


@operations.get(
    "/incidents/{incident_id}/events",
    summary="List the events of an incident",
    returns=Page[ShownEvent],
)
def list_events_of_incident(
    request: CallerRequest, incident_id: Id, asked: Query[Paging]
) -> Page[ShownEvent]:
    """List those of an incident's events that you may see, the last one first.

    A page may hold fewer than `limit`, even none, while `next` says that more follow.
    """
    incident = _incident(request, incident_id)
    found, following = page_newest(
        request,
        Event.objects.filter(incident=incident).select_related("source"),
        asked,
        by="sequence",
        narrow=lambda rows: past_events.seen_by(request, rows),
    )
    return Page(items=[past_events.shown(request, each) for each in found], next=following)


@operations.post(
    "/incidents/{incident_id}/ack",
    summary="Acknowledge an incident",
    returns=DoneIncident,
    status=200,
    permissions=(VIEW, CHANGE),
)
def ack_incident(request: CallerRequest, incident_id: Id, body: Acknowledgement) -> DoneIncident:
    """Acknowledge an incident, in your name.

    Whoever was told of it hears of this, as of any event of its source. What is acknowledged already
    stays so, and nobody hears of it.
    """
    if body.expires and body.expires <= timezone.now():
        raise Refused.invalid(Problem("expires", "must lie in the future"))
    return _do(request, incident_id, Event.Type.ACKNOWLEDGE, body, expires=body.expires)


@operations.post(
    "/incidents/{incident_id}/close",
    summary="Close an incident",
    returns=DoneIncident,
    status=200,
    permissions=(VIEW, CHANGE),
)
def close_incident(request: CallerRequest, incident_id: Id, body: Deed) -> DoneIncident:
    """Close an incident, in your name, as `ack` acknowledges it. A stateless one can't be."""
    return _do(request, incident_id, Event.Type.CLOSE, body)


@operations.post(
    "/incidents/{incident_id}/reopen",
    summary="Open an incident again",
    returns=DoneIncident,
    status=200,
    permissions=(VIEW, CHANGE),
)
def reopen_incident(request: CallerRequest, incident_id: Id, body: Deed) -> DoneIncident:
    """Open an incident that was closed again, in your name, as `ack` acknowledges it.

    A `description` becomes the incident's own.
    """
    return _do(request, incident_id, Event.Type.REOPEN, body)


def _do(
    request: CallerRequest,
    incident_id: int,
    deed: Event.Type,
    body: Deed,
    *,
    expires: dt.datetime | None = None,
) -> DoneIncident:
    incident = _incident(request, incident_id)
    event = act(incident, deed, by=request.auth.user, description=body.description, expires=expires)
    [shown] = _shown([_incident(request, incident_id)])
    return DoneIncident(**shown.model_dump(), event=event)


def _seen_by(request: CallerRequest, rows: QuerySet[Incident]) -> QuerySet[Incident]:
    return rows if request.auth.operates(VIEW) else visible_incidents(request.auth.user, rows)


def _incident(request: CallerRequest, incident_id: int) -> Incident:
    rows = Incident.objects.filter(pk=incident_id).select_related("source")
    found = _seen_by(request, rows).first()
    if found is None:
        raise Refused(404, "Not found", f"There is no incident {incident_id} that you may see.")
    return found


def _shown(rows: Sequence[Incident]) -> list[ShownIncident]:
    """Return incidents as they are shown: to most people, as they may know them."""
    known = [each.known_by for each in rows if hasattr(each, "known_by")]
    events = Event.objects.only("description", "level").in_bulk(known)
    return [_one(each, events.get(getattr(each, "known_by", None), each)) for each in rows]


def _one(incident: Incident, said: Incident | Event) -> ShownIncident:
    return ShownIncident(
        id=incident.pk,
        source=incident.source.name,
        incident_key=incident.incident_key,
        description=said.description,
        details_url=getattr(incident, "known_url", incident.details_url),
        level=said.level,
        start_time=incident.start_time,
        end_time=incident.end_time,
        open=incident.open,
        acked=incident.acked,
        ack_expires=incident.ack_expires,
        ticket_url=incident.ticket_url,
    )
