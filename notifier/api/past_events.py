"""Events that were accepted: who may see them sees what became of them."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from ninja import Query
from pydantic import AwareDatetime, BaseModel, Field

from notifier.api import choices, events
from notifier.api.callers import CallerRequest
from notifier.api.moments import Written
from notifier.api.operations import Operations
from notifier.api.paging import Page, Paging
from notifier.api.problems import Refused
from notifier.api.scanning import page_newest
from notifier.models import Event
from notifier.visibility import Holds, visible_events

operations = Operations("events", router=events.router)

VIEW = "notifier.view_event"


class ShownEvent(BaseModel):
    """An event as it was accepted, and how far it has come."""

    EXAMPLE: ClassVar[dict[str, Any]] = {
        "id": "0193508a-7b1c-7d6e-9c55-2f6a4b1d0c3e",
        "source": "network-monitor",
        "source_event_id": "4711",
        "type": "STA",
        "level": 2,
        "description": "Link to core-2 is down",
        "tags": ["host=core-1", "site=oslo"],
        "timestamp": "2026-11-23T09:30:00Z",
        "received": "2026-11-23T09:30:01Z",
        "expires": None,
        "details_url": "https://monitor.example.org/4711",
        "metadata": {"rack": 7},
        "actor": "",
        "recipients": None,
        "traceparent": "",
        "incident": 12,
        "sequence": 1,
        "open": True,
        "acked": False,
        "state": "dispatched",
        "dispatched_at": "2026-11-23T09:30:01.2Z",
    }

    id: UUID
    source: str
    source_event_id: str
    type: Annotated[Event.Type, choices.of(Event.Type)]
    level: Annotated[int, Field(description="1 (critical) … 5 (information).")]
    description: str
    tags: list[str]
    timestamp: Annotated[AwareDatetime, Field(description="When it happened.")]
    received: Annotated[AwareDatetime, Field(description="When it was accepted.")]
    expires: AwareDatetime | None
    details_url: str
    metadata: dict[str, Any]
    actor: str
    recipients: Annotated[
        list[str] | None,
        Field(
            description=(
                "Whom it is for; null: whoever's profile matches. Of these you see yourself, and all "
                "of them as an operator who may view events."
            )
        ),
    ]
    traceparent: str
    incident: int | None
    sequence: Annotated[
        int | None, Field(description="Its place among the events of its incident.")
    ]
    open: Annotated[bool | None, Field(description="Whether it left its incident open.")]
    acked: Annotated[bool | None, Field(description="Whether it left its incident acknowledged.")]
    state: Annotated[
        Event.State,
        choices.of(Event.State),
        Field(
            description=(
                "`accepted`: waits to be matched; `dispatched`: whoever wants it is told; `late`: a "
                "start that came after its own end; `quarantined`: it could not be matched."
            )
        ),
    ]
    dispatched_at: AwareDatetime | None


class AskedEvents(Paging):
    """Which events are asked for: those of which all this is true."""

    source: Annotated[str | None, Field(max_length=100, description="Of this source.")] = None
    type: Annotated[
        Annotated[Event.Type, choices.of(Event.Type)] | None,
        Field(description="Of this type, such as `STA`."),
    ] = None
    max_level: Annotated[
        int | None, Field(ge=1, le=5, description="As bad as this or worse; 1 is critical.")
    ] = None
    tag: Annotated[
        list[str] | None,
        Field(max_length=10, description="With this tag, `key=value`; may be given several times."),
    ] = None
    open: Annotated[bool | None, Field(description="Whether it left its incident open.")] = None
    acked: Annotated[
        bool | None, Field(description="Whether it left its incident acknowledged.")
    ] = None
    state: Annotated[
        Annotated[Event.State, choices.of(Event.State)] | None,
        Field(description="How far it has come."),
    ] = None
    since: Annotated[Written | None, Field(description="Accepted at this time or later.")] = None
    until: Annotated[Written | None, Field(description="Accepted before this time.")] = None
    search: Annotated[str | None, Field(max_length=200, description="In the description.")] = None

    def narrow(self, rows: QuerySet[Event]) -> QuerySet[Event]:
        """Return those of some rows that are asked for."""
        names = {
            "source": "source__name",
            "max_level": "level__lte",
            "since": "received__gte",
            "until": "received__lt",
            "search": "description__icontains",
        }
        said = self.model_dump(exclude_none=True, exclude={"limit", "cursor", "tag"})
        rows = rows.filter(**{names.get(name, name): value for name, value in said.items()})
        for tag in self.tag or ():
            rows = rows.filter(Holds("tags", tag))
        return rows


@operations.get("/events", summary="List events", returns=Page[ShownEvent])
def list_events(request: CallerRequest, asked: Query[AskedEvents]) -> Page[ShownEvent]:
    """List the events that you may see, newest first.

    These are all that name no recipients, for any user's filter may ask for them, and those that name
    you or that you were told of; to operators who may view events, all. A page may hold fewer than
    `limit`, even none, while `next` says that more follow.
    """
    found, following = page_newest(
        request,
        Event.objects.select_related("source"),
        asked,
        by="received",
        narrow=lambda rows: asked.narrow(seen_by(request, rows)),
    )
    return Page(items=[shown(request, each) for each in found], next=following)


@operations.get("/events/{event_id}", summary="Show an event", returns=ShownEvent)
def get_event(request: CallerRequest, event_id: UUID) -> ShownEvent:
    """Show an event that you may see."""
    return shown(request, seen_event(request, event_id))


def seen_by(request: CallerRequest, rows: QuerySet[Event]) -> QuerySet[Event]:
    """Return those of some events that whoever asks may see."""
    return rows if request.auth.operates(VIEW) else visible_events(request.auth.user, rows)


def seen_event(request: CallerRequest, event_id: UUID) -> Event:
    """Return an event that whoever asks may see, with its source; raise `Refused`."""
    rows = Event.objects.filter(pk=event_id).select_related("source")
    found = seen_by(request, rows).first()
    if found is None:
        raise Refused(404, "Not found", "There is no such event that you may see.")
    return found


def shown(request: CallerRequest, event: Event) -> ShownEvent:
    """Return an event as it is shown to whoever asks."""
    recipients = event.recipients
    if recipients is not None and not request.auth.operates(VIEW):
        recipients = [each for each in recipients if each == request.auth.user.get_username()]
    return ShownEvent(
        id=event.pk,
        source=event.source.name,
        source_event_id=event.source_event_id,
        type=Event.Type(event.type),
        level=event.level,
        description=event.description,
        tags=event.tags,
        timestamp=event.timestamp,
        received=event.received,
        expires=event.expires,
        details_url=event.details_url,
        metadata=event.metadata,
        actor=event.actor,
        recipients=recipients,
        traceparent=event.traceparent,
        incident=event.incident_id,
        sequence=event.sequence,
        open=event.open,
        acked=event.acked,
        state=Event.State(event.state),
        dispatched_at=event.dispatched_at,
    )
