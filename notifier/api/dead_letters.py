"""What could not be sent, matched or accepted: looked at, tried again, given up; for operators."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from ninja import Query
from pydantic import AwareDatetime, BaseModel, Field, model_validator

from notifier.api import deliveries
from notifier.api.callers import CallerRequest
from notifier.api.deliveries import ShownDelivery
from notifier.api.moments import Written
from notifier.api.operations import Id, Operations
from notifier.api.paging import Page, Paging
from notifier.api.rights import found, person
from notifier.api.scanning import page_newest
from notifier.api.strict import Given
from notifier.delivering.replaying import DEFAULT_RATE, match_again, replay, replayable
from notifier.errors import Reason
from notifier.intake import quarantined
from notifier.models import Delivery, Event, QuarantinedEvent

operations = Operations("dead letters")

MOST_REPLAYED = 10_000
MOST_CHOSEN = 200
"""Refused events of one call, and a page of them: each is accepted as if it came anew."""

REFUSED = "notifier.view_quarantinedevent"
RESOLVE = "notifier.change_quarantinedevent"


class _Failures(BaseModel):
    """Which failed deliveries are meant: those of which all this is true."""

    medium: Annotated[str | None, Field(max_length=50, description="Such as `email`.")] = None
    reason: Annotated[Reason | None, Field(description="Why it failed.")] = None
    user: Annotated[str | None, Field(max_length=254, description="To this user.")] = None
    destination: Annotated[Id | None, Field(description="To this destination.")] = None
    since: Annotated[Written | None, Field(description="Failed at this time or later.")] = None
    until: Annotated[Written | None, Field(description="Failed before this time.")] = None

    def narrow(self, rows: QuerySet[Delivery]) -> QuerySet[Delivery]:
        """Return those of some rows that are meant; raise `Refused` for an unknown user."""
        said = {name: getattr(self, name) for name in _Failures.model_fields}
        if self.user is not None:
            said["user"] = person(self.user)
        names = {"since": "finished_at__gte", "until": "finished_at__lt"}
        return rows.filter(
            **{names.get(name, name): value for name, value in said.items() if value is not None}
        )


class AskedFailures(_Failures, Paging):
    """Which failed deliveries are listed."""


class ReplayedFailures(_Failures, Given):
    """Which failed deliveries are sent again, and how fast."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"medium": "email", "since": "2026-11-23T09:30:00Z"}

    ids: Annotated[
        list[Id] | None, Field(min_length=1, max_length=1000, description="One of these.")
    ] = None
    all: Annotated[
        bool, Field(description="Whatever has failed: instead of saying anything else.")
    ] = False
    rate: Annotated[
        int, Field(ge=1, le=MOST_REPLAYED, description="So many become due each second.")
    ] = DEFAULT_RATE

    @model_validator(mode="after")
    def _chooses(self) -> ReplayedFailures:
        if self.all == any(
            getattr(self, name) is not None for name in ("ids", *_Failures.model_fields)
        ):
            raise ValueError("choose by `ids`, `medium`, `reason`, …; or say `all`: true alone")
        return self

    def narrow(self, rows: QuerySet[Delivery]) -> QuerySet[Delivery]:
        """Return those of some rows that are meant."""
        rows = super().narrow(rows)
        return rows if self.ids is None else rows.filter(pk__in=self.ids)


class Replayed(BaseModel):
    """How many deliveries are due again."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"replayed": 120, "more": False}

    replayed: int
    more: Annotated[bool, Field(description="Whether to ask again, as there are more.")]


class ShownRefusal(BaseModel):
    """An event that a queue brought and that was refused."""

    EXAMPLE: ClassVar[dict[str, Any]] = {
        "id": 17,
        "event": "0193508a-7b1c-7d6e-9c55-2f6a4b1d0c3e",
        "source": "shop",
        "reason": "source: there is no source 'shop'; make it with `notifier addsource`",
        "received": "2026-11-23T09:30:00Z",
        "resolved_at": None,
    }

    id: int
    event: Annotated[UUID, Field(description="The event's id, once it is accepted.")]
    source: Annotated[str, Field(description="As the event names it; perhaps nothing.")]
    reason: str
    received: AwareDatetime
    resolved_at: Annotated[AwareDatetime | None, Field(description="When it was dealt with.")]


class ShownRefusalInFull(ShownRefusal):
    """An event that was refused, as it came."""

    EXAMPLE: ClassVar[dict[str, Any]] = {
        **ShownRefusal.EXAMPLE,
        "payload": '{"source": "shop", "description": "Disk full"}',
    }

    payload: Annotated[str, Field(description="JSON where it could be read; its beginning.")]


class AskedRefusals(Paging):
    """Which refused events are listed."""

    resolved: Annotated[
        bool, Field(description="Those that somebody dealt with, instead of those that wait.")
    ] = False
    source: Annotated[str | None, Field(max_length=255, description="As they name it.")] = None

    def narrow(self, rows: QuerySet[QuarantinedEvent]) -> QuerySet[QuarantinedEvent]:
        """Return those of some rows that are asked for."""
        rows = rows.filter(resolved_at__isnull=not self.resolved)
        return rows if self.source is None else rows.filter(source_name=self.source)


class ChosenRefusals(Given):
    """Some refused events; those that were dealt with are left alone."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"ids": [17, 18]}

    ids: Annotated[list[Id], Field(min_length=1, max_length=MOST_CHOSEN)]

    def rows(self) -> QuerySet[QuarantinedEvent]:
        """Return those that still wait, in the order in which they came."""
        return QuarantinedEvent.objects.filter(pk__in=self.ids, resolved_at=None).order_by("pk")


