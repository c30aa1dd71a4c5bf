"""What media that post to a URL of a user's have in common; the URL is a secret."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError

from notifier import conf, http
from notifier.errors import PermanentError
from notifier.media.base import NotificationMedium

MAX_URL = 2048
WAY_OUT = (
    "It must be public and its port 80 or 443, unless this site allows more by "
    f"{conf.HTTP_ALLOWED_NETWORKS.name} and {conf.HTTP_ALLOWED_PORTS.name}."
)


class URLField(forms.CharField):
    """A URL that can be posted to, as far as that is known without looking its name up.

    Plain http is taken only by a site that lets URLs lead into networks of its own, where TLS may
    be missing.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"max_length": MAX_URL, **options})

    def clean(self, value: Any) -> str:
        """Validate; return it with its host in lower case, without a usual port or a fragment."""
        try:
            url = http.accepted(super().clean(value))
        except PermanentError as error:
            said = f"{error.answer[0].upper()}{error.answer[1:]}."
            raise ValidationError(
                said if error.answer == http.NO_URL else f"{said} {WAY_OUT}"
            ) from None
        if not url.startswith("https://") and not conf.HTTP_ALLOWED_NETWORKS():
            raise ValidationError(
                "It must start with https://: over http:// anybody on the way could read along."
            )
        return url


class PostingMedium(NotificationMedium):
    """Base of media that post: the host has the breaker, and nothing shown holds the URL."""

    MEDIA_SETTINGS_KEY = "url"
    SECRETS: ClassVar[Sequence[str] | None] = ("url",)
    CONCURRENCY = 4

    class Form(forms.Form):
        """One URL."""

        url = URLField(label="URL")

    def get_host(self, settings: Mapping[str, Any]) -> str:
        """Return the URL's host."""
        return http.host_of(str(settings.get(self.MEDIA_SETTINGS_KEY, "")))

    @classmethod
    def get_label(cls, destination: Any) -> str:
        """Return the medium and the host: the rest of the URL is secret."""
        host = cls().get_host(destination.settings)
        return f"{cls.MEDIA_NAME} at {host}" if host else cls.MEDIA_NAME

    def session(self) -> http.HTTPSession:
        """Return connections that open at the first post."""
        return http.HTTPSession()
