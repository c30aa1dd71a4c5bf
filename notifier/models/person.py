"""What Notifier knows of a user beyond Django's own model."""

from __future__ import annotations

import logging
import zoneinfo
from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db import models

if TYPE_CHECKING:
    from django.contrib.auth.models import User


log = logging.getLogger(__name__)


def validate_time_zone(name: str) -> None:
    """Refuse a name that is not in the IANA time zone database."""
    if name not in zoneinfo.available_timezones():
        raise ValidationError(
            "%(name)s is not a time zone; use a name like Europe/Oslo.", params={"name": name}
        )


def default_time_zone() -> str:
    """Return the site's time zone: where a user lives until they say otherwise."""
    return settings.TIME_ZONE


def validate_language(code: str) -> None:
    """Refuse what is none of the site's languages."""
    if code not in (codes := dict(settings.LANGUAGES)):
        raise ValidationError(
            "%(code)s is none of the languages here; use one of %(codes)s.",
            params={"code": code, "codes": ", ".join(codes)},
        )


def zone_of(user: User | None) -> zoneinfo.ZoneInfo:
    """Return a user's time zone; the site's where there is none, or none that is known."""
    preferences = getattr(user, "notifier_preferences", None)
    return zone_named(preferences.time_zone if preferences else None, getattr(user, "pk", None))


def zone_named(name: str | None, user_pk: object) -> zoneinfo.ZoneInfo:
    """Return the time zone of a name; the site's where a user has none, or none that is known."""
    try:
        return zoneinfo.ZoneInfo(settings.TIME_ZONE if name is None else name)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        # one person's unknown zone must not stop everybody's matching
        log.warning("user %s has an unknown time zone; the site's is used", user_pk)
        return zoneinfo.ZoneInfo(settings.TIME_ZONE)


def locale_of(user: User | None) -> tuple[str, str]:
    """Return the language and time zone that a user reads; the site's where none was chosen."""
    preferences = getattr(user, "notifier_preferences", None)
    language = preferences.language if preferences else ""
    return language or settings.LANGUAGE_CODE, zone_of(user).key


def lock_owner(user: User) -> None:
    """Let one transaction at a time change what belongs to a user, until this one ends.

    No row that is new and refers to the user waits for it, such as a delivery.
    """
    get_user_model().objects.select_for_update(no_key=True).get(pk=user.pk)


class Preferences(models.Model):
    """A user's own time zone and language. Its row also says that the user's defaults were made."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="notifier_preferences",
    )
    time_zone = models.CharField(
        max_length=64, default=default_time_zone, validators=[validate_time_zone]
    )
    language = models.CharField(
        max_length=16,
        blank=True,
        db_default="",
        default="",
        validators=[validate_language],
        help_text="Such as nb; empty: the site's.",
    )

    class Meta:
        verbose_name_plural = "preferences"

    def __str__(self) -> str:
        return f"{self.user} ({self.time_zone})"