class TriedAgain(BaseModel):
    """What became of refused events."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"accepted": 2, "repeated": 0, "quarantined": 0}

    accepted: int
    repeated: Annotated[int, Field(description="They were here before.")]
    quarantined: Annotated[int, Field(description="Refused again; a new row says why.")]


class Dismissed(BaseModel):
    """How many refused events were given up."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"dismissed": 2}

    dismissed: int


class ChosenEvents(Given):
    """Some events that could not be matched; others are left alone."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"ids": ["0193508a-7b1c-7d6e-9c55-2f6a4b1d0c3e"]}

    ids: Annotated[list[UUID], Field(min_length=1, max_length=1000)]


class Matched(BaseModel):
    """How many events wait to be matched again."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"waiting": 1}

    waiting: int


@operations.get(
    "/dead-letters/deliveries",
    summary="List failed deliveries",
    returns=Page[ShownDelivery],
    permissions=("notifier.view_delivery",),
)
def list_failed_deliveries(
    request: CallerRequest, asked: Query[AskedFailures]
) -> Page[ShownDelivery]:
    """List everybody's deliveries that failed, the last one first.

    A page may hold fewer than `limit`, even none, while `next` says that more follow.
    """
    failed = deliveries.loaded(Delivery.objects.filter(state=Delivery.State.FAILED))
    page, following = page_newest(request, failed, asked, by="finished_at", narrow=asked.narrow)
    return Page(items=[deliveries.shown(each) for each in page], next=following)


@operations.post(
    "/dead-letters/deliveries/replay",
    summary="Send failed deliveries again",
    returns=Replayed,
    status=200,
    permissions=("notifier.change_delivery",),
)
def replay_failed_deliveries(request: CallerRequest, body: ReplayedFailures) -> Replayed:
    """Send failed deliveries again, up to 10,000 of them in a call; ask again while there are more.

    Left alone are those whose destination was deleted or is disabled, and whose event has expired.
    What is replayed has all its attempts again and keeps its history.
    """
    rows = body.narrow(Delivery.objects.all())
    replayed = sum(replay(rows, rate=body.rate, most=MOST_REPLAYED))
    return Replayed(replayed=replayed, more=replayable(rows).exists())


@operations.get(
    "/dead-letters/refused",
    summary="List refused events",
    returns=Page[ShownRefusal],
    permissions=(REFUSED,),
)
def list_refused_events(request: CallerRequest, asked: Query[AskedRefusals]) -> Page[ShownRefusal]:
    """List what a queue brought and could not be accepted, the last one first.

    A page may hold fewer than `limit`, even none, while `next` says that more follow.
    """
    rows = QuarantinedEvent.objects.defer("payload")
    page, following = page_newest(request, rows, asked, by="received", narrow=asked.narrow)
    return Page(items=[ShownRefusal(**_fields(each)) for each in page], next=following)


@operations.post(
    "/dead-letters/refused/retry",
    summary="Try refused events again",
    returns=TriedAgain,
    status=200,
    permissions=(RESOLVE,),
)
def retry_refused_events(request: CallerRequest, body: ChosenRefusals) -> TriedAgain:
    """Accept refused events as they came, once what they were refused for is mended."""
    return TriedAgain(**quarantined.try_again(body.rows()))


@operations.post(
    "/dead-letters/refused/dismiss",
    summary="Give refused events up",
    returns=Dismissed,
    status=200,
    permissions=(RESOLVE,),
)
def dismiss_refused_events(request: CallerRequest, body: ChosenRefusals) -> Dismissed:
    """Mark refused events as dealt with. They stay until they are purged."""
    return Dismissed(dismissed=quarantined.give_up(body.rows().order_by()))


@operations.get(
    "/dead-letters/refused/{refusal_id}",
    summary="Show a refused event",
    returns=ShownRefusalInFull,
    permissions=(REFUSED,),
)
def get_refused_event(request: CallerRequest, refusal_id: Id) -> ShownRefusalInFull:
    """Show a refused event as it came."""
    row = found(QuarantinedEvent.objects.all(), refusal_id)
    return ShownRefusalInFull(**_fields(row), payload=row.payload)


@operations.post(
    "/dead-letters/unmatched/retry",
    summary="Match events again",
    returns=Matched,
    status=200,
    permissions=("notifier.change_event",),
)
def retry_unmatched_events(request: CallerRequest, body: ChosenEvents) -> Matched:
    """Match events again that could not be, which `GET /events?state=quarantined` lists."""
    return Matched(waiting=match_again(Event.objects.filter(pk__in=body.ids)))


def _fields(row: QuarantinedEvent) -> dict[str, Any]:
    return {
        "id": row.pk,
        "event": row.event_id,
        "source": row.source_name,
        "reason": row.reason,
        "received": row.received,
        "resolved_at": row.resolved_at,
    }
