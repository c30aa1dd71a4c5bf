"""A medium whose send does nothing: what is left is what Notifier itself costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django import forms

from notifier.media.base import Destination, NotificationMedium
from notifier.models import Event


class NullNotification(NotificationMedium):
    """Takes everything and tells nobody."""

    MEDIA_SLUG = "null"
    MEDIA_NAME = "Nobody"
    MEDIA_SETTINGS_KEY = "name"
    SECRETS: ClassVar[Sequence[str] | None] = ()

    class Form(forms.Form):
        """Any name."""

        name = forms.CharField()

    def render(self, event: Event) -> str:
        """Return the description alone."""
        return event.description

    def send_one(self, _message: str, _destination: Destination, _session: Any) -> str:
        """Do nothing."""
        return ""
