"""A person's profiles: in these hours, of these events, tell me there."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from ninja import Query
from pydantic import AfterValidator, AwareDatetime, BaseModel, Field, StrictBool, StrictInt

from notifier.api.callers import CallerRequest
from notifier.api.fields import LEFT_OUT, of
from notifier.api.moments import Written
from notifier.api.operations import Id, Operations
from notifier.api.owning import own, own_named, refuse_too_many
from notifier.api.paging import Page, Paging, page_by_id
from notifier.api.problems import Refused
from notifier.api.strict import Given
from notifier.api.versions import require_version
from notifier.errors import Problem
from notifier.models import NotificationProfile

operations = Operations("profiles")

MOST_PARTS = 100
_EXAMPLE = {
    "name": "On call",
    "timeslot": 2,
    "filters": [2],
    "destinations": [4],
    "active": True,
    "paused_until": None,
}
_Id = Annotated[StrictInt, Field(ge=1, le=2**63 - 1)]
_Ids = Annotated[
    list[_Id], Field(max_length=MOST_PARTS), AfterValidator(lambda pks: list(dict.fromkeys(pks)))
]
_Name = Annotated[str, of(NotificationProfile, "name")]
_Timeslot = Annotated[_Id, Field(description="The id of one of your timeslots.")]
_Filters = Annotated[
    _Ids,
    Field(description="Ids of your filters, all of which must match; with none, nothing does."),
]
_Destinations = Annotated[_Ids, Field(description="Ids of your destinations.")]
_PausedUntil = Annotated[
    Written | None, Field(description="Until then nobody is told; null: it is not paused.")
]


class ShownProfile(BaseModel):
    """A profile joins a timeslot, filters and destinations."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"id": 3, **_EXAMPLE, "managed": False}

    id: int
    name: str
    timeslot: int
    filters: list[int]
    destinations: list[int]
    active: bool
    paused_until: AwareDatetime | None
    managed: Annotated[
        bool,
        Field(description="Whether it is the one of the first day, which a synced address joins."),
    ]


class NewProfile(Given):
    """A profile to be made."""

    EXAMPLE: ClassVar[dict[str, Any]] = _EXAMPLE

    name: _Name
    timeslot: _Timeslot
    filters: _Filters
    destinations: _Destinations
    active: StrictBool = True
    paused_until: _PausedUntil = None


class ProfileChange(Given):
    """What is to be another; the rest stays. A list replaces all that there are."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"paused_until": "2036-12-24T12:00:00Z"}

    name: _Name = LEFT_OUT
    timeslot: _Timeslot = LEFT_OUT
    filters: _Filters = LEFT_OUT
    destinations: _Destinations = LEFT_OUT
    active: StrictBool = LEFT_OUT
    paused_until: _PausedUntil = LEFT_OUT


@operations.get("/profiles", summary="List your profiles", returns=Page[ShownProfile])
def list_profiles(request: CallerRequest, asked: Query[Paging]) -> Page[ShownProfile]:
    """List your profiles, oldest first."""
    rows = _own(request).prefetch_related("filters", "destinations")
    found, following = page_by_id(request, rows, asked)
    return Page(items=[_shown(each) for each in found], next=following)


@operations.post("/profiles", summary="Make a profile", returns=ShownProfile, versioned=True)
def make_profile(request: CallerRequest, body: NewProfile) -> ShownProfile:
    """Make a profile of a timeslot, filters and destinations of yours."""
    refuse_too_many(_own(request))
    return _saved(request, NotificationProfile(user=request.auth.user), body)


@operations.get(
    "/profiles/{profile_id}", summary="Show a profile", returns=ShownProfile, versioned=True
)
def get_profile(request: CallerRequest, profile_id: Id) -> ShownProfile:
    """Show one of your profiles."""
    return _shown(own(_own(request), profile_id))


@operations.patch("/profiles/{profile_id}", summary="Change a profile", returns=ShownProfile)
def change_profile(request: CallerRequest, profile_id: Id, body: ProfileChange) -> ShownProfile:
    """Change one of your profiles, from the next event on."""
    profile = own(_own(request), profile_id)
    require_version(request, _shown(profile))
    return _saved(request, profile, body)


@operations.delete("/profiles/{profile_id}", summary="Delete a profile")
def delete_profile(request: CallerRequest, profile_id: Id) -> None:
    """Delete one of your profiles; what it is made of stays."""
    profile = own(_own(request), profile_id)
    require_version(request, _shown(profile))
    profile.delete()


def _own(request: CallerRequest) -> Any:
    return request.auth.user.notification_profiles.all()


def _saved(
    request: CallerRequest, profile: NotificationProfile, body: NewProfile | ProfileChange
) -> ShownProfile:
    """Save a profile with what a body says of it; only what is the caller's own goes into it."""
    user: Any = request.auth.user
    changed = body.model_dump(exclude_unset=True)
    parts = {
        name: own_named(rows, changed.pop(name), name)
        for name, rows in (("filters", user.notifier_filters), ("destinations", user.destinations))
        if name in changed
    }
    if (pk := changed.pop("timeslot", None)) is not None:
        timeslot = user.timeslots.filter(pk=pk).first()
        if timeslot is None:
            raise Refused.invalid(Problem("timeslot", f"You have no timeslot {pk}."))
        profile.timeslot = timeslot
    for name, value in changed.items():
        setattr(profile, name, value)
    profile.full_clean()
    profile.save()
    for name, rows in parts.items():
        getattr(profile, name).set(rows)
    return _shown(profile)


def _shown(profile: NotificationProfile) -> ShownProfile:
    return ShownProfile(
        id=profile.pk,
        name=profile.name,
        timeslot=profile.timeslot_id,
        filters=sorted(each.pk for each in profile.filters.all()),
        destinations=sorted(each.pk for each in profile.destinations.all()),
        active=profile.active,
        paused_until=profile.paused_until,
        managed=profile.managed,
    )
