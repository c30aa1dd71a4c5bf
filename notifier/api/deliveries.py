"""What was sent to whom, and every try of it."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar
from uuid import UUID

from django.db.models import Q, QuerySet
from ninja import Query
from pydantic import AwareDatetime, BaseModel, Field

from notifier.api import choices
from notifier.api.callers import CallerRequest
from notifier.api.moments import Written
from notifier.api.operations import Id, Operations
from notifier.api.owning import own
from notifier.api.paging import Page, Paging
from notifier.api.problems import Refused
from notifier.api.rights import person, require
from notifier.api.scanning import page_newest
from notifier.delivering.replaying import replay
from notifier.errors import Reason
from notifier.models import Attempt, Delivery

operations = Operations("deliveries")

EXAMPLE_EVENT = "0193508a-7b1c-7d6e-9c55-2f6a4b1d0c3e"


class ShownTry(BaseModel):
    """One attempt, and what the other side answered."""

    number: int
    started_at: AwareDatetime
    duration_ms: int
    outcome: Annotated[Attempt.Outcome, choices.of(Attempt.Outcome)]
    reason: Reason | None
    answer: str


class ShownDelivery(BaseModel):
    """One event to one destination."""

    EXAMPLE: ClassVar[dict[str, Any]] = {
        "id": 4711,
        "event": EXAMPLE_EVENT,
        "description": "Link to core-2 is down",
        "level": 2,
        "incident": 12,
        "user": "anna",
        "medium": "email",
        "destination": 3,
        "destination_label": "Email",
        "kind": "notification",
        "state": "failed",
        "reason": "rejected",
        "attempts": 1,
        "profiles": [1],
        "created": "2026-11-23T09:30:00Z",
        "due_at": "2026-11-23T09:30:00Z",
        "expires_at": "2026-11-26T09:30:00Z",
        "finished_at": "2026-11-23T09:30:01Z",
    }

    id: int
    event: UUID
    description: Annotated[str, Field(description="The event's.")]
    level: int
    incident: int | None
    user: str
    medium: str
    destination: Annotated[int | None, Field(description="Null once it was deleted.")]
    destination_label: Annotated[
        str,
        Field(description="Outlives the destination; holds no address but what its owner wrote."),
    ]
    kind: Annotated[Delivery.Kind, choices.of(Delivery.Kind)]
    state: Annotated[Delivery.State, choices.of(Delivery.State)]
    reason: Annotated[
        Reason | None,
        Field(description="Why it failed, was cancelled, or has to be tried again."),
    ]
    attempts: Annotated[int, Field(description="How many tries counted.")]
    profiles: Annotated[list[int], Field(description="Those that led there.")]
    created: AwareDatetime
    due_at: AwareDatetime
    expires_at: AwareDatetime | None
    finished_at: AwareDatetime | None


class ShownDeliveryInFull(ShownDelivery):
    """One event to one destination, and every try of it."""

    EXAMPLE: ClassVar[dict[str, Any]] = {
        **ShownDelivery.EXAMPLE,
        "tries": [
            {
                "number": 1,
                "started_at": "2026-11-23T09:30:00.8Z",
                "duration_ms": 210,
                "outcome": "permanent",
                "reason": "rejected",
                "answer": "550 5.1.1 no such user",
            }
        ],
    }

    tries: list[ShownTry]


class AskedDeliveries(Paging):
    """Which deliveries are asked for: those of which all this is true."""

    user: Annotated[
        str | None,
        Field(
            max_length=254,
            description="Whose; left out: yours. Another's: for operators who may view deliveries.",
        ),
    ] = None
    state: Annotated[
        Annotated[Delivery.State, choices.of(Delivery.State)] | None,
        Field(description="Such as `failed`: not sent, and not tried again."),
    ] = None
    reason: Annotated[Reason | None, Field(description="Why not sent.")] = None
    medium: Annotated[str | None, Field(max_length=50, description="Such as `email`.")] = None
    event: Annotated[UUID | None, Field(description="Of this event.")] = None
    incident: Annotated[Id | None, Field(description="Of this incident's events.")] = None
    destination: Annotated[Id | None, Field(description="To this destination.")] = None
    since: Annotated[Written | None, Field(description="Made at this time or later.")] = None
    until: Annotated[Written | None, Field(description="Made before this time.")] = None
    search: Annotated[
        str | None,
        Field(max_length=200, description="In the event's description or the destination's label."),
    ] = None

    def thread(self) -> dict[str, Any]:
        """Return what few rows have in common, which an index finds however old they are."""
        return self.model_dump(exclude_none=True, include={"event", "incident"})

    def narrow(self, rows: QuerySet[Delivery]) -> QuerySet[Delivery]:
        """Return those of some rows that are asked for besides."""
        elsewhere = {"limit", "cursor", "search", "user", "event", "incident"}
        said = self.model_dump(exclude_none=True, exclude=elsewhere)
        names = {"since": "created__gte", "until": "created__lt"}
        rows = rows.filter(**{names.get(name, name): value for name, value in said.items()})
        if self.search:
            rows = rows.filter(
                Q(event__description__icontains=self.search)
                | Q(destination_label__icontains=self.search)
            )
        return rows


@operations.get("/deliveries", summary="List deliveries", returns=Page[ShownDelivery])
def list_deliveries(request: CallerRequest, asked: Query[AskedDeliveries]) -> Page[ShownDelivery]:
    """List what was sent to you, or could not be, newest first.

    A page may hold fewer than `limit`, even none, while `next` says that more follow.
    """
    user = request.auth.user
    if asked.user is not None and asked.user != user.get_username():
        require(request, "notifier.view_delivery")
        user = person(asked.user)
    rows = loaded(Delivery.objects.filter(user=user, **asked.thread()))
    found, following = page_newest(request, rows, asked, by="created", narrow=asked.narrow)
    return Page(items=[shown(each) for each in found], next=following)


@operations.get("/deliveries/{delivery_id}", summary="Show a delivery", returns=ShownDeliveryInFull)
def get_delivery(request: CallerRequest, delivery_id: Id) -> ShownDeliveryInFull:
    """Show a delivery with every try of it: one of yours, or any to operators who may view them."""
    rows = Delivery.objects.all()
    if not request.auth.operates("notifier.view_delivery"):
        rows = rows.filter(user=request.auth.user)
    return _in_full(own(loaded(rows), delivery_id))


@operations.post(
    "/deliveries/{delivery_id}/resend",
    summary="Send a failed delivery again",
    returns=ShownDelivery,
    status=202,
    refuses=(409,),
)
def resend_delivery(request: CallerRequest, delivery_id: Id) -> ShownDelivery:
    """Send one of your deliveries that failed again.

    It has all its attempts again, and keeps its history; whoever got it after all can tell by its
    Message-ID that it is the same.
    """
    rows = loaded(Delivery.objects.filter(user=request.auth.user))
    row = own(rows.select_for_update(of=("self",)), delivery_id)
    if not sum(replay(Delivery.objects.filter(pk=row.pk))):
        raise Refused(409, "Not to be sent again", _why_not(row))
    return shown(rows.get(pk=row.pk))


def _why_not(row: Delivery) -> str:
    if row.state != Delivery.State.FAILED:
        return f"It is {row.state}; only what has failed is sent again."
    if row.destination is None:
        return "Its destination was deleted."
    if row.destination.disabled_at:
        return "Its destination is disabled: the other side says that it is gone. Change it first."
    return "The event has expired: nobody needs to be told of it any more."


def loaded(rows: QuerySet[Delivery]) -> QuerySet[Delivery]:
    """Return deliveries with what is shown of them."""
    return rows.select_related("event", "user", "destination").defer("destination__settings")


def shown(row: Delivery) -> ShownDelivery:
    """Return a delivery, `loaded`, as it is shown."""
    return ShownDelivery(**_fields(row))


def _in_full(row: Delivery) -> ShownDeliveryInFull:
    tries = [
        ShownTry(
            number=each.number,
            started_at=each.started_at,
            duration_ms=each.duration_ms,
            outcome=Attempt.Outcome(each.outcome),
            reason=Reason(each.reason) if each.reason else None,
            answer=each.answer,
        )
        for each in row.tries.all()
    ]
    return ShownDeliveryInFull(**_fields(row), tries=tries)


def _fields(row: Delivery) -> dict[str, Any]:
    return {
        "id": row.pk,
        "event": row.event_id,
        "description": row.event.description,
        "level": row.urgency,
        "incident": row.incident_id,
        "user": row.user.get_username(),
        "medium": row.medium,
        "destination": row.destination_id,
        "destination_label": row.destination_label,
        "kind": row.kind,
        "state": row.state,
        "reason": row.reason or None,
        "attempts": row.attempts,
        "profiles": row.profiles,
        "created": row.created,
        "due_at": row.due_at,
        "expires_at": row.expires_at,
        "finished_at": row.finished_at,
    }
