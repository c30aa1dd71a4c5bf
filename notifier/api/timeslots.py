"""A person's timeslots: when they want to be told."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, ClassVar

from django.core.exceptions import ValidationError
from ninja import Query
from pydantic import AfterValidator, BaseModel, Field, StrictInt

from notifier.api.callers import CallerRequest
from notifier.api.fields import LEFT_OUT, of
from notifier.api.moments import Clock
from notifier.api.operations import Id, Operations
from notifier.api.owning import own, refuse_in_use, refuse_too_many
from notifier.api.paging import Page, Paging, page_by_id
from notifier.api.problems import Refused, problems_of
from notifier.api.strict import Given
from notifier.api.versions import require_version
from notifier.errors import Problem
from notifier.models import TimeRecurrence, Timeslot
from notifier.models.timeslot import day_bits, days_of

operations = Operations("timeslots")

MOST_RECURRENCES = 50
_EXAMPLE = {
    "name": "Office hours",
    "recurrences": [{"days": [1, 2, 3, 4, 5], "start": "08:00:00", "end": "16:00:00"}],
}


class Recurrence(Given):
    """Some weekdays from `start` up to `end`, in your time zone; an `end` not after `start` is on the next day."""

    days: Annotated[
        list[Annotated[StrictInt, Field(ge=1, le=7)]],
        Field(min_length=1, max_length=7, description="1 (Monday) … 7 (Sunday)."),
        AfterValidator(lambda days: sorted(set(days))),
    ]
    start: Annotated[Clock, Field(description="Such as 08:00.")]
    end: Annotated[Clock, Field(description="Such as 16:00; 00:00 to 00:00 is the whole day.")]


_Recurrences = Annotated[list[Recurrence], Field(min_length=1, max_length=MOST_RECURRENCES)]


class ShownTimeslot(BaseModel):
    """A timeslot: it holds a moment when any of its recurrences does."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"id": 2, **_EXAMPLE}

    id: int
    name: str
    recurrences: list[Recurrence]


class NewTimeslot(Given):
    """A timeslot to be made."""

    EXAMPLE: ClassVar[dict[str, Any]] = _EXAMPLE

    name: Annotated[str, of(Timeslot, "name")]
    recurrences: _Recurrences


class TimeslotChange(Given):
    """What is to be another; the rest stays. `recurrences` replace all that there are."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"name": "Weekdays"}

    name: Annotated[str, of(Timeslot, "name")] = LEFT_OUT
    recurrences: _Recurrences = LEFT_OUT


@operations.get("/timeslots", summary="List your timeslots", returns=Page[ShownTimeslot])
def list_timeslots(request: CallerRequest, asked: Query[Paging]) -> Page[ShownTimeslot]:
    """List your timeslots, oldest first."""
    rows, following = page_by_id(request, _own(request).prefetch_related("recurrences"), asked)
    return Page(items=[_shown(each) for each in rows], next=following)


@operations.post("/timeslots", summary="Make a timeslot", returns=ShownTimeslot, versioned=True)
def make_timeslot(request: CallerRequest, body: NewTimeslot) -> ShownTimeslot:
    """Make a timeslot, for profiles of yours to use."""
    refuse_too_many(_own(request))
    return _saved(Timeslot(user=request.auth.user, name=body.name), body.recurrences)


@operations.get(
    "/timeslots/{timeslot_id}", summary="Show a timeslot", returns=ShownTimeslot, versioned=True
)
def get_timeslot(request: CallerRequest, timeslot_id: Id) -> ShownTimeslot:
    """Show one of your timeslots."""
    return _shown(own(_own(request), timeslot_id))


@operations.patch("/timeslots/{timeslot_id}", summary="Change a timeslot", returns=ShownTimeslot)
def change_timeslot(request: CallerRequest, timeslot_id: Id, body: TimeslotChange) -> ShownTimeslot:
    """Change one of your timeslots, for every profile that uses it."""
    timeslot = own(_own(request), timeslot_id)
    require_version(request, _shown(timeslot))
    given = body.model_fields_set
    timeslot.name = body.name if "name" in given else timeslot.name
    return _saved(timeslot, body.recurrences if "recurrences" in given else None)


@operations.delete("/timeslots/{timeslot_id}", summary="Delete a timeslot", refuses=(409,))
def delete_timeslot(request: CallerRequest, timeslot_id: Id) -> None:
    """Delete one of your timeslots, unless a profile uses it."""
    timeslot = own(_own(request), timeslot_id)
    require_version(request, _shown(timeslot))
    refuse_in_use(timeslot, timeslot.profiles.all())
    timeslot.delete()


def _own(request: CallerRequest) -> Any:
    return request.auth.user.timeslots.all()


def _saved(timeslot: Timeslot, recurrences: Iterable[Recurrence] | None) -> ShownTimeslot:
    """Save a timeslot, with other recurrences if any are given."""
    timeslot.full_clean()
    timeslot.save()
    if recurrences is not None:
        rows = [
            TimeRecurrence(
                timeslot=timeslot, days=day_bits(*each.days), start=each.start, end=each.end
            )
            for each in recurrences
        ]
        _clean(rows)
        timeslot.recurrences.all().delete()
        TimeRecurrence.objects.bulk_create(rows)
    return _shown(timeslot)


def _clean(rows: Iterable[TimeRecurrence]) -> None:
    problems: list[Problem] = []
    for index, row in enumerate(rows):
        try:
            row.full_clean(exclude=["timeslot"])
        except ValidationError as error:
            problems += [
                Problem(f"recurrences[{index}].{each.field}", each.message)
                for each in problems_of(error)
            ]
    if problems:
        raise Refused.invalid(*problems)


def _shown(timeslot: Timeslot) -> ShownTimeslot:
    rows = sorted(timeslot.recurrences.all(), key=lambda each: each.pk)
    return ShownTimeslot(
        id=timeslot.pk,
        name=timeslot.name,
        recurrences=[
            Recurrence(days=days_of(each.days), start=each.start, end=each.end) for each in rows
        ],
    )
