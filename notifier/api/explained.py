"""Why somebody was told of an event, or was not."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar
from uuid import UUID

from ninja import Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from notifier.api.callers import CallerRequest
from notifier.api.moments import Written
from notifier.api.operations import Operations
from notifier.api.past_events import VIEW, seen_event
from notifier.api.problems import Refused
from notifier.api.rights import person, require
from notifier.errors import Problem
from notifier.explaining import explain
from notifier.models import Delivery

operations = Operations("events")

OTHERS = (VIEW, "notifier.view_delivery", "notifier.view_notificationprofile")
MOST_TOLD = 1000
"""Deliveries of an event that is explained to everybody at once."""


class _Mirrored(BaseModel):
    """What `notifier.explaining` says, field by field."""

    model_config = ConfigDict(from_attributes=True)


class ExplainedTry(_Mirrored):
    """One attempt, and what the other side answered."""

    number: int
    started_at: AwareDatetime
    duration_ms: int
    outcome: str
    reason: str
    answer: str


class ExplainedDelivery(_Mirrored):
    """One delivery of the event, with its tries."""

    id: int
    user: str
    medium: str
    destination: Annotated[str, Field(description="Its label.")]
    kind: str
    state: str
    reason: str
    due_at: AwareDatetime
    finished_at: AwareDatetime | None
    profiles: Annotated[
        list[int], Field(description="Those that led there when the event was matched.")
    ]
    tries: list[ExplainedTry]


class ExplainedProfile(_Mirrored):
    """What one profile says of the event."""

    profile: int
    name: str
    user: str
    matches: Annotated[bool, Field(description="Whether it wants the event, as it is now.")]
    condition: Annotated[
        str,
        Field(
            description="The first that said no, such as `timeslot` or `filter.tags`; empty: none."
        ),
    ]
    sentence: str
    opens: Annotated[
        AwareDatetime | None, Field(description="When its timeslot opens, where that said no.")
    ]
    told: Annotated[
        bool, Field(description="Whether it led to a delivery when the event was matched.")
    ]
    changed: Annotated[
        AwareDatetime | None,
        Field(
            description="When something of its owner's changed last since the event was matched."
        ),
    ]


class Explained(_Mirrored):
    """What became of an event."""

    EXAMPLE: ClassVar[dict[str, Any]] = {
        "event": "0193508a-7b1c-7d6e-9c55-2f6a4b1d0c3e",
        "sentence": "matched 0.2 s after it was accepted",
        "at": "2026-11-23T09:30:00Z",
        "verdicts": [
            {
                "profile": 1,
                "name": "On call",
                "user": "anna",
                "matches": False,
                "condition": "timeslot",
                "sentence": "timeslot “Nights” is closed at Mon 10:30 CET, opens next Mon 2026-11-23 22:00 CET",
                "opens": "2026-11-23T21:00:00Z",
                "told": False,
                "changed": None,
            }
        ],
        "others": 0,
        "deliveries": [],
    }

    event: UUID
    sentence: Annotated[str, Field(description="How far it has come.")]
    at: Annotated[AwareDatetime, Field(description="The moment for which timeslots are judged.")]
    verdicts: list[ExplainedProfile]
    others: Annotated[
        int, Field(description="How many profiles more there are, each of which says no.")
    ]
    deliveries: list[ExplainedDelivery]


class AskedExplanation(BaseModel):
    """To whom an event is explained, and for which moment."""

    user: Annotated[
        str | None,
        Field(max_length=254, description="Whose profiles; left out: yours. Others': operators."),
    ] = None
    everyone: Annotated[
        bool,
        Field(description="All profiles that it reached, or would reach now: for operators."),
    ] = False
    at: Annotated[
        Written | None, Field(description="As if it had happened at this time; left out: its own.")
    ] = None


@operations.get("/events/{event_id}/explain", summary="Explain an event", returns=Explained)
def explain_event(
    request: CallerRequest, event_id: UUID, asked: Query[AskedExplanation]
) -> Explained:
    """Say why you were told of an event, or were not: profile by profile, delivery by delivery.

    Profiles are judged as they are now. Another user's need operators who may view events,
    deliveries and profiles; so does `everyone`, which is for events of up to 1,000 deliveries.
    """
    caller = request.auth.user
    own = not asked.everyone and asked.user in {None, caller.get_username()}
    if not own:
        require(request, *OTHERS)
    event = seen_event(request, event_id)
    if asked.everyone:
        _refuse_crowd(asked, event_id)
        users = None
    else:
        users = [caller if own or asked.user is None else person(asked.user)]
    return Explained.model_validate(explain(event, users=users, at=asked.at))


def _refuse_crowd(asked: AskedExplanation, event_id: UUID) -> None:
    if asked.user is not None:
        raise Refused.invalid(Problem("everyone", "ask for one `user` or for everyone, not both"))
    if Delivery.objects.filter(event=event_id)[MOST_TOLD:].exists():
        sentence = f"more than {MOST_TOLD:,} deliveries; ask for one `user`"
        raise Refused.invalid(Problem("everyone", sentence))
