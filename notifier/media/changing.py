"""What becomes of a destination that is changed, or is to be deleted: Argus's rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.db import transaction

from notifier.errors import SettingsUnreadable

if TYPE_CHECKING:
    from notifier.models import DestinationConfig


def is_readable(destination: DestinationConfig) -> bool:
    """Whether a destination's settings can be read: the key of its secrets may be gone."""
    try:
        return destination.settings is not None
    except SettingsUnreadable:
        return False


def why_not_deletable(destination: DestinationConfig) -> str:
    """Return a sentence that says why a destination must stay, or an empty text."""
    if destination.managed:
        return "This destination can't be deleted: it follows its user's e-mail address."
    if names := ", ".join(str(profile) for profile in destination.profiles.all()):
        return f"This destination can't be deleted: it is used by {names}; take it out there first."
    return ""


@transaction.atomic
def update(destination: DestinationConfig, validated_data: Mapping[str, Any]) -> DestinationConfig:
    """Change a destination's label and settings; see `NotificationMedium.update`."""
    old = dict(destination.settings) if is_readable(destination) else {}
    destination.label = validated_data.get("label", destination.label)
    settings = dict(validated_data.get("settings", old))
    settings.pop("synced", None)  # which the API shows, and nobody sets
    followed = destination.managed and settings != old
    destination.settings = settings
    destination.managed = destination.managed and not followed
    destination.save()
    if followed:
        _follow_again(destination, old)
    return destination


def _follow_again(former: DestinationConfig, settings: dict[str, Any]) -> None:
    """Make a new synced destination, which the profile of the first day always sends to."""
    synced = type(former)(
        user=former.user, media_id=former.media_id, settings=settings, managed=True
    )
    synced.save()
    for profile in former.profiles.filter(managed=True):
        profile.destinations.add(synced)
