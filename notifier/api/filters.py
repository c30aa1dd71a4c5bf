"""A person's filters: what they want to be told of; and trying one before it is used."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar
from uuid import UUID

from ninja import Query
from pydantic import AwareDatetime, BaseModel, Field, StrictInt

from notifier.api.callers import CallerRequest
from notifier.api.fields import LEFT_OUT, of
from notifier.api.operations import Id, Operations
from notifier.api.owning import own, refuse_in_use, refuse_too_many
from notifier.api.paging import Page, Paging, page_by_id
from notifier.api.problems import Refused
from notifier.api.strict import Given
from notifier.api.versions import require_version
from notifier.conditions import Conditions, parse_conditions
from notifier.errors import Problem
from notifier.matching.trying import Trial, try_conditions
from notifier.models import Filter, Scope

operations = Operations("filters")

_CONDITIONS = {"max_level": 2, "tags": ["site=oslo"]}


class _Described:
    """Describes conditions as they are; what is wrong with some, the model says itself."""

    def __get_pydantic_json_schema__(self, _schema: Any, handler: Any) -> Any:
        return handler(Conditions.__pydantic_core_schema__)


_Conditions = Annotated[dict[str, Any], _Described()]


class ShownFilter(BaseModel):
    """A filter: all of its conditions must hold."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"id": 2, "name": "Bad in Oslo", "conditions": _CONDITIONS}

    id: int
    name: str
    conditions: Annotated[
        dict[str, Any], Field(description="As they were written; Argus's own keys too.")
    ]


class NewFilter(Given):
    """A filter to be made."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"name": "Bad in Oslo", "conditions": _CONDITIONS}

    name: Annotated[str, of(Filter, "name")]
    conditions: _Conditions


class FilterChange(Given):
    """What is to be another; the rest stays. `conditions` replace all that there are."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"conditions": {"max_level": 1}}

    name: Annotated[str, of(Filter, "name")] = LEFT_OUT
    conditions: _Conditions = LEFT_OUT


class FilterTrial(Given):
    """Conditions to be tried on what came last."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"conditions": _CONDITIONS, "last": 20}

    conditions: _Conditions
    last: Annotated[
        StrictInt, Field(ge=1, le=200, description="How many events, newest first.")
    ] = 50


class TriedEvent(BaseModel):
    """An event, and whether the conditions let it through; if not, which one said no."""

    id: UUID
    received: AwareDatetime
    source: str
    type: str
    level: int
    description: Annotated[str, Field(description="Its first 200 characters.")]
    matches: bool
    condition: Annotated[str, Field(description="The key that said no first; empty: none.")]
    why: Annotated[str, Field(description="What that key asks for, and what the event has.")]


class FilterTrialResult(BaseModel):
    """What conditions would have let through."""

    EXAMPLE: ClassVar[dict[str, Any]] = {
        "matched": 0,
        "events": [
            {
                "id": "01935a9c-7c1a-7c1e-a5b2-0f8c9a4d2b11",
                "received": "2026-11-23T09:30:00Z",
                "source": "network-monitor",
                "type": "STA",
                "level": 3,
                "description": "Link to core-2 is down",
                "matches": False,
                "condition": "max_level",
                "why": "asks for 2, the event has 3",
            }
        ],
    }

    matched: int
    events: list[TriedEvent]


@operations.get("/filters", summary="List your filters", returns=Page[ShownFilter])
def list_filters(request: CallerRequest, asked: Query[Paging]) -> Page[ShownFilter]:
    """List your filters, oldest first."""
    rows, following = page_by_id(request, _own(request), asked)
    return Page(items=[_shown(each) for each in rows], next=following)


@operations.post("/filters", summary="Make a filter", returns=ShownFilter, versioned=True)
def make_filter(request: CallerRequest, body: NewFilter) -> ShownFilter:
    """Make a filter, for profiles of yours to use."""
    refuse_too_many(_own(request))
    made = Filter(user=request.auth.user, name=body.name, conditions=body.conditions)
    made.full_clean()
    made.save()
    return _shown(made)


# before the paths with an id, which would take it for one
@operations.post(
    "/filters/preview",
    summary="Try conditions on what came last",
    returns=FilterTrialResult,
    status=200,
    scope=Scope.READ,
)
def preview_filter(request: CallerRequest, body: FilterTrial) -> FilterTrialResult:
    """Say which of the last events conditions let through, and what said no to each of the others.

    Only events that you may see are tried: those that name no recipients, name you, or were told to
    you, among the last 1,000 that came. Nothing is stored, and nobody is told.
    """
    try:
        conditions = parse_conditions(body.conditions)
    except ValueError as error:
        raise Refused.invalid(Problem("conditions", str(error))) from error
    events = [
        _tried(each) for each in try_conditions(conditions, request.auth.user, last=body.last)
    ]
    return FilterTrialResult(matched=sum(each.matches for each in events), events=events)


@operations.get(
    "/filters/{filter_id}", summary="Show a filter", returns=ShownFilter, versioned=True
)
def get_filter(request: CallerRequest, filter_id: Id) -> ShownFilter:
    """Show one of your filters."""
    return _shown(own(_own(request), filter_id))


@operations.patch("/filters/{filter_id}", summary="Change a filter", returns=ShownFilter)
def change_filter(request: CallerRequest, filter_id: Id, body: FilterChange) -> ShownFilter:
    """Change one of your filters, for every profile that uses it."""
    found = own(_own(request), filter_id)
    require_version(request, _shown(found))
    for name, value in body.model_dump(exclude_unset=True).items():
        setattr(found, name, value)
    found.full_clean()
    found.save()
    return _shown(found)


@operations.delete("/filters/{filter_id}", summary="Delete a filter", refuses=(409,))
def delete_filter(request: CallerRequest, filter_id: Id) -> None:
    """Delete one of your filters, unless a profile uses it."""
    found = own(_own(request), filter_id)
    require_version(request, _shown(found))
    refuse_in_use(found, found.profiles.all())
    found.delete()


def _own(request: CallerRequest) -> Any:
    return request.auth.user.notifier_filters.all()


def _shown(found: Filter) -> ShownFilter:
    return ShownFilter(id=found.pk, name=found.name, conditions=found.conditions)


def _tried(trial: Trial) -> TriedEvent:
    event = trial.event
    return TriedEvent(
        id=event.pk,
        received=event.received,
        source=event.source.name,
        type=event.type,
        level=event.level,
        description=event.description[:200],
        matches=not trial.refused_by,
        condition=trial.refused_by,
        why=trial.why,
    )
