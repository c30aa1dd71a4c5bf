"""Where a user wants to be told."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Now

from notifier.fingerprint import fingerprint
from notifier.media import calling
from notifier.media.base import Medium
from notifier.media.registry import find_medium, get_medium
from notifier.media.validating import sentences
from notifier.models.settings_field import SettingsField, unreadable
from notifier.placeholders import validate_template


class DestinationConfig(models.Model):
    """A user's own instance of a medium: an address, a number, a webhook.

    Unique per user by `fingerprint`, never by the settings themselves: what of these is secret is
    encrypted, and bound to user, medium and fingerprint.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="destinations"
    )
    media_id = models.SlugField("medium", max_length=50, db_index=False)
    label = models.CharField(max_length=150, blank=True)
    settings = SettingsField(default=dict)
    template = models.CharField(
        "own text",
        max_length=500,
        blank=True,
        default="",
        db_default="",
        validators=[validate_template],
        help_text="In place of an event's description, such as: {source} says {description}",
    )
    managed = models.BooleanField(
        default=False, editable=False, help_text="Follows the user's own e-mail address."
    )
    fingerprint = models.CharField(max_length=64, editable=False)
    created = models.DateTimeField(db_default=Now(), editable=False)
    disabled_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="The other side said that it is gone."
    )
    disabled_reason = models.CharField(max_length=24, blank=True, db_default="", editable=False)

    class Meta:
        ordering = ("media_id", "label")
        constraints = (
            models.UniqueConstraint(
                fields=("user", "fingerprint"),
                name="destination_unique",
                violation_error_message="This user has a destination with that address already.",
            ),
            models.UniqueConstraint(
                fields=("user", "media_id"),
                condition=models.Q(managed=True),
                name="destination_one_managed",
            ),
            models.CheckConstraint(
                name="destination_fingerprint_given",
                condition=~models.Q(fingerprint="") & ~models.Q(media_id=""),
            ),
        )

    def __str__(self) -> str:
        return self.label or f"{self.lasting_label} of {self.user}"

    def save(self, **kwargs: Any) -> None:
        """Save, with the fingerprint of the address as it is now."""
        changed = self._take_fingerprint()
        if (update_fields := kwargs.get("update_fields")) is not None:
            together = {"settings", "fingerprint", "disabled_at", "disabled_reason"}
            bound = {"user", "user_id", "media_id", "settings"}
            if changed or bound.intersection(update_fields):
                kwargs["update_fields"] = together.union(update_fields)
        super().save(**kwargs)

    def enable(self) -> None:
        """Let it be sent to again, whatever the other side said of it."""
        self.disabled_at, self.disabled_reason = None, ""

    @property
    def shown_label(self) -> str:
        """How it is shown to who may see its address: its label, else what its medium says."""
        return self.label or self.suggested_label

    @property
    def suggested_label(self) -> str:
        """What its medium says of it to who may see its address, whatever its label is."""
        return self._said(with_address=True)

    @property
    def lasting_label(self) -> str:
        """The same for rows that outlive it, logs and reprs: no address but one in its own label."""
        return self.label or self._said(with_address=False)

    def _said(self, *, with_address: bool) -> str:
        medium = find_medium(self.media_id)
        if medium is None:
            return self.media_id
        return calling.label_for(medium, self, with_address=with_address)

    @property
    def media(self) -> Medium:
        """The medium as Argus's plugins read it."""
        medium = find_medium(self.media_id)
        return Medium(self.media_id, medium.MEDIA_NAME if medium else self.media_id)

    @property
    def notification_profiles(self) -> Any:
        """The profiles that lead here, by Argus's name."""
        return self.profiles

    @property
    def synced(self) -> bool:
        """Whether the address follows `User.email`."""
        return self.managed

    def clean_fields(self, exclude: Collection[str] | None = None) -> None:
        """Validate field by field; settings that can't be read are for `clean` to refuse."""
        left_out = {"settings"} if unreadable(self) else set()
        super().clean_fields(exclude=left_out.union(exclude or ()))

    def clean(self) -> None:
        """Validate and normalise `settings` by the medium's own form; set the fingerprint."""
        if not self.media_id or self.user_id is None:
            return  # said by the fields themselves
        medium = find_medium(self.media_id)
        if medium is None:
            raise ValidationError(
                {"media_id": f"There is no medium {self.media_id!r} here; see MEDIA_PLUGINS."}
            )
        if self.template and not medium.OWN_TEXT:
            raise ValidationError(
                {"template": f"{medium.MEDIA_NAME} takes no text of your own; leave it empty."}
            )
        if why := unreadable(self):
            raise ValidationError({"settings": why})
        try:
            self.settings = calling.settings_for(medium, self)
        except ValidationError as error:
            raise ValidationError({"settings": sentences(error)}) from error
        self._take_fingerprint()

    def validate_constraints(self, exclude: Collection[str] | None = None) -> None:
        """Check the fingerprint too, once there is one: no form shows it, so Django would not."""
        hidden = set() if self.fingerprint else {"fingerprint"}
        super().validate_constraints(exclude=set(exclude or ()) - {"fingerprint"} | hidden)

    def _take_fingerprint(self) -> bool:
        """Set the fingerprint of the address as it is now; another one is not gone yet."""
        address = get_medium(self.media_id).canonical_address(self.settings)
        found = fingerprint(self.media_id, address)
        if found == self.fingerprint:
            return False
        self.fingerprint = found
        self.enable()
        return True
