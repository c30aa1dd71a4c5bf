"""A person's destinations: where they are told. The rules of changing and deleting are Argus's."""

from __future__ import annotations

import json
from typing import Annotated, Any, ClassVar

from django.core.exceptions import ValidationError
from ninja import Query
from pydantic import AwareDatetime, BaseModel, Field

from notifier.api.callers import CallerRequest
from notifier.api.fields import LEFT_OUT, of
from notifier.api.operations import Id, Operations
from notifier.api.owning import own, refuse_too_many
from notifier.api.paging import Page, Paging, page_by_id
from notifier.api.problems import Refused, problems_of
from notifier.api.strict import Given
from notifier.api.versions import PartlyShown, require_version
from notifier.enrolling import EMAIL
from notifier.errors import Problem
from notifier.media import calling
from notifier.media.base import NotificationMedium
from notifier.media.registry import find_medium
from notifier.models import DestinationConfig
from notifier.models.settings_field import shown, take_shown, unreadable

operations = Operations("destinations")

_SETTINGS = {"email_address": "oncall@example.org"}
_Label = Annotated[str, of(DestinationConfig, "label")]
_Template = Annotated[str, of(DestinationConfig, "template")]
_Settings = Annotated[
    dict[str, Any],
    Field(
        description=(
            "As the medium's schema has it; a secret that comes back masked, as it was shown, stays "
            "as it is."
        )
    ),
]


class MediumName(BaseModel):
    """Which medium a destination is of."""

    slug: str
    name: str


class ShownDestination(PartlyShown):
    """A destination: an address, a number, a webhook."""

    EXAMPLE: ClassVar[dict[str, Any]] = {
        "id": 4,
        "media": {"slug": "email", "name": "Email"},
        "label": "On call",
        "suggested_label": "oncall@example.org",
        "settings": {**_SETTINGS, "synced": False},
        "template": "",
        "created": "2026-11-23T09:30:00Z",
        "disabled_at": None,
        "disabled_reason": "",
    }

    id: int
    media: MediumName
    label: str
    suggested_label: Annotated[str, Field(description="How it is called where it has no label.")]
    settings: Annotated[
        dict[str, Any],
        Field(
            description=(
                "Secrets are masked. Of an e-mail address, `synced` says whether it follows its "
                "user's own. Empty where they can't be read any more."
            )
        ),
    ]
    template: str
    created: AwareDatetime
    disabled_at: Annotated[
        AwareDatetime | None, Field(description="When the other side said that it is gone.")
    ]
    disabled_reason: str


class NewDestination(Given):
    """A destination to be made."""

    EXAMPLE: ClassVar[dict[str, Any]] = {
        "media": "email",
        "label": "On call",
        "settings": _SETTINGS,
    }

    media: Annotated[str, Field(max_length=50, description="The slug of one of the media.")]
    settings: _Settings
    label: _Label = ""
    template: _Template = ""


