"""What a user wants to be told of, when, and where."""

from __future__ import annotations

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models

from notifier.conditions import parse_conditions
from notifier.models.destination import DestinationConfig
from notifier.models.timeslot import Timeslot


class Filter(models.Model):
    """A named set of conditions on events (`notifier.conditions`), all of which must hold."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notifier_filters"
    )
    name = models.CharField(max_length=100)
    conditions = models.JSONField(
        default=dict, help_text='Such as {"max_level": 2, "tags": ["host=db1"]}.'
    )

    class Meta:
        ordering = ("name",)
        constraints = (models.UniqueConstraint(fields=("user", "name"), name="filter_name_unique"),)

    def __str__(self) -> str:
        return f"{self.name} ({self.user})"

    def clean(self) -> None:
        """Refuse conditions that could not be judged."""
        try:
            parse_conditions(self.conditions)
        except ValueError as error:
            raise ValidationError({"conditions": str(error)}) from error


class NotificationProfile(models.Model):
    """A user's rule: inside this timeslot, tell me of what these filters let through, there."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notification_profiles"
    )
    name = models.CharField(max_length=100)
    timeslot = models.ForeignKey(Timeslot, on_delete=models.RESTRICT, related_name="profiles")
    filters = models.ManyToManyField(Filter, related_name="profiles", blank=True)
    destinations = models.ManyToManyField(DestinationConfig, related_name="profiles", blank=True)
    active = models.BooleanField(default=True)
    paused_until = models.DateTimeField(null=True, blank=True)
    managed = models.BooleanField(
        default=False,
        editable=False,
        help_text="The profile made with the user: it gets the synced e-mail destination.",
    )

    class Meta:
        ordering = ("name",)
        constraints = (
            models.UniqueConstraint(fields=("user", "name"), name="profile_name_unique"),
            models.UniqueConstraint(
                fields=("user",), condition=models.Q(managed=True), name="profile_one_managed"
            ),
        )

    def __str__(self) -> str:
        return f"{self.name} ({self.user})"

    def clean(self) -> None:
        """Refuse another user's timeslot."""
        if self.timeslot_id and self.user_id and self.timeslot.user_id != self.user_id:
            raise ValidationError({"timeslot": "Choose one of the profile owner's timeslots."})
