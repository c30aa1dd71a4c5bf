"""Validating what a user wrote of a destination, by the form of its medium."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError

from notifier.media.destinations import Destinations

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from notifier.media.base import NotificationMedium
    from notifier.models import DestinationConfig

    MediumClass = type[NotificationMedium]


class OnlySetting:
    """The only setting that must be given: it holds the address where a plugin doesn't say."""

    def __get__(self, _instance: object, medium: MediumClass) -> str:
        """Return its name; raise `AttributeError` where there is none, or a choice."""
        match medium.MEDIA_JSON_SCHEMA:
            case {"required": [str(name)]}:
                return name
        raise AttributeError(
            f"{medium.__qualname__}.MEDIA_SETTINGS_KEY is not set; "
            "name the field of its Form that holds the address"
        )


class DestinationForm(forms.Form):
    """What a destination has besides its settings."""

    label = forms.CharField(max_length=150, required=False)
    media = forms.CharField(max_length=50)  # type: ignore[assignment]


def validate(
    medium: MediumClass, data: Mapping[str, Any], user: User, instance: DestinationConfig | None
) -> forms.Form:
    """Return a valid form of `label`, `media`, `settings` and `user`; raise `ValidationError`."""
    if instance:
        kept = {} if "settings" in data else {"settings": instance.settings}
        data = {"label": instance.label, **kept, **data}
        if instance.user_id != user.pk:
            raise ValidationError({"user": "A destination stays its owner's."}, code="read_only")
    slug = getattr(data.get("media"), "slug", data.get("media", medium.MEDIA_SLUG))
    if slug != (instance.media_id if instance else medium.MEDIA_SLUG):
        raise ValidationError(
            {"media": f"This is a destination of {medium.MEDIA_NAME}; make another for {slug!r}."},
            code="read_only",
        )
    form = DestinationForm({"label": data.get("label"), "media": slug})
    if not form.is_valid():
        raise ValidationError(dict(form.errors))
    try:
        settings = medium.validate_settings(data.get("settings", {}), user, instance=instance)
    except ValidationError as error:
        raise ValidationError({"settings": sentences(error)}) from error
    form.cleaned_data.update(settings=settings, user=user)
    return form


def sentences(error: ValidationError) -> list[str]:
    """Return what is wrong with settings, each with the name of its field."""
    if not hasattr(error, "error_dict"):
        return error.messages
    whole = {"settings", NON_FIELD_ERRORS}
    return [
        text if name in whole else f"{name}: {text}"
        for name, texts in error.message_dict.items()
        for text in texts
    ]


def clean_settings(medium: MediumClass, settings: object) -> dict[str, Any]:
    """Return settings as a medium's form cleans them; raise `ValidationError` by field."""
    if not isinstance(settings, Mapping):
        raise ValidationError(
            f'Settings must be an object like {{"{medium.MEDIA_SETTINGS_KEY}": …}}.'
        )
    unknown = sorted(set(settings) - set(medium.Form.base_fields))
    if unknown:
        known = ", ".join(medium.Form.base_fields)
        raise ValidationError(
            f"{', '.join(unknown)}: unknown; a {medium.MEDIA_NAME} destination has {known}."
        )
    form = medium.Form(dict(settings))
    if not form.is_valid():
        raise ValidationError(sentences(ValidationError(dict(form.errors))))
    return form.cleaned_data


def refuse_duplicate(
    medium: MediumClass,
    settings: Mapping[str, Any],
    user: User,
    instance: DestinationConfig | None,
) -> None:
    """Raise `ValidationError` where a user has another destination than `instance` of these settings.

    The plugin looks through them in memory: in the database their settings may be sealed.
    """
    others = user.destinations.filter(media_id=medium.MEDIA_SLUG)
    if instance:
        others = others.exclude(pk=instance.pk)
    if medium.has_duplicate(Destinations(others), settings):
        raise ValidationError(
            "This user has a destination with that address already.", code="duplicate"
        )
