"""What every user has from the first day, and the destination that follows their address."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.db import transaction

from notifier.fingerprint import fingerprint
from notifier.media.registry import find_medium
from notifier.models import (
    DestinationConfig,
    Filter,
    NotificationProfile,
    Preferences,
    TimeRecurrence,
    Timeslot,
)

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from notifier.media.base import NotificationMedium

log = logging.getLogger(__name__)

EMAIL = "email"
TIMESLOT_NAME = "All the time"
PROFILE_NAME = "Addressed to me"


@transaction.atomic
def enrol(user: User) -> None:
    """Give a user the timeslot, the filter and the profile of the first day; once, then never again.

    What the user deletes or renames later stays deleted or renamed: the row of `Preferences`
    remembers that it was made.
    """
    _, new = Preferences.objects.get_or_create(user=user)
    if new:
        timeslot, _ = Timeslot.objects.get_or_create(user=user, name=TIMESLOT_NAME)
        if not timeslot.recurrences.exists():
            TimeRecurrence.objects.create(timeslot=timeslot)
        addressed, _ = Filter.objects.get_or_create(
            user=user, name=PROFILE_NAME, defaults={"conditions": {"addressed": True}}
        )
        profile, _ = NotificationProfile.objects.get_or_create(
            user=user, name=PROFILE_NAME, defaults={"timeslot": timeslot, "managed": True}
        )
        profile.filters.add(addressed)
    sync_email(user)


@transaction.atomic
def sync_email(user: User) -> None:
    """Make the user's synced destination follow `User.email`.

    Added: it appears, and the managed profile sends to it. Changed: it changes, so every profile
    that leads to it follows. Removed: it goes. Equal to a destination that the user has: that one
    becomes the synced one, and inherits the old one's profiles.
    """
    medium = find_medium(EMAIL)
    if medium is None:
        return
    synced = user.destinations.filter(media_id=EMAIL, managed=True).first()
    settings = _settings(user, medium)
    if settings is None:
        # an address that was good enough when it was stored is sent to until it changes
        if synced and synced.settings.get(medium.MEDIA_SETTINGS_KEY) != _address(user):
            synced.delete()
        return
    address = fingerprint(EMAIL, medium.canonical_address(settings))
    twin = user.destinations.filter(fingerprint=address, managed=False).first()
    if twin:
        _adopt(twin, synced)
    elif synced is None:
        synced = DestinationConfig(user=user, media_id=EMAIL, settings=settings, managed=True)
        synced.save()
        _lead_here(user, synced)
    elif synced.settings != settings:
        synced.settings = settings
        synced.save(update_fields=["settings"])


def email_field(user: User) -> str:
    """Return the name of the field that holds a user's address; a host may have its own model."""
    return user.get_email_field_name()


def _address(user: User) -> str:
    return getattr(user, email_field(user), "") or ""


def _settings(user: User, medium: NotificationMedium) -> dict[str, Any] | None:
    """Return the settings for the user's address, or None where there is none to follow."""
    address = _address(user)
    if not address:
        return None
    try:
        return medium.validate_settings({medium.MEDIA_SETTINGS_KEY: address})
    except ValidationError:
        # Django lets any text through here; a bad address must not stop the saving of a user.
        log.warning("user %s has an e-mail address that is none", user.pk)
        return None


def _adopt(twin: DestinationConfig, synced: DestinationConfig | None) -> None:
    if synced:
        for profile in synced.profiles.all():
            profile.destinations.add(twin)
        synced.delete()
    twin.managed = True
    twin.save(update_fields=["managed"])
    _lead_here(twin.user, twin)


def _lead_here(user: User, destination: DestinationConfig) -> None:
    for profile in user.notification_profiles.filter(managed=True):
        profile.destinations.add(destination)
