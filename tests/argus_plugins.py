"""Plugins as one writes them for Argus, by its documentation of three ages; only the imports differ."""

# mypy: ignore-errors
# untyped, as such plugins are

from __future__ import annotations

import logging
from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import send_mail

from notifier.media.argus import (
    INFINITY,
    LOCAL_INFINITY,
    are_notifications_enabled,
    modelinstance_to_dict,
    send_email_safely,
)
from notifier.media.base import NotificationMedium

LOG = logging.getLogger(__name__)

posted: list[dict[str, Any]] = []
"""What the chat room got."""


class Oldest(NotificationMedium):
    """2022: static `send()` that filters a QuerySet, no settings key, `validate(serializer, data)`."""

    MEDIA_SLUG = "room"
    MEDIA_NAME = "Chat room"
    MEDIA_JSON_SCHEMA: ClassVar[dict[str, Any]] = {
        "title": "Chat room settings",
        "type": "object",
        "required": ["webhook"],
        "properties": {"webhook": {"type": "string", "title": "Webhook", "format": "iri"}},
    }

    class Form(forms.Form):
        webhook = forms.CharField()
        synced = forms.BooleanField(disabled=True, required=False, initial=False)

    @classmethod
    def validate(cls, instance, dict_):
        if instance.instance and instance.instance.label == "fixed":
            raise ValidationError("This one can't be changed.")
        form = cls.Form(dict_["settings"])
        if not form.is_valid():
            raise ValidationError(form.errors)
        return form.cleaned_data

    @staticmethod
    def get_label(destination):
        return f"room {destination.pk}"

    @staticmethod
    def send(event, destinations, **_):
        rooms = destinations.filter(media__slug=Oldest.MEDIA_SLUG)
        if not rooms.exists():
            return False
        incident = modelinstance_to_dict(event.incident)
        for key in ("id", "source_id", "start_time", "end_time"):
            incident.pop(key)
        expiration = event.acknowledgment.expiration.isoformat() if event.type == "ACK" else None
        for room in rooms:
            if "broken" in room.settings["webhook"]:
                return False
            if "raises" in room.settings["webhook"]:
                raise RuntimeError(room.settings["webhook"])
            posted.append(
                {
                    "to": room.label or Oldest.get_label(room),
                    "title": f"{settings.NOTIFICATION_SUBJECT_PREFIX}{event}",
                    "actor": event.actor.username,
                    "since": event.incident.start_time.isoformat(),
                    "source": str(event.incident.source),
                    "expires": expiration,
                    "link": event.incident.pp_details_url(),
                    "tags": {tag.key: tag.value for tag in event.incident.deprecated_tags},
                    "facts": incident,
                }
            )
        return None if "silent" in rooms[0].settings["webhook"] else True


class Middle(NotificationMedium):
    """2023: `validate(serializer, data, user)`, a class method that sends to addresses."""

    MEDIA_SLUG = "pager"
    MEDIA_NAME = "Pager"
    MEDIA_SETTINGS_KEY = "number"

    class Form(forms.Form):
        number = forms.CharField(max_length=20)

    @classmethod
    def validate(cls, instance, dict_, user):
        form = cls.Form(dict_["settings"])
        if not form.is_valid():
            raise ValidationError(form.errors)
        if (
            form.cleaned_data["number"]
            == instance.context["request"].user.username
            == user.username
        ):
            raise ValidationError({"number": "A name is no number."})
        return form.cleaned_data

    @classmethod
    def has_duplicate(cls, queryset, settings):
        return queryset.filter(settings__number=settings["number"]).exists()

    @classmethod
    def get_relevant_addresses(cls, destinations):
        return [
            destination.settings["number"]
            for destination in destinations
            if destination.media_id == cls.MEDIA_SLUG
        ]

    @classmethod
    def send(cls, event, destinations, **_):
        numbers = cls.get_relevant_addresses(destinations=destinations)
        posted.extend({"to": number, "title": event.description} for number in numbers)
        return bool(numbers)


class Newest(NotificationMedium):
    """2026: everything by the base class, `validate()` included."""

    MEDIA_SLUG = "letter"
    MEDIA_NAME = "Letter"
    MEDIA_SETTINGS_KEY = "email_address"

    class Form(forms.Form):
        email_address = forms.EmailField()

    @classmethod
    def validate(cls, data, user, instance=None):
        return super().validate(data, user, instance)

    @classmethod
    def send(cls, event, destinations, **_):
        if not are_notifications_enabled():
            return False
        destinations = cls.get_relevant_destinations(destinations)
        if not destinations:
            return False
        facts = modelinstance_to_dict(event.incident)
        if event.incident.end_time in {INFINITY, LOCAL_INFINITY}:
            facts["end_time"] = "Still open"
        failed = 0
        for destination in destinations:
            sent = send_email_safely(
                send_mail,
                subject=f"{settings.NOTIFICATION_SUBJECT_PREFIX}{event}",
                message="\n".join(f"{key}: {value}" for key, value in facts.items()),
                from_email=None,
                recipient_list=[cls.get_relevant_address(destination)],
            )
            if not sent:
                failed += 1
                LOG.error("Letter: event #%i failed at #%i", event.pk, destination.pk)
        return not failed
