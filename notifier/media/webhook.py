"""Webhook: an event as a CloudEvent, signed as Standard Webhooks has it.

https://cloudevents.io, version 1.0; https://www.standardwebhooks.com, version 1.0.0.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from django import forms
from django.core.exceptions import ValidationError

from notifier.http import HTTPSession
from notifier.media.base import Destination
from notifier.media.posting import PostingMedium, URLField

if TYPE_CHECKING:
    from notifier.models import Event

PREFIX = "whsec_"
SHORTEST_SECRET = 24
LONGEST_SECRET = 64
"""Bytes, by the specification."""


class SecretField(forms.CharField):
    """A signing secret as Standard Webhooks writes it; may be empty."""

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, max_length=128, **options)

    def clean(self, value: Any) -> str:
        """Validate."""
        secret: str = super().clean(value)
        try:
            if secret:
                _key(secret)
        except ValueError as error:
            raise ValidationError(str(error)) from None
        return secret


class WebhookNotification(PostingMedium):
    """Posts to any program that takes webhooks."""

    MEDIA_SLUG = "webhook"
    MEDIA_NAME = "Webhook"
    OWN_TEXT = False  # programs read it
    SECRETS = ("url", "secret", "previous_secret")
    CONCURRENCY = 8  # each host may take its time
    # the schedule of Standard Webhooks, “Deliverability and reliability”
    RETRY_DELAYS = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)

    class Form(forms.Form):
        """Where to, and what it is signed with."""

        url = URLField(label="URL")
        secret = SecretField(help_text="Left empty, one is made.")
        previous_secret = SecretField(
            help_text="While the receiver changes to another secret: the one before, signed with too."
        )

        def clean_secret(self) -> str:
            """Make a secret where none is given."""
            return self.cleaned_data["secret"] or new_secret()

    def render(self, event: Event) -> bytes:
        """Return the request's body: the bytes that are signed."""
        return json.dumps(cloud_event(event), separators=(",", ":")).encode()

    def send_one(self, message: bytes, destination: Destination, session: HTTPSession) -> str:
        """Post to one receiver, signed for it and for now."""
        previous = destination.settings.get("previous_secret")
        used = [destination.settings["secret"], *([previous] if previous else [])]
        # an id with a dot could be read as another id and time: the signed text joins them by one
        webhook_id, timestamp = destination.message_key.replace(".", "_"), int(time.time())
        headers = {
            "content-type": "application/cloudevents+json",
            "webhook-id": webhook_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": " ".join(
                signature(secret, webhook_id, timestamp, message) for secret in used
            ),
        }
        return str(session.post(destination.settings[self.MEDIA_SETTINGS_KEY], message, headers))


def cloud_event(event: Event) -> dict[str, Any]:
    """Return an event in CloudEvents' structured form; `data` has the names of our HTTP intake."""
    incident = event.incident
    return {
        "specversion": "1.0",
        "id": str(event.pk),
        "source": f"/sources/{quote(event.source.name, safe='', errors='replace')}",
        "type": f"notifier.event.{event.Type(event.type).name.lower()}",
        "time": event.timestamp.isoformat(),
        "datacontenttype": "application/json",
        **({"subject": incident.incident_key} if incident else {}),
        **({"traceparent": event.traceparent} if event.traceparent else {}),
        "data": {
            "description": event.description,
            "type": event.type,
            "level": event.level,
            "tags": event.tags,
            "incident_key": incident.incident_key if incident else None,
            "start_time": incident.start_time.isoformat() if incident else None,
            "sequence": event.sequence,
            "open": event.open,
            "acked": event.acked,
            "details_url": event.details_url,
            "metadata": event.metadata,
            "actor": event.actor,
        },
    }


def signature(secret: str, webhook_id: str, timestamp: int, body: bytes) -> str:
    """Return `v1,` and the HMAC-SHA256 in base64 of `id.timestamp.body`."""
    signed = f"{webhook_id}.{timestamp}.".encode() + body
    return f"v1,{base64.b64encode(hmac.digest(_key(secret), signed, hashlib.sha256)).decode()}"


def new_secret() -> str:
    """Return a secret of 32 random bytes."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def _key(secret: str) -> bytes:
    """Return a secret's bytes; raise `ValueError` where it has too few, too many or is no base64."""
    prefix, written = secret[: len(PREFIX)], secret[len(PREFIX) :]
    try:
        key = base64.b64decode(written, validate=True)
    except ValueError:
        key = b""
    if prefix != PREFIX or not SHORTEST_SECRET <= len(key) <= LONGEST_SECRET:
        raise ValueError(
            f"A secret is {PREFIX} and {SHORTEST_SECRET} to {LONGEST_SECRET} random bytes in "
            f"base64: {PREFIX} and what `openssl rand -base64 32` prints."
        )
    return key