class DestinationChange(Given):
    """What is to be another; the rest stays, also of `settings`, where null takes one away (RFC 7396)."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"label": "On call, at night"}

    settings: _Settings = LEFT_OUT
    label: _Label = LEFT_OUT
    template: _Template = LEFT_OUT


@operations.get("/destinations", summary="List your destinations", returns=Page[ShownDestination])
def list_destinations(request: CallerRequest, asked: Query[Paging]) -> Page[ShownDestination]:
    """List your destinations, oldest first."""
    rows, following = page_by_id(request, _own(request), asked)
    return Page(items=[_shown(each) for each in rows], next=following)


@operations.post(
    "/destinations", summary="Make a destination", returns=ShownDestination, versioned=True
)
def make_destination(request: CallerRequest, body: NewDestination) -> ShownDestination:
    """Make a destination, for profiles of yours to lead to.

    A secret that is made for it, such as what a webhook's posts are signed with, is shown in this
    answer only.
    """
    refuse_too_many(_own(request))
    made = DestinationConfig(
        user=request.auth.user, media_id=body.media, label=body.label, template=body.template
    )
    take_shown(made, _without_synced(made, body.settings))
    _clean(made)
    made.save()
    made.refresh_from_db()
    return _with_made_secrets(made, body.settings)


@operations.get(
    "/destinations/{destination_id}",
    summary="Show a destination",
    returns=ShownDestination,
    versioned=True,
)
def get_destination(request: CallerRequest, destination_id: Id) -> ShownDestination:
    """Show one of your destinations."""
    return _shown(own(_own(request), destination_id))


@operations.patch(
    "/destinations/{destination_id}", summary="Change a destination", returns=ShownDestination
)
def change_destination(
    request: CallerRequest, destination_id: Id, body: DestinationChange
) -> ShownDestination:
    """Change one of your destinations, for every profile that leads to it.

    A synced one that is given another address becomes one of your own, and a new synced one takes
    its place. One that was disabled, as it was gone, is sent to again at another address.
    """
    # locked: a worker may be about to disable it, and the whole row is saved
    destination = own(_own(request).select_for_update(of=("self",)), destination_id)
    require_version(request, _shown(destination))
    wanted = own(_own(request), destination_id)
    given = body.model_fields_set
    settings = {**shown(wanted), **body.settings} if "settings" in given else None
    if settings is not None:
        take_shown(wanted, _without_synced(wanted, settings))
    wanted.label = body.label if "label" in given else wanted.label
    wanted.template = body.template if "template" in given else wanted.template
    _clean(wanted)
    destination.template = wanted.template
    medium = find_medium(wanted.media_id) or NotificationMedium()
    changed = {"label": wanted.label, "settings": wanted.settings}
    destination = calling.update(medium, destination, changed)
    destination.refresh_from_db()
    if settings is None:
        return _shown(destination)
    return _with_made_secrets(destination, settings)


@operations.delete("/destinations/{destination_id}", summary="Delete a destination", refuses=(409,))
def delete_destination(request: CallerRequest, destination_id: Id) -> None:
    """Delete one of your destinations, unless a profile leads to it or it is synced."""
    destination = own(_own(request), destination_id)
    require_version(request, _shown(destination))
    medium = find_medium(destination.media_id) or NotificationMedium()
    try:
        medium.raise_if_not_deletable(destination)
    except NotificationMedium.NotDeletableError as error:
        raise Refused(409, "In use", str(error)) from error
    destination.delete()


@operations.post(
    "/destinations/{destination_id}/enable",
    summary="Send to a destination again",
    returns=ShownDestination,
    status=200,
)
def enable_destination(request: CallerRequest, destination_id: Id) -> ShownDestination:
    """Enable one of your destinations, though the other side said that it is gone."""
    destination = own(_own(request), destination_id)
    destination.enable()
    destination.save(update_fields=["disabled_at", "disabled_reason"])
    return _shown(destination)


def _own(request: CallerRequest) -> Any:
    return request.auth.user.destinations.all()


def _without_synced(destination: DestinationConfig, settings: dict[str, Any]) -> dict[str, Any]:
    """Return settings without what is only shown among them."""
    if destination.media_id != EMAIL:
        return settings
    return {name: value for name, value in settings.items() if name != "synced"}


def _clean(destination: DestinationConfig) -> None:
    """Validate a destination, and name the fields as the API has them."""
    try:
        destination.full_clean(exclude=["fingerprint"])
    except ValidationError as error:
        names = {"media_id": "media", "body": "settings"}
        raise Refused.invalid(
            *(
                Problem(names.get(each.field, each.field), each.message)
                for each in problems_of(error)
            )
        ) from error


def _with_made_secrets(destination: DestinationConfig, sent: dict[str, Any]) -> ShownDestination:
    """Return what is shown, with those secrets open that were not sent: the medium has made them."""
    found = _shown(destination)
    found.settings.update(
        {name: value for name, value in destination.settings.items() if not sent.get(name)}
    )
    return found


def _shown(destination: DestinationConfig) -> ShownDestination:
    settings = shown(destination)
    if destination.media_id == EMAIL:
        settings["synced"] = destination.synced
    medium = destination.media
    found = ShownDestination(
        id=destination.pk,
        media=MediumName(slug=medium.slug, name=medium.name),
        label=destination.label,
        suggested_label=destination.suggested_label,
        settings=settings,
        template=destination.template,
        created=destination.created,
        disabled_at=destination.disabled_at,
        disabled_reason=destination.disabled_reason,
    )
    hidden = {} if unreadable(destination) else destination.settings
    return found.beside(json.dumps(hidden, sort_keys=True, default=str))
