"""What Notifier knows of a user beyond Django's own model."""

from __future__ import annotations

import zoneinfo

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models


def validate_time_zone(name: str) -> None:
    """Refuse a name that is not in the IANA time zone database."""
    if name not in zoneinfo.available_timezones():
        raise ValidationError(
            "%(name)s is not a time zone; use a name like Europe/Oslo.", params={"name": name}
        )


def default_time_zone() -> str:
    """Return the site's time zone: where a user lives until they say otherwise."""
    return settings.TIME_ZONE


class Preferences(models.Model):
    """A user's own time zone. Its row also says that the user's defaults were made."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="notifier_preferences",
    )
    time_zone = models.CharField(
        max_length=64, default=default_time_zone, validators=[validate_time_zone]
    )

    class Meta:
        verbose_name_plural = "preferences"

    def __str__(self) -> str:
        return f"{self.user} ({self.time_zone})"
